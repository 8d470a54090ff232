/**
 * The straight line: parse, plan, run, seal, publish. Each arrow goes one way; state moves as values. What the outside
 * world is, only the ports know.
 */
import { type Cleanup, cleanup } from '../async/cleanup.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import { readDockerfile } from '../dockerfile/parse.ts';
import { locate, type SourceRange, type TsbuildError, TsbuildErrors } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { checkDockerfile, checksFailed } from '../plan/checks/check.ts';
import { type CheckOptions, checkOptions } from '../plan/checks/check-options.ts';
import type { Finding } from '../plan/checks/rules.ts';
import { knownFaults, missingBases } from '../plan/outline.ts';
import { type BaseConfigs, type BuildPlan, baseKey } from '../plan/plan.ts';
import { planBuild } from '../plan/plan-build.ts';
import { openContexts } from './contexts.ts';
import type { BuildEvent } from './events.ts';
import { finishImage } from './finish-image.ts';
import { allOrStop, type Halt, haltWithin } from './halt.ts';
import { missingSources } from './missing-sources.ts';
import type { BuildRequest, BuildResult, Ports } from './ports.ts';
import { runPlan } from './run-plan.ts';
import { warningsOf } from './warnings.ts';

/**
 * Builds and publishes one image. Rejects with the first failure, after every child process has ended and every
 * scratch folder is gone; an abort of `signal` rejects with its reason.
 */
export async function build(request: BuildRequest, ports: Ports, signal: AbortSignal): Promise<BuildResult> {
  const halt = haltWithin(signal);
  const undo = cleanup();
  let result: BuildResult;
  try {
    result = await planAndPublish(request, ports, { halt, undo });
  } catch (error) {
    halt.stop(error);
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

async function planAndPublish(
  request: BuildRequest,
  ports: Ports,
  { halt, undo }: { readonly halt: Halt; readonly undo: Cleanup },
): Promise<BuildResult> {
  const { signal } = halt;
  signal.throwIfAborted();
  const parsed = readDockerfile(request.dockerfile.bytes, request.dockerfile.file);
  throwKnownFaults(parsed, request);
  // Started before anything is pulled or built: a destination that cannot be written ends the build at once.
  const [contexts, bases] = await allOrStop(
    [
      openContexts(ports, undo, signal),
      resolveBases(parsed, request, ports, halt),
      ...ports.sinks.map((sink) => sink.check(signal)),
    ] as const,
    halt,
  );
  const plan = planBuild(parsed, request, configsOf(bases));
  const options = checkOptions(parsed, request);
  const { ignores } = contexts.main.context;
  const findings = checkDockerfile(parsed, request, { known: configsOf(bases), ignores, options });
  throwAll([...failing(findings, options), ...(await missingSources(plan, { contexts, secret: ports.secret }))]);
  for (const warning of warningsOf([...options.warnings, ...parsed.warnings, ...plan.warnings], findings)) ports.report(warning);
  const state = await runPlan({ plan, request, ports, bases, contexts, undo, halt });
  const image = finishImage(targetOf(plan), state, request.askedPlatform);
  ports.report(describeLayers(image, bases));
  const published = await allOrStop(
    ports.sinks.map((sink) => sink.write(image, signal)),
    halt,
  );
  for (const { where, digest } of published) ports.report({ type: 'published', where, digest });
  return { image, published };
}

/** What is known before anything is fetched: faults of the text, and findings of checks that are to fail the build. */
function throwKnownFaults(parsed: ParsedDockerfile, request: BuildRequest): void {
  if (parsed.errors.length > 0) throwAll(knownFaults(parsed, request));
  missingBases(parsed, request, new Map());
  const options = checkOptions(parsed, request);
  if (options.findings === 'warn') return;
  const findings = failing(checkDockerfile(parsed, request, { known: new Map(), ignores: null, options }), options);
  if (findings.length > 0) throwAll([...findings, ...knownFaults(parsed, request)]);
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
  request: BuildRequest,
  ports: Ports,
  halt: Halt,
): Promise<ReadonlyMap<string, BaseImage>> {
  const known = new Map<string, BaseImage>();
  for (;;) {
    const missing = missingBases(parsed, request, configsOf(known));
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

function describeLayers(image: Image, bases: ReadonlyMap<string, BaseImage>): BuildEvent {
  const known = new Set([...bases.values()].flatMap((base) => base.layers.map((layer) => layer.diffId)));
  const made = image.layers.filter((layer) => !known.has(layer.diffId));
  const sizeOf = (layers: Image['layers']): number => layers.reduce((sum, layer) => sum + layer.descriptor.size, 0);
  return { type: 'image', layers: image.layers.length, bytes: sizeOf(image.layers), newLayers: made.length, newBytes: sizeOf(made) };
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
