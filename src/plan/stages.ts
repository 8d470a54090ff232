/**
 * The file as stages: where each begins, what it is built on, which is the target. Nothing in a stage is lowered here,
 * and no config of a base is needed. Reference: BuildKit dockerfile2llb, buildDispatchStates and resolveTarget.
 */
import type { Instruction, ParsedDockerfile, Scope } from '../dockerfile/instruction.ts';
import { splitPairs } from '../dockerfile/pairs.ts';
import type { SourceRange } from '../errors.ts';
import { TsbuildError } from '../errors.ts';
import type { Platform } from '../image/platform.ts';
import { type Faults, semanticError } from './faults.ts';
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
  readonly platform: Platform;
  /** Without FROM and without the base's triggers. */
  readonly instructions: readonly Instruction[];
}

export interface Outline {
  readonly escape: Scope['escape'];
  /** The target's: also of images in `--from`. */
  readonly platform: Platform;
  readonly globals: GlobalArgs;
  readonly stages: readonly StageOutline[];
  /** Null: there is no such stage. */
  readonly target: number | null;
  readonly warnings: readonly TsbuildError[];
}

/** Faults of FROM lines, of global ARGs and of the target go to `faults`. */
export function outlineOf(parsed: ParsedDockerfile, inputs: PlanInputs, faults: Faults): Outline {
  const escapeChar = parsed.directives.escape;
  const { globalArgs: before, groups } = splitStages(parsed.instructions);
  const names = groups.map(({ from }) => stageName(from));
  const globals = globalArgs(before, escapeChar, { inputs, lastStage: names.at(-1) ?? null, faults });
  const scope: Scope = { escape: escapeChar, lookup: (name) => globals.values.get(name) };
  const stageArgs = argNames(
    groups.flatMap((group) => group.instructions),
    escapeChar,
  );

  const stages: StageOutline[] = [];
  const warnings: TsbuildError[] = [];
  for (const [index, { from, instructions }] of groups.entries()) {
    const resolved: From | null = faults.collect(from.at, () =>
      resolveFrom(from, { scope, globals, inputs, stageArgs, earlier: [...stages] }),
    );
    const name = names[index] ?? null;
    if (resolved !== null && resolved.warning !== null) warnings.push(errorAt(from.at, resolved.warning));
    stages.push({ index, name, at: from.at, base: resolved?.base ?? null, platform: resolved?.platform ?? inputs.platform, instructions });
  }
  const target = findTarget(stages, inputs.target, faults);
  return { escape: escapeChar, platform: inputs.platform, globals, stages, target, warnings };
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
  readonly from: Instruction;
  readonly instructions: Instruction[];
}

/** What stands before the first FROM are ARGs: the parser has seen to it. */
function splitStages(instructions: readonly Instruction[]): {
  readonly globalArgs: readonly Instruction[];
  readonly groups: readonly Group[];
} {
  const first: Instruction[] = [];
  const groups: Group[] = [];
  for (const instruction of instructions) {
    if (instruction.keyword === 'FROM') groups.push({ from: instruction, instructions: [] });
    else (groups.at(-1)?.instructions ?? first).push(instruction);
  }
  return { globalArgs: first, groups };
}

function findTarget(stages: readonly StageOutline[], target: string | null, faults: Faults): number | null {
  if (target === null) return stages.length - 1;
  const named = stages.findLast(({ name }) => name === target.toLowerCase());
  if (named !== undefined) return named.index;
  const numbered = /^\d+$/.test(target) ? stages[Number(target)] : undefined;
  // As in Docker, a stage that has a name is asked for by it; a number is the only way to one that has none.
  if (numbered?.name === null) return numbered.index;
  const known = stages.map(({ index, name }) => name ?? String(index));
  const hint = numbered === undefined ? suggest(target, known, 'the stages are') : `stage ${numbered.index} is named "${numbered.name}"`;
  faults.add(semanticError(`there is no stage "${target}" to build`, hint));
  return null;
}

function errorAt(at: SourceRange, message: string, hint?: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_SEMANTICS', message, { at, hint });
}
