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
import { type Reach, reach, type Trigger } from './reach.ts';
import { type Outline, outlineOf, type StageOutline } from './stages.ts';
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
  for (const index of reached.stages) checkSystem(outline.stages[index], reached.triggers.get(index) ?? [], faults);
  return { outline, reached };
}

/** Files can be laid out for any system that has paths like Linux's; commands run on Linux only. */
function checkSystem(stage: StageOutline | undefined, triggers: readonly Trigger[], faults: Faults): void {
  if (stage === undefined || stage.platform.os === 'linux') return;
  const platform = formatPlatform(stage.platform);
  if (stage.platform.os === 'windows') {
    faults.add(notSupported(`building for ${platform} is not supported`, 'Windows has paths and layers of its own'), stage.at);
    return;
  }
  const run = [...triggers.map(({ instruction }) => instruction), ...stage.instructions].find(({ keyword }) => keyword === 'RUN');
  if (run === undefined) return;
  faults.add(
    notSupported(`RUN cannot be executed for ${platform}`, 'only commands for linux run here: build the files in a linux stage'),
    run.at,
  );
}
