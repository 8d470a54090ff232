/**
 * From a parsed Dockerfile to a BuildPlan, in pure steps: outline, reach, then the lowering of each stage that the
 * target needs. Reference: BuildKit frontend/dockerfile/dockerfile2llb.
 */
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import { createFaults, presentable } from './faults.ts';
import { lowerStages } from './lower-stages.ts';
import { survey } from './outline.ts';
import { type BaseConfigs, type BuildPlan, baseKey, type PlanInputs, type Stage } from './plan.ts';
import { unusedArgs } from './unused-args.ts';
import { unusedContexts } from './unused-contexts.ts';

/**
 * `known` must hold the configs that `missingBases` asks for.
 * Throws TsbuildErrors (DOCKERFILE_SEMANTICS, NOT_SUPPORTED, PLATFORM_INVALID) with every fault of the file.
 */
export function planBuild(parsed: ParsedDockerfile, inputs: PlanInputs, known: BaseConfigs): BuildPlan {
  const faults = createFaults();
  const { outline, reached } = survey(parsed, inputs, { known, faults });
  const { stages, warnings } = lowerStages({ outline, reached, inputs, known, faults, ignores: null });
  faults.throwIfAny();
  if (reached.missing.length > 0) throw new Error(`missingBases has to be empty first: ${reached.missing.map(baseKey).join(', ')}`);
  const target = stages.find(({ index }) => index === outline.target);
  if (target === undefined) throw new Error('a plan without its target');
  return {
    stages: stages.map((stage) => (stage === target ? withLabels(stage, inputs.labels) : stage)),
    target: target.index,
    platform: inputs.platform,
    warnings: [
      ...outline.warnings,
      ...warnings,
      ...unusedArgs(outline, reached.triggers.values(), inputs.buildArgs),
      ...unusedContexts(outline, reached.triggers.values(), inputs.contexts),
    ].map(presentable),
  };
}

function withLabels(stage: Stage, labels: ReadonlyMap<string, string>): Stage {
  if (labels.size === 0) return stage;
  return { ...stage, config: { ...stage.config, Labels: { ...stage.config.Labels, ...Object.fromEntries(labels) } } };
}
