/**
 * The stages that the target needs, each from its base's config down to its last instruction. A stage whose base is not
 * known (still to be fetched, or its FROM at fault) is gone through all the same, so that one run reports as many faults
 * as possible: but only instructions without variables are believed then, as behind an ENV or ARG at fault.
 */
import type { Instruction } from '../dockerfile/instruction.ts';
import { splitPairs } from '../dockerfile/pairs.ts';
import { TsbuildError } from '../errors.ts';
import type { Remark } from './checks/rules.ts';
import { type Inherited, stageRules } from './checks/stage-rules.ts';
import { unsetRemarks } from './checks/unset-variables.ts';
import { createFaults, type Faults } from './faults.ts';
import { lowerInstruction } from './instructions/lower.ts';
import type { Lowering } from './instructions/lowering.ts';
import { meantStage, resolveOrigin } from './origins.ts';
import { type BaseConfigs, baseKey, type PlanInputs, type Stage, type Step } from './plan.ts';
import { labelled, type Reach, references, type Trigger } from './reach.ts';
import { replacedState, type StageState, scopeOf, scratchState, stateOfImage, stateOfStage } from './stage-state.ts';
import type { Outline, StageOutline } from './stages.ts';

export interface StagesToLower {
  readonly outline: Outline;
  readonly reached: Reach;
  readonly inputs: PlanInputs;
  readonly known: BaseConfigs;
  readonly faults: Faults;
  /** For the checks; null: the context's ignore file is not known. */
  readonly ignores: ((path: string) => boolean) | null;
}

export interface LoweredStages {
  /** Ascending; without those whose base is not known. */
  readonly stages: readonly Stage[];
  readonly warnings: readonly TsbuildError[];
  readonly remarks: readonly Remark[];
}

export function lowerStages(request: StagesToLower): LoweredStages {
  const { outline, reached, known } = request;
  const starts = new Map<number, Start>();
  const stages: Stage[] = [];
  const warnings: TsbuildError[] = [];
  const remarks: Remark[] = [];
  for (const index of reached.stages) {
    const stage = outline.stages[index];
    if (stage === undefined) continue;
    const start = startOf(stage, known, starts);
    const { steps, needs, doubtful, rules } = lowerSteps(stage, start, { request, warnings, remarks });
    starts.set(index, { ...start, doubtful, rules });
    const { name, at, base, platform } = stage;
    const { config, author } = start.state;
    if (base !== null && start.base === 'known') stages.push({ index, name, at, base, platform, needs, steps, config, author });
  }
  return { stages, warnings, remarks };
}

interface Start {
  readonly state: StageState;
  readonly base: 'known' | 'unknown';
  /** Variables that may have other values than they seem to have. */
  readonly doubtful: Doubtful;
  readonly rules: Inherited;
}

type Doubtful = 'all' | ReadonlySet<string>;

const NO_NAMES: Doubtful = new Set();
const NOTHING_YET: Inherited = { workdir: 'unset' };

function startOf({ base, content }: StageOutline, known: BaseConfigs, starts: ReadonlyMap<number, Start>): Start {
  if (base?.kind === 'scratch' || base?.kind === 'folder') {
    return { state: content === 'built' ? scratchState() : replacedState({}, null), base: 'known', doubtful: NO_NAMES, rules: NOTHING_YET };
  }
  if (base?.kind === 'stage') {
    const parent = starts.get(base.index);
    if (parent === undefined) throw new Error(`stage ${base.index} is reached after its child`);
    return { ...parent, state: stateOfStage(parent.state) };
  }
  const image = base === null ? undefined : known.get(baseKey(base));
  if (image === undefined) return { state: unknownState(), base: 'unknown', doubtful: 'all', rules: NOTHING_YET };
  const state = content === 'built' ? stateOfImage(image) : replacedState(image.config ?? {}, image.author ?? null);
  return { state, base: 'known', doubtful: NO_NAMES, rules: NOTHING_YET };
}

/** Its WORKDIR is deep, so that no relative path seems to end at the root. */
function unknownState(): StageState {
  const state = scratchState();
  state.config.WorkingDir = `/${'unknown/'.repeat(16)}`;
  return state;
}

interface StepContext {
  readonly request: StagesToLower;
  readonly warnings: TsbuildError[];
  readonly remarks: Remark[];
}

type LoweredSteps = Pick<Stage, 'steps' | 'needs'> & Pick<Start, 'doubtful' | 'rules'>;

function lowerSteps(stage: StageOutline, start: Start, { request, warnings, remarks }: StepContext): LoweredSteps {
  const { state } = start;
  let { doubtful } = start;
  const { outline, reached, inputs, faults } = request;
  const needs = new Set<number>(stage.base?.kind === 'stage' ? [stage.base.index] : []);
  const steps: Step[] = [];
  const rules = stageRules(start.rules);
  const lower = (instruction: Instruction, trigger: Trigger | null): void => {
    const unset = new Set<string>();
    const warned = warnings.length;
    const lowering: Lowering = {
      state,
      scope: {
        ...scopeOf(state, outline.escape),
        unset(name) {
          // One that ARG declares without a value is empty on purpose.
          if (!state.args.has(name)) unset.add(name);
        },
      },
      globals: outline.globals,
      buildArgs: inputs.buildArgs,
      place: { at: instruction.at, title: instruction.text.trim(), onBuild: trigger !== null },
      origin(from, option) {
        const context = { ...outline, index: stage.index };
        const origin = resolveOrigin(from, option, context);
        if (origin.kind === 'stage') needs.add(origin.index);
        else {
          const meant = meantStage(from, context);
          if (meant !== undefined)
            lowering.warn(`${option}=${from} is no stage, so it is pulled as an image: did you mean the stage ${meant}?`);
        }
        return origin;
      },
      warn(message, hint) {
        warnings.push(new TsbuildError('DOCKERFILE_SEMANTICS', message, { hint, at: instruction.at }));
      },
    };
    const unsure = usesAny(doubtful, instruction) || (outline.structure === 'doubtful' && references(instruction).length > 0);
    const believed = unsure ? createFaults() : faults;
    // What a base's trigger does is not this file's to mend, and what is unsure is not said.
    const found = trigger?.label == null && !unsure ? remarks : [];
    const shell = (state.config.Shell ?? []).length > 0 ? 'chosen' : start.base === 'known' ? 'default' : 'unknown';
    const look = { scope: scopeOf(state, outline.escape), shell, ignores: request.ignores } as const;
    found.push(...(createFaults().collect(instruction.at, () => rules.look(instruction, look)) ?? []));
    const step = believed.collect(instruction.at, () => labelled(trigger?.label ?? null, () => lowerInstruction(lowering, instruction)));
    found.push(
      ...unsetRemarks(instruction, unset, {
        known: state.values.keys(),
        globals: outline.globals.declared,
        warnings: warnings.slice(warned),
      }),
    );
    if (step !== null) steps.push(step);
    else if (doubtful !== 'all') doubtful = new Set([...doubtful, ...declaredNames(instruction, outline.escape)]);
  };
  for (const trigger of reached.triggers.get(stage.index) ?? []) lower(trigger.instruction, trigger);
  for (const [position, instruction] of stage.instructions.entries()) {
    if (position === stage.doubtfulFrom) doubtful = 'all';
    lower(instruction, null);
  }
  if (stage.doubtfulFrom !== null) doubtful = 'all';
  return { steps, needs: [...needs].sort((a, b) => a - b), doubtful, rules: rules.inherited() };
}

function usesAny(names: Doubtful, { text, heredocs }: Instruction): boolean {
  if (names !== 'all' && names.size === 0) return false;
  const written = [text, ...heredocs.map(({ body }) => body)].join('\n');
  if (names === 'all') return written.includes('$');
  return [...written.matchAll(/\$\{?(\w+)/g)].some(([, name = '']) => names.has(name));
}

function declaredNames({ keyword, args }: Instruction, escapeChar: Outline['escape']): readonly string[] {
  return keyword === 'ENV' || keyword === 'ARG' ? splitPairs(keyword, args, escapeChar).map(({ name }) => name) : [];
}
