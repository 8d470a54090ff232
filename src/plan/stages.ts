/**
 * The file as stages: where each begins, what it is built on, which is the target. Nothing in a stage is lowered here,
 * and no config of a base is needed. Reference: BuildKit dockerfile2llb, buildDispatchStates and resolveTarget.
 */
import type { BrokenInstruction, Instruction, ParsedDockerfile, Scope } from '../dockerfile/instruction.ts';
import { splitPairs } from '../dockerfile/pairs.ts';
import type { SourceRange } from '../errors.ts';
import { TsbuildError } from '../errors.ts';
import type { Platform } from '../image/platform.ts';
import { createFaults, type Faults, semanticError } from './faults.ts';
import { type From, resolveFrom, stageName } from './from.ts';
import { type GlobalArgs, globalArgs } from './global-args.ts';
import type { Base, PlanInputs } from './plan.ts';
import { suggest } from './suggest.ts';

export interface StageOutline {
  readonly index: number;
  /** Lower case. */
  readonly name: string | null;
  readonly at: SourceRange;
  /** Null: the FROM line is at fault. */
  readonly base: Base | null;
  /** As written, expanded; null where `base` does not come from it. */
  readonly baseName: string | null;
  /** `replaced`: --build-context has this stage's name, so the stage is its base and nothing else. */
  readonly content: 'built' | 'replaced';
  readonly platform: Platform;
  /** Without FROM, without the base's triggers, without broken ones; none of a replaced stage. */
  readonly instructions: readonly Instruction[];
  /** From which of `instructions` on (perhaps past the last) a broken one may have declared variables; null: none. */
  readonly doubtfulFrom: number | null;
}

export interface Outline {
  readonly escape: Scope['escape'];
  /** The target's: also of images in `--from`. */
  readonly platform: Platform;
  readonly globals: GlobalArgs;
  /** Names that some stage declares by ARG, replaced stages too. */
  readonly stageArgs: ReadonlySet<string>;
  readonly contexts: PlanInputs['contexts'];
  readonly stages: readonly StageOutline[];
  /** `doubtful`: a broken instruction may have begun a stage, so that names and numbers of stages may mean others. */
  readonly structure: 'certain' | 'doubtful';
  /** Null: there is no such stage, or nobody knows which one it is. */
  readonly target: number | null;
  readonly warnings: readonly TsbuildError[];
}

/** Faults of FROM lines, of global ARGs and of the target go to `faults`. */
export function outlineOf(parsed: ParsedDockerfile, inputs: PlanInputs, faults: Faults): Outline {
  const escapeChar = parsed.directives.escape;
  const { globalArgs: before, groups, globalScope, structure } = splitStages(parsed);
  const names = groups.map(({ from }) => (from === null ? null : stageName(from)));
  const globals = globalArgs(before, escapeChar, { inputs, lastStage: names.at(-1) ?? null, faults });
  const scope: Scope = { escape: escapeChar, lookup: (name) => globals.values.get(name) };
  const stageArgs = argNames(
    groups.flatMap((group) => group.instructions),
    escapeChar,
  );

  const stages: StageOutline[] = [];
  const warnings: TsbuildError[] = [];
  for (const [index, { from, at, instructions, doubtfulFrom }] of groups.entries()) {
    const believed = from !== null && globalScope === 'doubtful' && from.text.includes('$') ? createFaults() : faults;
    const resolved: From | null =
      from === null
        ? null
        : believed.collect(at, () => resolveFrom(from, { scope, globals, inputs, stageArgs, earlier: stages, structure }));
    const name = names[index] ?? null;
    if (resolved !== null && resolved.warning !== null) warnings.push(errorAt(at, resolved.warning));
    const content = resolved !== null && resolved.baseName === null ? 'replaced' : 'built';
    stages.push({
      index,
      name,
      at,
      base: resolved?.base ?? null,
      baseName: resolved?.baseName ?? null,
      content,
      platform: resolved?.platform ?? inputs.platform,
      instructions: content === 'replaced' ? [] : instructions,
      doubtfulFrom: globalScope === 'doubtful' ? 0 : doubtfulFrom,
    });
  }
  const target = structure === 'certain' ? findTarget(stages, inputs.target, faults) : certainTarget(stages, inputs.target, parsed);
  const { platform, contexts } = inputs;
  return { escape: escapeChar, platform, globals, stageArgs, contexts, stages, structure, target, warnings };
}

/** Names declared by ARG, also for the images built on this one. */
export function argNames(instructions: readonly Instruction[], escapeChar: Scope['escape']): ReadonlySet<string> {
  const names = new Set<string>();
  for (const instruction of instructions) {
    const arg = instruction.keyword === 'ONBUILD' ? instruction.trigger : instruction;
    if (arg?.keyword !== 'ARG') continue;
    for (const { name } of splitPairs('ARG', arg.args, escapeChar)) names.add(name);
  }
  return names;
}

interface Group {
  /** Null: broken. */
  readonly from: Instruction | null;
  readonly at: SourceRange;
  readonly instructions: Instruction[];
  doubtfulFrom: number | null;
}

interface Split extends Pick<Outline, 'structure'> {
  readonly globalArgs: readonly Instruction[];
  readonly groups: readonly Group[];
  /** `doubtful`: what is broken before the first FROM may have declared an ARG. */
  readonly globalScope: 'certain' | 'doubtful';
}

function splitStages({ instructions, broken }: ParsedDockerfile): Split {
  const globalArgs: Instruction[] = [];
  const groups: Group[] = [];
  let globalScope: Split['globalScope'] = 'certain';
  let structure: Outline['structure'] = 'certain';
  for (const entry of inOrder(instructions, broken)) {
    const group = groups.at(-1);
    if ('position' in entry) {
      if (entry.beginsStage !== 'no') structure = 'doubtful';
      if (entry.beginsStage === 'yes') groups.push({ from: null, at: entry.at, instructions: [], doubtfulFrom: 0 });
      else if (!mayDeclare(entry)) continue;
      else if (group === undefined) globalScope = 'doubtful';
      else group.doubtfulFrom ??= group.instructions.length;
    } else if (entry.keyword === 'FROM') groups.push({ from: entry, at: entry.at, instructions: [], doubtfulFrom: null });
    else if (group !== undefined) group.instructions.push(entry);
    else if (entry.keyword === 'ARG') globalArgs.push(entry);
    // The parser has reported it: a FROM is missing above it, or it is at the wrong place.
    else structure = 'doubtful';
  }
  return { globalArgs, groups, globalScope, structure };
}

function inOrder(instructions: readonly Instruction[], broken: readonly BrokenInstruction[]): readonly (Instruction | BrokenInstruction)[] {
  const entries: (Instruction | BrokenInstruction)[] = [];
  let taken = 0;
  for (const one of broken) {
    entries.push(...instructions.slice(taken, one.position), one);
    taken = one.position;
  }
  return [...entries, ...instructions.slice(taken)];
}

/** A broken ONBUILD declares for the stages built on this one, and those begin where this one ends. */
function mayDeclare({ keyword }: BrokenInstruction): boolean {
  return keyword === null || keyword === 'ARG' || keyword === 'ENV' || keyword === 'ONBUILD';
}

/** The last stage, if none is asked for and no doubt comes after its FROM. */
function certainTarget(stages: readonly StageOutline[], target: string | null, { broken }: ParsedDockerfile): number | null {
  const last = stages.at(-1);
  if (last === undefined || target !== null) return null;
  const doubtful = broken.some(({ beginsStage, at }) => beginsStage !== 'no' && at.startLine >= last.at.startLine);
  return doubtful ? null : last.index;
}

function findTarget(stages: readonly StageOutline[], target: string | null, faults: Faults): number | null {
  if (stages.length === 0) return null;
  if (target === null) return stages.length - 1;
  const named = stages.findLast(({ name }) => name === target.toLowerCase());
  if (named !== undefined) return named.index;
  const numbered = /^\d+$/.test(target) ? stages[Number(target)] : undefined;
  // As in Docker, a stage that has a name is asked for by it; a number is the only way to one that has none.
  if (numbered?.name === null) return numbered.index;
  const known = stages.map(({ index, name }) => name ?? String(index));
  const hint =
    numbered === undefined
      ? suggest(target, known, 'the stages are')
      : `stage ${numbered.index} is named "${numbered.name}": ask for it by that name`;
  faults.add(semanticError(`there is no stage "${target}" to build`, hint));
  return null;
}

function errorAt(at: SourceRange, message: string, hint?: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_SEMANTICS', message, { at, hint });
}
