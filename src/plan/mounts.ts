/**
 * `RUN --mount`: from the flag's text to a Mount with its defaults. Values are expanded, `from` is not; `type` may stand
 * anywhere. Mounting is the backend's. Reference: BuildKit instructions/commands_runmount.go, docs of RUN --mount.
 */
import { nearest } from '../words/nearest.ts';
import { parseCsvRecord } from './csv.ts';
import { notSupported, semanticError } from './faults.ts';
import type { Mount, Origin } from './plan.ts';
import { absolutePath } from './stage-state.ts';

export interface MountField {
  /** Lower case, long form: `source` for `src`. */
  readonly key: string;
  /** Null for a bare word. */
  readonly value: string | null;
  /** As written. */
  readonly text: string;
}

/** What `type=ssh` comes to: nobody can give an agent, so a RUN only learns where its socket would be. */
export interface AgentSocket {
  readonly type: 'ssh';
  /** Null: where BuildKit puts it. */
  readonly target: string | null;
}

type MountType = Mount['type'] | 'ssh';

export interface MountContext {
  expand(word: string): string;
  origin(from: string): Origin;
  /** Relative targets start here. */
  readonly cwd: string;
}

const ALIASES: ReadonlyMap<string, string> = new Map([
  ['src', 'source'],
  ['dst', 'target'],
  ['destination', 'target'],
  ['ro', 'readonly'],
  ['rw', 'readwrite'],
]);

const COMMON = ['type', 'target'];
const KEYS: Readonly<Record<MountType, readonly string[]>> = {
  bind: [...COMMON, 'source', 'from', 'readonly', 'readwrite'],
  cache: [...COMMON, 'source', 'from', 'readonly', 'readwrite', 'id', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: [...COMMON, 'size', 'readwrite'],
  secret: [...COMMON, 'source', 'id', 'env', 'required', 'readonly', 'mode', 'uid', 'gid'],
  ssh: [...COMMON, 'source', 'id', 'required', 'mode', 'uid', 'gid'],
};
const TYPES = Object.keys(KEYS);

/** The fields of one flag, unexpanded. Throws DOCKERFILE_SEMANTICS for a quote out of place. */
export function mountFields(flag: string): readonly MountField[] {
  return parseCsvRecord(flag).map((text) => {
    const equals = text.indexOf('=');
    const key = (equals < 0 ? text : text.slice(0, equals)).toLowerCase();
    return { key: ALIASES.get(key) ?? key, value: equals < 0 ? null : text.slice(equals + 1), text };
  });
}

/** The stage or image that a mount reads, as written; null for the context or nothing. */
export function mountFrom(fields: readonly MountField[]): string | null {
  return fields.findLast(({ key }) => key === 'from')?.value ?? null;
}

/** Throws DOCKERFILE_SEMANTICS, NOT_SUPPORTED. */
export function parseMount(flag: string, context: MountContext): Mount | AgentSocket {
  const options = readOptions(mountFields(flag), context);
  switch (options.type) {
    case 'bind':
      return bindMount(options, context);
    case 'cache':
      return cacheMount(options, context);
    case 'tmpfs':
      return { type: 'tmpfs', target: targetOf(options, context), sizeBytes: sizeOption(options) };
    case 'secret':
      return secretMount(options, context);
    case 'ssh':
      return agentSocket(options, context);
  }
}

interface Options {
  readonly type: MountType;
  /** Expanded; a bare word has the value ''. The last of a key counts. */
  readonly values: ReadonlyMap<string, string>;
}

export const USE_A_SECRET = 'no SSH agent can be given to a RUN: give the key as a secret, --mount=type=secret,id=...';

const BARE_WORDS = new Set(['readonly', 'readwrite', 'required']);

function readOptions(fields: readonly MountField[], context: MountContext): Options {
  const values = new Map<string, string>();
  for (const { key, value, text } of fields) {
    if (value === null && !BARE_WORDS.has(key)) throw unknownKey(key, text, 'must be key=value');
    values.set(key, value === null ? 'true' : key === 'from' ? value : context.expand(value));
  }
  const type = (values.get('type') ?? 'bind').toLowerCase();
  if (!isMountType(type)) {
    const close = nearest(type, TYPES);
    throw semanticError(
      `unsupported mount type "${type}"`,
      close === undefined ? `the types are: ${TYPES.join(', ')}` : `did you mean "${close}"?`,
    );
  }
  for (const { key, text } of fields) {
    if (KEYS[type].includes(key)) continue;
    if (Object.values(KEYS).some((keys) => keys.includes(key))) throw semanticError(`a ${type} mount has no option "${key}" ("${text}")`);
    throw unknownKey(key, text, 'is unknown');
  }
  return { type, values };
}

function bindMount(options: Options, context: MountContext): Mount {
  const target = targetOf(options, context);
  const from = options.values.get('from') ?? '';
  const writable = isWritable(options, 'readonly');
  if (from === 'scratch') {
    if (!writable) throw semanticError('a read-only mount from=scratch is always empty', 'add rw, or use type=tmpfs');
    return { type: 'tmpfs', target, sizeBytes: null };
  }
  const origin: Origin = from === '' ? { kind: 'context' } : context.origin(from);
  return { type: 'bind', target, origin, source: absolutePath('/', options.values.get('source') ?? '/'), writable };
}

function cacheMount(options: Options, context: MountContext): Mount {
  const { values } = options;
  const from = values.get('from') ?? '';
  const target = targetOf(options, context);
  if (from === '' && values.has('source'))
    throw semanticError('a cache mount with source= also needs from=', 'source is a folder of the stage or image in from');
  return {
    type: 'cache',
    target,
    id: values.get('id') || cleanPathText(values.get('target') ?? ''),
    sharing: sharingOption(values.get('sharing')),
    readonly: !isWritable(options, 'readwrite'),
    mode: modeOption(values, 0o755),
    uid: idOption(values, 'uid'),
    gid: idOption(values, 'gid'),
    seed:
      from === '' || from === 'scratch' ? null : { origin: context.origin(from), source: absolutePath('/', values.get('source') ?? '/') },
  };
}

function secretMount(options: Options, context: MountContext): Mount {
  const { values } = options;
  const [source, id, target, env] = ['source', 'id', 'target', 'env'].map((key) => values.get(key) ?? '');
  if (source && id) throw semanticError('a secret mount has an id or a source, not both', 'they mean the same');
  const secret = source || id || baseOf(target ?? '');
  if (secret === '') throw semanticError('a secret mount needs an id or a target', '--mount=type=secret,id=NAME');
  const path = target || (env ? null : `/run/secrets/${baseOf(secret)}`);
  const absolute = path === null ? null : allowedTarget(absolutePath(context.cwd, path));
  return {
    type: 'secret',
    id: secret,
    target: absolute,
    env: env || null,
    required: booleanOption(values, 'required'),
    mode: modeOption(values, 0o400),
    uid: idOption(values, 'uid'),
    gid: idOption(values, 'gid'),
  };
}

/** As BuildKit does when it is given no agent. Throws NOT_SUPPORTED when the step asks for one. */
function agentSocket({ values }: Options, { cwd }: MountContext): AgentSocket {
  if (booleanOption(values, 'required')) throw notSupported('RUN --mount=type=ssh,required is not supported', USE_A_SECRET);
  modeOption(values, 0o600);
  idOption(values, 'uid');
  idOption(values, 'gid');
  const target = values.get('target') ?? '';
  return { type: 'ssh', target: target === '' ? null : allowedTarget(absolutePath(cwd, target)) };
}

function targetOf({ values }: Options, { cwd }: MountContext): string {
  const target = absolutePath(cwd, values.get('target') ?? '');
  if (target !== '/') return allowedTarget(target);
  throw semanticError(values.has('target') ? 'a mount cannot have the target "/"' : 'a mount needs a target', 'write target=/path');
}

/** Mounts there would cover what keeps a RUN from the machine; BuildKit's runc refuses them, too. */
function allowedTarget(target: string): string {
  const folder = /^\/(?:proc|sys)(?=\/|$)/.exec(target)?.[0];
  if (folder === undefined) return target;
  throw semanticError(
    `a mount cannot have a target in "${folder}": "${target}"`,
    'the kernel shows itself to the RUN there; choose another target',
  );
}

/** The last of readonly and readwrite counts, as they are written. */
function isWritable({ values }: Options, otherwise: 'readonly' | 'readwrite'): boolean {
  const last = [...values.keys()].findLast((key) => key === 'readonly' || key === 'readwrite');
  if (last === undefined) return otherwise === 'readwrite';
  return booleanOption(values, last) === (last === 'readwrite');
}

function booleanOption(values: ReadonlyMap<string, string>, key: string): boolean {
  const value = values.get(key) ?? 'false';
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw semanticError(`invalid value for ${key}: "${value}"`, 'true or false');
}

function modeOption(values: ReadonlyMap<string, string>, otherwise: number): number {
  const text = values.get('mode');
  if (text === undefined) return otherwise;
  const mode = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  if (mode <= 0o7777) return mode;
  throw semanticError(`invalid value "${text}" for mode`, 'octal, for example 0400');
}

function idOption(values: ReadonlyMap<string, string>, key: 'uid' | 'gid'): number {
  const text = values.get(key) ?? '0';
  if (/^\d+$/.test(text) && Number(text) <= 0xffffffff) return Number(text);
  throw semanticError(`invalid value "${text}" for ${key}`, 'a number: names are not looked up here');
}

function sharingOption(text: string | undefined): 'shared' | 'private' | 'locked' {
  const sharing = (text ?? 'shared').toLowerCase();
  if (sharing === 'shared' || sharing === 'private' || sharing === 'locked') return sharing;
  throw semanticError(`unsupported sharing value "${text}"`, 'shared, private or locked');
}

const SIZE_UNITS = 'kmgtp';

function sizeOption({ values }: Options): number | null {
  const text = values.get('size');
  if (text === undefined) return null;
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i.exec(text);
  if (match === null) throw semanticError(`invalid value for size: "${text}"`, 'bytes, or with a unit: 64m, 1g');
  const power = match[2] === undefined ? 0 : SIZE_UNITS.indexOf(match[2].toLowerCase()) + 1;
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

function unknownKey(key: string, text: string, why: string): Error {
  const close = nearest(key, [...new Set([...Object.values(KEYS).flat(), ...ALIASES.keys()])]);
  return semanticError(`the mount option "${text}" ${why}`, close === undefined || close === key ? undefined : `did you mean "${close}"?`);
}

function isMountType(text: string): text is MountType {
  return Object.hasOwn(KEYS, text);
}

function baseOf(path: string): string {
  return path.split('/').findLast((part) => part !== '') ?? '';
}

/** Go's path.Clean: keeps a relative path relative. */
function cleanPathText(path: string): string {
  const clean = absolutePath('/', path);
  return path.startsWith('/') ? clean : clean.slice(1);
}
