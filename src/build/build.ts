/**
 * The straight line: parse, plan, run, seal, publish. Each arrow goes one way; state moves as values. What the outside
 * world is, only the ports know.
 */
import { cleanup } from '../async/cleanup.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import { readDockerfile } from '../dockerfile/parse.ts';
import { locate, type SourceRange, type TsbuildError, TsbuildErrors } from '../errors.ts';
import type { Image, Images } from '../image/image.ts';
import { checkDockerfile, checksFailed } from '../plan/checks/check.ts';
import { type CheckOptions, checkOptions } from '../plan/checks/check-options.ts';
import type { Finding } from '../plan/checks/rules.ts';
import { knownFaults, missingBases } from '../plan/outline.ts';
import { type BaseConfigs, type BuildPlan, baseKey, type PlanInputs } from '../plan/plan.ts';
import { planBuild } from '../plan/plan-build.ts';
import { openContexts } from './contexts.ts';
import type { BuildEvent } from './events.ts';
import { finishImage } from './finish-image.ts';
import { type Goals, goalsOf, onceEach } from './goals.ts';
import { allOrStop, type Halt, haltWithin } from './halt.ts';
import { missingSources } from './missing-sources.ts';
import type { BuildRequest, BuildResult, Ports } from './ports.ts';
import { type FinishedStage, type PlanRun, runPlans } from './run-plans.ts';
import { warningsOf } from './warnings.ts';

/** For caches to take what the steps before a failure made. */
const KEEPING_AFTER_FAILURE_MS = 20_000;

/**
 * Builds and publishes one image, or one for each platform as an index. Rejects with the first failure, after every child
 * process has ended and every scratch folder is gone; an abort of `signal` rejects with its reason.
 */
export async function build(request: BuildRequest, ports: Ports, signal: AbortSignal): Promise<BuildResult> {
  const halt = haltWithin(signal);
  const undo = cleanup();
  const keeping = haltWithin(signal);
  const forLater: Promise<void>[] = [];
  let result: BuildResult;
  try {
    result = await planAndPublish(request, ports, { halt, undo, keeping: keeping.signal, later: (work) => void forLater.push(work) });
    await keepForLater(forLater, ports, signal);
  } catch (error) {
    halt.stop(error);
    // The steps that worked need not run again, but nobody wants to wait long to hear what failed.
    const patience = setTimeout(() => keeping.stop(error), KEEPING_AFTER_FAILURE_MS);
    await Promise.all(forLater);
    clearTimeout(patience);
    // Look-ups that nobody waits for any more.
    keeping.stop(error);
    await ports.fileDigests.save();
    // That something could not be cleaned up must not hide why the build failed.
    try {
      await undo[Symbol.asyncDispose]();
    } catch (also) {
      ports.report({ type: 'warning', message: `the build could not clean up: ${also instanceof Error ? also.message : String(also)}` });
    }
    throw error;
  }
  await undo[Symbol.asyncDispose]();
  return result;
}

/** The image is where it should be; what is left is for other builds. */
async function keepForLater(work: readonly Promise<void>[], { cache, fileDigests }: Ports, signal: AbortSignal): Promise<void> {
  // Together: how long a cache may take is up to its end.
  await Promise.all([...work, cache.finish(signal)]);
  await fileDigests.save();
}

async function planAndPublish(
  request: BuildRequest,
  ports: Ports,
  { halt, undo, keeping, later }: Pick<PlanRun, 'halt' | 'undo' | 'keeping' | 'later'>,
): Promise<BuildResult> {
  const { signal } = halt;
  signal.throwIfAborted();
  const parsed = readDockerfile(request.dockerfile.bytes, request.dockerfile.file);
  const goals = goalsOf(request);
  const inputs = goals.map((goal) => goal.inputs);
  for (const one of inputs) throwKnownFaults(parsed, one);
  // Started before anything is pulled or built: a destination that cannot be written ends the build at once.
  const [contexts, bases] = await allOrStop(
    [
      openContexts(ports, undo, signal),
      resolveBases(parsed, inputs, ports, halt),
      ...ports.sinks.map((sink) => sink.check(signal)),
    ] as const,
    halt,
  );
  const plans = inputs.map((one) => planBuild(parsed, one, configsOf(bases)));
  const options = checkOptions(parsed, request);
  const { ignores } = contexts.main.context;
  const findings = onceEach(inputs.flatMap((one) => checkDockerfile(parsed, one, { known: configsOf(bases), ignores, options })));
  const missing = await Promise.all(plans.map((plan) => missingSources(plan, { contexts, secret: ports.secret })));
  throwAll([...failing(findings, options), ...onceEach(missing.flat())]);
  const plain = onceEach([...options.warnings, ...parsed.warnings, ...plans.flatMap((plan) => plan.warnings)]);
  for (const warning of warningsOf(plain, findings)) ports.report(warning);
  const finished = await runPlans({ plans, request, ports, bases, contexts, undo, halt, keeping, later });
  const images = imagesOf({ goals, date: request.date, inlineCache: ports.inlineCache }, plans, finished);
  ports.report(describeLayers(images, bases));
  const published = await allOrStop(
    ports.sinks.map((sink) => sink.write(images, signal)),
    halt,
  );
  for (const { where, digest } of published) ports.report({ type: 'published', where, digest });
  return { images, published };
}

function imagesOf(
  { goals, date, inlineCache }: { readonly goals: Goals; readonly date: Date | null } & Pick<Ports, 'inlineCache'>,
  plans: readonly BuildPlan[],
  stages: readonly FinishedStage[],
): Images {
  const [image, ...others] = goals.map(({ asked }, i) => {
    const [plan, stage] = [plans[i], stages[i]];
    if (plan === undefined || stage === undefined) throw new Error(`platform ${i} was not built`);
    const finished = finishImage(targetOf(plan), stage, { asked, date });
    return inlineCache === null ? finished : { ...finished, config: inlineCache(finished.config, stage.steps) };
  });
  if (image === undefined) throw new Error('a build without a platform');
  return [image, ...others];
}

/** What is known before anything is fetched: faults of the text, and findings of checks that are to fail the build. */
function throwKnownFaults(parsed: ParsedDockerfile, inputs: PlanInputs): void {
  if (parsed.errors.length > 0) throwAll(knownFaults(parsed, inputs));
  missingBases(parsed, inputs, new Map());
  const options = checkOptions(parsed, inputs);
  if (options.findings === 'warn') return;
  const findings = failing(checkDockerfile(parsed, inputs, { known: new Map(), ignores: null, options }), options);
  if (findings.length > 0) throwAll([...findings, ...knownFaults(parsed, inputs)]);
}

function failing(findings: readonly Finding[], options: CheckOptions): readonly TsbuildError[] {
  return options.findings === 'fail' && findings.length > 0 ? checksFailed(findings).errors : [];
}

function throwAll([first, ...rest]: readonly TsbuildError[]): void {
  if (first !== undefined) throw new TsbuildErrors([first, ...rest]);
}

/** Base images by `baseKey`. ONBUILD triggers of one may make further stages, and so further bases, necessary. */
async function resolveBases(
  parsed: ParsedDockerfile,
  inputs: readonly PlanInputs[],
  ports: Ports,
  halt: Halt,
): Promise<ReadonlyMap<string, BaseImage>> {
  const known = new Map<string, BaseImage>();
  for (;;) {
    const requests = inputs.flatMap((one) => missingBases(parsed, one, configsOf(known)));
    const missing = [...new Map(requests.map((asked) => [baseKey(asked), asked])).values()];
    if (missing.length === 0) return known;
    const found = await allOrStop(
      missing.map(({ ref, platform, at }) => placed(ports.images.resolve(ref, platform, halt.signal), at)),
      halt,
    );
    for (const [i, image] of found.entries()) {
      const asked = missing[i];
      if (asked === undefined) continue;
      known.set(baseKey(asked), image);
      for (const message of image.warnings) ports.report({ type: 'warning', message, at: asked.at });
    }
  }
}

function describeLayers(images: Images, bases: ReadonlyMap<string, BaseImage>): BuildEvent {
  const known = new Set([...bases.values()].flatMap((base) => base.layers.map((layer) => layer.diffId)));
  const [image, ...others] = images;
  // Several images share layers; one image may hold a layer twice.
  const all = others.length === 0 ? image.layers : [...new Map(images.flatMap((i) => i.layers).map((l) => [l.diffId, l])).values()];
  const made = all.filter((layer) => !known.has(layer.diffId));
  const sizeOf = (layers: Image['layers']): number => layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
  return { type: 'image', layers: all.length, bytes: sizeOf(all), newLayers: made.length, newBytes: sizeOf(made) };
}

function configsOf(bases: ReadonlyMap<string, BaseImage>): BaseConfigs {
  return new Map([...bases].map(([key, image]) => [key, image.config]));
}

function targetOf(plan: BuildPlan): BuildPlan['stages'][number] {
  const stage = plan.stages.find(({ index }) => index === plan.target);
  if (stage === undefined) throw new Error(`the plan lacks its target stage ${plan.target}`);
  return stage;
}

async function placed<T>(work: Promise<T>, at: SourceRange): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw locate(error, at);
  }
}
