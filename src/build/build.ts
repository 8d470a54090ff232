/**
 * The straight line: parse, plan, run, seal, publish. Each arrow goes one way; state moves as values. What the outside
 * world is, only the ports know.
 */
import { setMaxListeners } from 'node:events';
import { cleanup } from '../async/cleanup.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import type { ParsedDockerfile } from '../dockerfile/instruction.ts';
import { parseDockerfile } from '../dockerfile/parse.ts';
import { locate, type SourceRange } from '../errors.ts';
import { missingBases } from '../plan/outline.ts';
import { type BaseConfigs, type BuildPlan, baseKey } from '../plan/plan.ts';
import { planBuild } from '../plan/plan-build.ts';
import { finishImage } from './finish-image.ts';
import type { BuildRequest, BuildResult, Ports } from './ports.ts';
import { runPlan } from './run-plan.ts';

/**
 * Builds and publishes one image. Rejects with the first failure, after every child process has ended and every
 * scratch folder is gone; an abort of `signal` rejects with its reason.
 */
export async function build(request: BuildRequest, ports: Ports, signal: AbortSignal): Promise<BuildResult> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  // Each layer on the move listens to it, and an image may have a hundred.
  setMaxListeners(0, either);
  await using undo = cleanup();
  try {
    const parsed = parseDockerfile(request.dockerfile.bytes, request.dockerfile.file);
    // Started before anything is pulled or built: a destination that cannot be written ends the build at once.
    const [context, bases] = await allOrNothing([
      ports.context.open(either),
      resolveBases(parsed, request, ports, either),
      Promise.all(ports.sinks.map((sink) => sink.check(either))),
    ] as const);
    undo.add(() => context[Symbol.asyncDispose]());
    const plan = planBuild(parsed, request, configsOf(bases));
    for (const warning of [...parsed.warnings, ...plan.warnings]) {
      ports.report({ type: 'warning', message: warning.message, ...(warning.at === undefined ? {} : { at: warning.at }) });
    }
    const state = await runPlan({ plan, request, ports, bases, context, undo, signal: either });
    const image = finishImage(targetOf(plan), state);
    const published = await allOrNothing(ports.sinks.map((sink) => sink.write(image, either)));
    for (const { where, digest } of published) ports.report({ type: 'published', where, digest });
    return { image, published };
  } catch (error) {
    failure.abort(error);
    throw error;
  }
}

/** Base images by `baseKey`. ONBUILD triggers of one may make further stages, and so further bases, necessary. */
async function resolveBases(
  parsed: ParsedDockerfile,
  request: BuildRequest,
  ports: Ports,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, BaseImage>> {
  const known = new Map<string, BaseImage>();
  for (;;) {
    const missing = missingBases(parsed, request, configsOf(known));
    if (missing.length === 0) return known;
    const found = await allOrNothing(missing.map(({ ref, platform, at }) => placed(ports.images.resolve(ref, platform, signal), at)));
    for (const [i, image] of found.entries()) {
      const asked = missing[i];
      if (asked === undefined) continue;
      known.set(baseKey(asked), image);
      for (const message of image.warnings) ports.report({ type: 'warning', message, at: asked.at });
    }
  }
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

/** Like Promise.all, but rejects only when all have settled: nothing goes on behind a failed build's back. */
async function allOrNothing<const T extends readonly Promise<unknown>[]>(work: T): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as { -readonly [K in keyof T]: Awaited<T[K]> };
}
