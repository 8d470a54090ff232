/**
 * What one stage knows while its instructions are lowered, top to bottom: the config so far, and the variables in
 * force. ENV and ARG share one name space; the later declaration wins, but only ENV reaches the config.
 * Reference: BuildKit dockerfile2llb, dispatchState.
 */
import type { Scope } from '../dockerfile/instruction.ts';
import type { ContainerConfig, ImageConfig } from '../image/image.ts';
import { semanticError } from './faults.ts';

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type MutableConfig = { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] };

/**
 * Belongs to the lowering of one stage, which changes it in place, lists and maps included: a copy for each instruction
 * would make the cost of long files grow with the square of their length.
 */
export interface StageState {
  readonly config: MutableConfig;
  /** Where each name stands in `config.Env`. */
  readonly envPlaces: Map<string, number>;
  author: string | null;
  /** ENV and ARG values by name. */
  readonly values: Map<string, string>;
  /** Names declared by ARG, in order of their first declaration; null: declared without a value. */
  readonly args: Map<string, string | null>;
  /** CMD was set in this stage: ENTRYPOINT leaves it alone. */
  commandSet: boolean;
}

export function scratchState(): StageState {
  return stateOf({ WorkingDir: '/' }, null);
}

/** The image's ONBUILD triggers are not part of it: they run, and are gone. */
export function stateOfImage(image: ImageConfig): StageState {
  return stateOf(image.config ?? {}, image.author ?? null);
}

/** A stage that --build-context replaces: the image's config as it is, with nothing added. */
export function replacedState({ OnBuild: _, ...config }: ContainerConfig, author: string | null): StageState {
  return { ...stateOf({}, author), ...owned(config) };
}

/** The child of a finished stage inherits its config, its ARGs and its variables, but not its triggers; where a name is both, ENV is in force again. */
export function stateOfStage(parent: StageState): StageState {
  const { OnBuild: _, ...own } = parent.config;
  // A replaced stage may come without PATH.
  const { config, envPlaces } = owned({ ...own, Env: withPath(own.Env ?? []) });
  const values = new Map(parent.values);
  for (const pair of config.Env ?? []) values.set(nameOf(pair), pair.slice(nameOf(pair).length + 1));
  return { config, envPlaces, author: parent.author, values, args: new Map(parent.args), commandSet: false };
}

function stateOf(source: ContainerConfig, author: string | null): StageState {
  const { OnBuild: _, ...config } = source;
  const state: StageState = {
    ...owned({ ...config, Env: withPath(source.Env ?? []) }),
    author: author === '' ? null : author,
    values: new Map(),
    args: new Map(),
    commandSet: false,
  };
  if (source.WorkingDir !== undefined && source.WorkingDir !== '') state.config.WorkingDir = joinWorkdir('/', source.WorkingDir);
  for (const pair of state.config.Env ?? []) state.values.set(nameOf(pair), pair.slice(nameOf(pair).length + 1));
  return state;
}

/** A copy down to what a stage changes in place. A name that the base has twice is changed where it first stands. */
function owned(source: ContainerConfig): Pick<StageState, 'config' | 'envPlaces'> {
  const config: MutableConfig = { ...source };
  if (source.Env != null) config.Env = [...source.Env];
  if (source.OnBuild != null) config.OnBuild = [...source.OnBuild];
  if (source.Labels != null) config.Labels = { ...source.Labels };
  if (source.Volumes != null) config.Volumes = { ...source.Volumes };
  if (source.ExposedPorts != null) config.ExposedPorts = { ...source.ExposedPorts };
  const envPlaces = new Map<string, number>();
  for (const [place, pair] of (source.Env ?? []).entries()) if (!envPlaces.has(nameOf(pair))) envPlaces.set(nameOf(pair), place);
  return { config, envPlaces };
}

type MapField = 'Labels' | 'Volumes' | 'ExposedPorts';

/** Adds to a map of the config, or replaces. */
export function setEntries(
  { config }: StageState,
  field: MapField,
  entries: Iterable<readonly [name: string, value: string | object]>,
): void {
  if (config[field] == null) config[field] = {};
  for (const [name, value] of entries) {
    // Not by assignment: a label may be named __proto__.
    Object.defineProperty(config[field], name, { value, enumerable: true, writable: true, configurable: true });
  }
}

/** ONBUILD. */
export function addTrigger({ config }: StageState, trigger: string): void {
  push(config, 'OnBuild', trigger);
}

/** `config` is a stage's own. */
function push(config: MutableConfig, field: 'Env' | 'OnBuild', text: string): void {
  config[field] ??= [];
  (config[field] as string[]).push(text);
}

function withPath(env: readonly string[]): readonly string[] {
  return env.some((pair) => nameOf(pair) === 'PATH') ? env : [...env, `PATH=${DEFAULT_PATH}`];
}

/** ENV: replaces in place, so that the order of the base stays. */
export function setEnv(state: StageState, name: string, value: string): void {
  const { config, envPlaces, values } = state;
  const place = envPlaces.get(name);
  values.set(name, value);
  if (place !== undefined && config.Env != null) (config.Env as string[])[place] = `${name}=${value}`;
  else {
    envPlaces.set(name, config.Env?.length ?? 0);
    push(config, 'Env', `${name}=${value}`);
  }
}

/** Said to BuildKit's SBOM scanner: in history as every ARG, but no variable. */
const NO_VARIABLES = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** ARG; null when neither the file nor the command line gives a value. */
export function declareArg(state: StageState, name: string, value: string | null): void {
  state.args.set(name, value);
  if (value !== null && !NO_VARIABLES.has(name)) state.values.set(name, value);
}

/** `NAME=value` for RUN: what ENV set, then the ARGs, each with the value in force. */
export function runEnv(state: StageState): readonly string[] {
  const names = new Set((state.config.Env ?? []).map(nameOf));
  for (const name of state.args.keys()) if (state.values.has(name)) names.add(name);
  return [...names].map((name) => `${name}=${state.values.get(name) ?? ''}`);
}

/** `NAME=value` of every declared ARG, as history shows them. */
export function argPairs(state: StageState): readonly string[] {
  return [...state.args].map(([name, value]) => `${name}=${state.values.get(name) ?? value ?? ''}`);
}

export function scopeOf(state: StageState, escapeChar: Scope['escape']): Scope {
  return { escape: escapeChar, lookup: (name) => state.values.get(name) };
}

/** The argv prefix of shell forms. */
export function shellOf(state: StageState): readonly string[] {
  const shell = state.config.Shell ?? [];
  return shell.length === 0 ? ['/bin/sh', '-c'] : shell;
}

/** A config field as a list: an empty one is left out of the config, as BuildKit does. */
export function setList(state: StageState, field: 'Cmd' | 'Entrypoint', list: readonly string[]): void {
  if (list.length === 0) delete state.config[field];
  else state.config[field] = list;
}

/** In bytes. */
const LONGEST_PATH = 4095;

/** `path` as seen from `from`, in normal form, without a trailing slash. Throws DOCKERFILE_SEMANTICS for one that nobody could make. */
export function absolutePath(from: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith('/') ? path : `${from}/${path}`).split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  const absolute = `/${parts.join('/')}`;
  if (Buffer.byteLength(absolute) > LONGEST_PATH) throw semanticError(`the path "${absolute}" is longer than Linux takes`);
  return absolute;
}

/** The config's WorkingDir after `WORKDIR path`. As in BuildKit an absolute path stays as written (`/tmp/`), a relative one is joined. */
export function joinWorkdir(current: string | undefined, path: string): string {
  if (path === '') return current || '/';
  return path.startsWith('/') ? path : absolutePath(current || '/', path);
}

/** Where relative paths start: absolute, in normal form. */
export function workingDir(state: StageState): string {
  return absolutePath('/', state.config.WorkingDir ?? '');
}

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return equals < 0 ? pair : pair.slice(0, equals);
}
