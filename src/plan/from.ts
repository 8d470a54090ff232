/**
 * FROM lines: what a stage is built on and for which platform. Only the global ARGs are known here.
 * Reference: BuildKit instructions/parse.go (parseFrom), dockerfile2llb (buildDispatchStates).
 */
import { expandWord } from '../dockerfile/expand.ts';
import type { Instruction, Scope } from '../dockerfile/instruction.ts';
import { splitFields } from '../dockerfile/pairs.ts';
import { formatPlatform, type Platform, parsePlatform } from '../image/platform.ts';
import { nearest } from '../words/nearest.ts';
import { semanticError } from './faults.ts';
import type { GlobalArgs } from './global-args.ts';
import { type FoundContext, findContext } from './named-contexts.ts';
import type { Base, NamedContext, PlanInputs } from './plan.ts';
import { checkReference } from './references.ts';

export interface FromContext {
  readonly scope: Scope;
  readonly globals: GlobalArgs;
  readonly inputs: PlanInputs;
  /** Names that some stage of the file declares by ARG: a common mistake to name. */
  readonly stageArgs: ReadonlySet<string>;
  /** `doubtful`: there may be stages above that are not in `earlier`. */
  readonly structure: 'certain' | 'doubtful';
  /** The stages above this one. */
  readonly earlier: readonly { readonly index: number; readonly name: string | null; readonly platform: Platform }[];
}

export interface From {
  readonly base: Base;
  /** The base as written, expanded; null where --build-context replaces the whole stage. */
  readonly baseName: string | null;
  readonly platform: Platform;
  /** What was written and has no effect. */
  readonly warning: string | null;
}

/** In lower case. The parser has checked its form. */
export function stageName(from: Instruction): string | null {
  return splitFields(from.args)[2]?.toLowerCase() ?? null;
}

/** Throws DOCKERFILE_SEMANTICS, PLATFORM_INVALID. */
export function resolveFrom(from: Instruction, context: FromContext): From {
  const { contexts, platform } = context.inputs;
  const asked = platformFlag(from, context);
  const name = stageName(from);
  const replaced = name === null ? null : findContext(name, asked ?? platform, contexts);
  if (replaced !== null) return { baseName: null, ...onContext(replaced, asked ?? platform) };
  const [written = ''] = splitFields(from.args);
  const baseName = expandGlobal(written, 'base name', context);
  return { baseName, ...resolveBase(baseName, asked, context) };
}

function onContext({ key, context }: FoundContext, platform: Platform): Omit<From, 'baseName'> {
  return { base: baseOf(key, context, platform), platform, warning: null };
}

function baseOf(key: string, context: NamedContext, platform: Platform): Base {
  switch (context.kind) {
    case 'folder':
      return { kind: 'folder', name: key };
    case 'image':
      return { kind: 'image', ref: context.ref, platform };
    case 'scratch':
      return { kind: 'scratch' };
  }
}

function resolveBase(base: string, asked: Platform | null, context: FromContext): Omit<From, 'baseName'> {
  const parent = context.earlier.findLast((stage) => stage.name !== null && stage.name === base.toLowerCase());
  if (parent !== undefined) {
    const warning = asked !== null && formatPlatform(asked) !== formatPlatform(parent.platform);
    return {
      base: { kind: 'stage', index: parent.index },
      platform: parent.platform,
      warning: warning ? `--platform has no effect: the stage "${base}" is built for ${formatPlatform(parent.platform)}` : null,
    };
  }
  if (base === 'scratch') {
    const { platform } = context.inputs;
    const warning = asked !== null && formatPlatform(asked) !== formatPlatform(platform);
    return {
      base: { kind: 'scratch' },
      platform,
      warning: warning ? `--platform has no effect on scratch: the target is ${formatPlatform(platform)}` : null,
    };
  }
  const platform = asked ?? context.inputs.platform;
  const named = findContext(base, platform, context.inputs.contexts);
  if (named !== null) return onContext(named, platform);
  // A name that a stage can have may be that of a stage whose FROM could not be read.
  if (context.structure === 'certain' || !/^[a-z][a-z0-9\-_.]*$/i.test(base)) checkReference(base);
  return { base: { kind: 'image', ref: base, platform }, platform, warning: null };
}

function platformFlag(from: Instruction, context: FromContext): Platform | null {
  const flag = from.flags.find(({ name }) => name === 'platform');
  if (flag === undefined || flag.value === null) return null;
  return parsePlatform(expandGlobal(flag.value, '--platform', context), context.inputs.buildPlatform);
}

/** Throws when nothing is left, and says which ARG is to blame. */
function expandGlobal(written: string, what: string, { scope, globals, stageArgs }: FromContext): string {
  const result = expandWord(written, scope);
  if (result !== '') return result;
  const names = [...written.matchAll(/\$\{?([A-Za-z_]\w*)/g)].map((match) => match[1] ?? '');
  const missing = names.find((name) => (globals.values.get(name) ?? '') === '');
  if (missing === undefined) throw semanticError(`the ${what} ${written} is empty`);
  const close = nearest(missing, globals.values.keys());
  const remedy = `declare "ARG ${missing}=..." before the first FROM, or give --build-arg ${missing}=...`;
  const hint = globals.declared.has(missing)
    ? `give --build-arg ${missing}=..., or a default: ARG ${missing}=...`
    : stageArgs.has(missing)
      ? `an ARG within a stage is not known to FROM: ${remedy}`
      : close !== undefined && close !== missing
        ? `did you mean "${close}"?`
        : remedy;
  throw semanticError(`the ${what} ${written} is empty: ARG ${missing} has no value`, hint);
}
