/**
 * From a parsed Dockerfile to a BuildPlan, in pure steps: outline, reach, then the lowering of each stage that the
 * target needs. Reference: BuildKit frontend/dockerfile/dockerfile2llb.
 */
import type { Instruction, ParsedDockerfile } from '../dockerfile/instruction.ts';
import { TsbuildError } from '../errors.ts';
import { createFaults, type Faults } from './faults.ts';
import { lowerInstruction } from './instructions/lower.ts';
import type { Lowering } from './instructions/lowering.ts';
import { resolveOrigin } from './origins.ts';
import { survey } from './outline.ts';
import { type BaseConfigs, type BuildPlan, baseKey, type PlanInputs, type Stage, type Step } from './plan.ts';
import { type StageState, scopeOf, scratchState, stateOfImage, stateOfStage } from './stage-state.ts';
import type { Outline, StageOutline } from './stages.ts';
import { unusedArgs } from './unused-args.ts';

/** Throws TsbuildErrors (DOCKERFILE_SEMANTICS, NOT_SUPPORTED, PLATFORM_INVALID) with every fault of the file. */
export function planBuild(parsed: ParsedDockerfile, inputs: PlanInputs, known: BaseConfigs): BuildPlan {
  const faults = createFaults();
  const { outline, reached } = survey(parsed, inputs, { known, faults });
  if (reached.missing.length > 0) {
    faults.throwIfAny();
    throw new Error(`configs are missing for ${reached.missing.map(baseKey).join(', ')}: missingBases has to be empty first`);
  }
  const warnings = [...outline.warnings];
  const states = new Map<number, StageState>();
  const stages: Stage[] = [];
  for (const index of reached.stages) {
    const stage = outline.stages[index];
    const state = stage === undefined ? null : startState(stage, { known, states });
    if (stage === undefined || state === null) continue;
    states.set(index, state);
    const triggers = reached.triggers.get(index) ?? [];
    stages.push(lowerStage(stage, state, { outline, triggers, inputs, faults, warnings }));
  }
  faults.throwIfAny();
  if (outline.target === null || !stages.some(({ index }) => index === outline.target)) throw new Error('a plan without its target');
  warnings.push(...unusedArgs(outline, reached.triggers.values(), inputs.buildArgs));
  return {
    stages: stages.map((stage) => (stage.index === outline.target ? withLabels(stage, inputs.labels) : stage)),
    target: outline.target,
    platform: inputs.platform,
    warnings,
  };
}

/** Null when the base is at fault: whatever its child says would be judged by wrong variables. */
function startState(
  { base }: StageOutline,
  { known, states }: { readonly known: BaseConfigs; readonly states: ReadonlyMap<number, StageState> },
): StageState | null {
  if (base === null) return null;
  if (base.kind === 'scratch') return scratchState();
  if (base.kind === 'stage') {
    const parent = states.get(base.index);
    return parent === undefined ? null : stateOfStage(parent);
  }
  const image = known.get(baseKey(base));
  return image === undefined ? null : stateOfImage(image);
}

interface StageContext {
  readonly outline: Outline;
  readonly triggers: readonly Instruction[];
  readonly inputs: PlanInputs;
  readonly faults: Faults;
  readonly warnings: TsbuildError[];
}

function lowerStage(stage: StageOutline, state: StageState, context: StageContext): Stage {
  const { outline, inputs, faults, warnings } = context;
  const { index, name, at, base, platform } = stage;
  if (base === null) throw new Error('a stage without a base is not lowered');
  const needs = new Set<number>(base.kind === 'stage' ? [base.index] : []);
  const steps: Step[] = [];
  const lower = (instruction: Instruction, onBuild: boolean): void => {
    const lowering: Lowering = {
      state,
      scope: scopeOf(state, outline.escape),
      globals: outline.globals,
      buildArgs: inputs.buildArgs,
      place: { at: instruction.at, title: oneLine(instruction.text), onBuild },
      origin(from, option) {
        const origin = resolveOrigin(from, option, { stages: outline.stages, index, platform: outline.platform });
        if (origin.kind === 'stage') needs.add(origin.index);
        return origin;
      },
      warn(message, hint) {
        warnings.push(new TsbuildError('DOCKERFILE_SEMANTICS', message, { hint, at: instruction.at }));
      },
    };
    const step = faults.collect(instruction.at, () => lowerInstruction(lowering, instruction));
    if (step !== null) steps.push(step);
  };
  for (const trigger of context.triggers) lower(trigger, true);
  for (const instruction of stage.instructions) lower(instruction, false);
  return { index, name, at, base, platform, needs: [...needs].sort((a, b) => a - b), steps, config: state.config, author: state.author };
}

function withLabels(stage: Stage, labels: ReadonlyMap<string, string>): Stage {
  if (labels.size === 0) return stage;
  return { ...stage, config: { ...stage.config, Labels: { ...stage.config.Labels, ...Object.fromEntries(labels) } } };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
