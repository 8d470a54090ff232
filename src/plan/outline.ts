/**
 * What can be said of a build before any base is fetched: its stages, which of them the target needs, and which bases'
 * configs are missing to plan them. Nothing is lowered here.
 */
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import type { TsbuildError } from '../errors.ts';
import { formatPlatform } from '../image/platform.ts';
import { checkOptions } from './checks/check-options.ts';
import { createFaults, type Faults, notSupported } from './faults.ts';
import { lowerStages } from './lower-stages.ts';
import type { BaseConfigs, BaseRequest, PlanInputs } from './plan.ts';
import { type Reach, reach } from './reach.ts';
import { type Outline, outlineOf } from './stages.ts';
import { checkStages } from './static-checks.ts';

/**
 * The base images whose configs are still unknown. To be called until it returns none: the ONBUILD triggers of a base
 * may need further stages. Throws TsbuildErrors with the faults that are known without them, before anything is fetched.
 */
export function missingBases(parsed: ParsedDockerfile, inputs: PlanInputs, known: BaseConfigs): readonly BaseRequest[] {
  const faults = createFaults();
  const { outline, reached } = survey(parsed, inputs, { known, faults });
  // The build ends here if there is a fault: then the rest of the file is looked at, too, as far as that goes without bases.
  if (faults.any()) lowerStages({ outline, reached, inputs, known, faults, ignores: null });
  faults.throwIfAny();
  return reached.missing;
}

/**
 * Every fault of a file that the parser refuses, in the order of lines: the parser's own, and the planner's about what
 * could be read, as far as they are known without bases and no broken instruction can have caused them.
 */
export function knownFaults(parsed: ParsedDockerfile, inputs: PlanInputs): readonly TsbuildError[] {
  const faults = createFaults();
  for (const error of parsed.errors) faults.add(error);
  const known: BaseConfigs = new Map();
  const { outline, reached } = survey(parsed, inputs, { known, faults });
  lowerStages({ outline, reached, inputs, known, faults, ignores: null });
  return faults.all();
}

/** Everything that planning and fetching share. Faults go to `faults`. */
export function survey(
  parsed: ParsedDockerfile,
  inputs: PlanInputs,
  { known, faults }: { readonly known: BaseConfigs; readonly faults: Faults },
): { readonly outline: Outline; readonly reached: Reach } {
  faults.collect(undefined, () => checkOptions(parsed, inputs));
  const outline = outlineOf(parsed, inputs, faults);
  checkStages(outline, faults);
  const reached = reach(outline, known, faults);
  for (const index of reached.stages) {
    const stage = outline.stages[index];
    if (stage === undefined || stage.platform.os === 'linux') continue;
    faults.add(notSupported(`building for ${formatPlatform(stage.platform)} is not supported`, 'only linux images can be built'), stage.at);
  }
  return { outline, reached };
}
