/** The images that a Dockerfile names, for whoever fetches them ahead of builds. Nothing is lowered: what no image depends on may be at fault. */
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import { createFaults } from './faults.ts';
import { resolveOrigin } from './origins.ts';
import { type BaseConfigs, type BaseRequest, baseKey, type PlanInputs } from './plan.ts';
import { type Reach, reach, references } from './reach.ts';
import { type Outline, outlineOf } from './stages.ts';

/**
 * Images of FROM, COPY --from and RUN --mount from, each once: of the stages that `inputs.target` needs, of all stages when that is
 * null. Those that the ONBUILD triggers of a base name are among them once its config is in `known`. Throws TsbuildErrors.
 */
export function namedImages(parsed: ParsedDockerfile, inputs: PlanInputs, known: BaseConfigs): readonly BaseRequest[] {
  const faults = createFaults();
  for (const error of parsed.errors) faults.add(error);
  const outline = outlineOf(parsed, inputs, faults);
  const all = outline.stages.map(({ index }) => index);
  const reached = inputs.target === null ? reach(outline, known, faults, all) : reach(outline, known, faults);
  faults.throwIfAny();
  const found = new Map<string, BaseRequest>();
  for (const image of reached.stages.flatMap((index) => imagesOfStage(outline, index, reached))) {
    if (!found.has(baseKey(image))) found.set(baseKey(image), image);
  }
  return [...found.values()];
}

function imagesOfStage(outline: Outline, index: number, { triggers }: Reach): readonly BaseRequest[] {
  const stage = outline.stages[index];
  if (stage === undefined) throw new Error(`there is no stage ${index}`);
  const { base, at } = stage;
  const origins = [...(triggers.get(index) ?? []).map(({ instruction }) => instruction), ...stage.instructions].flatMap((instruction) =>
    references(instruction).map(({ from, option }) => ({
      origin: resolveOrigin(from, option, { ...outline, index }),
      at: instruction.at,
    })),
  );
  return [{ origin: base, at }, ...origins].flatMap(({ origin, at: place }) =>
    origin?.kind === 'image' ? [{ ref: origin.ref, platform: origin.platform, at: place }] : [],
  );
}
