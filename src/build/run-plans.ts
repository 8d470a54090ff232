/**
 * Runs the stages of plans, each once, as soon as somebody needs what it makes: a stage whose files are only for steps that a
 * cache answers is never begun.
 */
import { type Cleanup, cleanup } from '../async/cleanup.ts';
import { type Limiter, limiter } from '../async/limiter.ts';
import type { Backend } from '../backend/backend.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import type { MadeStep } from '../cache/step-cache.ts';
import { locate, TsbuildError } from '../errors.ts';
import type { Layer } from '../image/image.ts';
import { formatPlatform, type Platform } from '../image/platform.ts';
import { stackTree } from '../layer/stack-tree.ts';
import type { BuildPlan, Origin, RunStep, Stage } from '../plan/plan.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';
import { type Contexts, isContext } from './contexts.ts';
import type { Halt } from './halt.ts';
import { type Answer, lookUpSteps } from './look-ups.ts';
import { distinctStages, keyIn, keysOfImage, type PlannedStage, programPlatform, stageKeys } from './platform-stages.ts';
import type { BuildRequest, Ports } from './ports.ts';
import { runStage, type StepLayer } from './run-stage.ts';
import { fetchingOnce, type SharedSources, sharedSources } from './shared-sources.ts';
import { squashStage } from './single-snapshot.ts';
import type { OriginFiles, StageContext } from './stage-context.ts';
import { materialsOf, type StageState } from './stage-state.ts';
import { layersOf, startStage } from './start-stage.ts';
import { belowOf } from './step-keys.ts';

export interface PlanRun {
  /** One for each platform. */
  readonly plans: readonly BuildPlan[];
  readonly request: BuildRequest;
  readonly ports: Ports;
  readonly bases: ReadonlyMap<string, BaseImage>;
  readonly contexts: Contexts;
  /** Takes what must go when the build ends. */
  readonly undo: Cleanup;
  readonly halt: Halt;
  /** Aborted when what later builds could use is not to be kept any more. */
  readonly keeping: AbortSignal;
  /** Told of work for later builds that goes on beside this one; none of it rejects. */
  later(work: Promise<void>): void;
}

/** A target's state with its layers, all of them sealed. */
export interface FinishedStage {
  readonly state: StageState;
  readonly layers: readonly Layer[];
  /** Those that made layers of images, of whatever platform; none where no image is to list them. */
  readonly steps: readonly MadeStep[];
}

/** The targets. Rejects with the first failure, or the reason of an abort that came before it, when all stages have come to rest. */
export async function runPlans(run: PlanRun): Promise<readonly FinishedStage[]> {
  const { plans, halt } = run;
  const builder = stageBuilder(run);
  const begun = (): readonly Promise<unknown>[] => builder.begun();
  for (const plan of plans) void builder.stateOf(plan, plan.target).catch(() => undefined);
  for (let known = -1; known !== begun().length; ) {
    known = begun().length;
    await Promise.allSettled(begun());
  }
  // The first failure is the reason of the abort; stages that it took down reject with that, or with what it led to.
  halt.signal.throwIfAborted();
  builder.keepUnneeded();
  const steps = await builder.listed();
  return Promise.all(
    plans.map(async (plan) => {
      const state = await builder.stateOf(plan, plan.target);
      return { state, layers: await Promise.all(state.layers.map(({ layer }) => layer)), steps };
    }),
  );
}

interface StageBuilder {
  /** Begins the stage if nobody has. */
  stateOf(plan: BuildPlan, index: number): Promise<StageState>;
  /** All that has been begun: stages, and layers on their way. */
  begun(): readonly Promise<unknown>[];
  /** See FinishedStage. */
  listed(): Promise<readonly MadeStep[]>;
  /** Tells caches of the steps of stages that were not begun, as far as one of them knows those: an export holds them, too. */
  keepUnneeded(): void;
}

/** What all stages share. */
interface Shop {
  readonly run: PlanRun;
  readonly ports: Ports;
  readonly sources: SharedSources;
  readonly answers: ReadonlyMap<string, readonly Promise<Answer>[]>;
  /** For steps of stages that are only copied from, and for those of the image. */
  readonly inImage: ReadonlySet<string>;
  readonly runs: Limiter;
  backendFor(planned: PlannedStage, step: RunStep): Promise<Backend>;
  /** Places for rootfs that are copies. */
  placesOf(backend: Backend): Limiter | null;
  stateOf(plan: BuildPlan, index: number): Promise<StageState>;
  /** Work that has to end before the build does. */
  begin(work: Promise<unknown>): void;
  /** Steps that images list. */
  readonly listed: Promise<MadeStep | null>[];
}

function stageBuilder(run: PlanRun): StageBuilder {
  const { plans, halt, contexts, bases } = run;
  const { signal } = halt;
  const ports = fetchingOnce(run.ports);
  const stages = distinctStages(plans);
  const keysOf = new Map(plans.map((plan) => [plan, stageKeys(plan)]));
  const keyOf = (plan: BuildPlan, index: number): string => keyIn(keysOf.get(plan) ?? new Map(), index);
  const total = stages.reduce((sum, { stage }) => sum + stage.steps.length, 0);
  ports.report({ type: 'plan', stages: stages.length, steps: total });

  const sources = sharedSources({ contexts, bases, ports, signal });
  const answers = lookUpSteps(stages, { request: run.request, ports, sources, keyOf, signal: run.keeping });
  const firstSteps = firstStepNumbers(stages);
  const states = new Map<string, Promise<StageState>>();
  const work: Promise<unknown>[] = [];
  let backend: Promise<Backend> | undefined;
  let places: Limiter | null | undefined;

  const shop: Shop = {
    run,
    ports,
    sources,
    answers,
    inImage: new Set(plans.flatMap((plan) => [...keysOfImage(plan)])),
    runs: limiter(ports.parallelRuns),
    async backendFor(planned, step) {
      backend ??= ports.backend().then((chosen) => {
        ports.report({ type: 'isolation', name: chosen.name });
        return chosen;
      });
      const chosen = await backend;
      refuseForeign(chosen, planned, step, run);
      return chosen;
    },
    placesOf: ({ form }) => (places ??= form.kind === 'copy' ? limiter(form.most) : null),
    stateOf(plan, index) {
      const key = keyOf(plan, index);
      const known = states.get(key);
      if (known !== undefined) return known;
      const planned = stages.find((one) => one.key === key);
      if (planned === undefined) throw new Error(`stage ${index} is needed but not planned`);
      const state = buildStage(planned, { first: firstSteps.get(key) ?? 1, total }, shop);
      state.catch((error: unknown) => halt.stop(error));
      states.set(key, state);
      work.push(state);
      return state;
    },
    begin: (more) => void work.push(more),
    listed: [],
  };
  const listed = async (): Promise<readonly MadeStep[]> => (await Promise.all(shop.listed)).filter((step) => step !== null);
  const keepUnneeded = (): void => {
    for (const { key, stage } of stages.filter((one) => !states.has(one.key))) {
      for (const [i, step] of stage.steps.entries()) {
        const answer = answers.get(key)?.[i];
        if (step.kind !== 'config' && answer !== undefined) run.later(keepFound(step, answer, shop).catch(() => undefined));
      }
    }
  };
  return { stateOf: shop.stateOf, begun: () => work, listed, keepUnneeded };
}

function firstStepNumbers(stages: readonly PlannedStage[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 1;
  for (const { key, stage } of stages) {
    numbers.set(key, next);
    next += stage.steps.length;
  }
  return numbers;
}

async function buildStage(
  planned: PlannedStage,
  numbering: { readonly first: number; readonly total: number },
  shop: Shop,
): Promise<StageState> {
  const { plan, stage, key, id } = planned;
  const { run, ports, sources } = shop;
  const { halt, request } = run;
  const { signal } = halt;
  const answers = shop.answers.get(key) ?? [];
  const needed = stagesOfMisses(stage, answers, (index) => shop.stateOf(plan, index));
  const firstRun = await firstMissedRun(stage, answers);
  const backend = firstRun === null ? null : await shop.backendFor(planned, firstRun);
  const runNeed: LayerNeed = backend === null ? 'index' : backend.form.kind === 'overlay' ? 'folder' : 'archive';
  const offer = (layer: Layer): void => {
    if (shop.inImage.has(key)) for (const sink of ports.sinks) sink.offer(layer, signal);
  };
  const stateAt = (index: number): Promise<StageState> => shop.stateOf(plan, index);
  const context: StageContext = { stage, ports, signal, runNeed, files: (origin, need) => filesOf(origin, need, plan, shop) };
  const start = await startStage(stage, { ports, sources, bases: run.bases, halt, need: runNeed, stateAt, offer, begin: shop.begin });
  const platform = run.plans.length === 1 ? null : formatPlatform(stage.platform);
  const single = request.layers === 'one for each stage' && shop.inImage.has(key);
  const steps = async (undo: Cleanup): Promise<StageState> => {
    const end = await runStage(start, {
      context,
      answers,
      told: { stage, report: ports.report, signal, numbering, id, platform },
      ignorePaths: request.ignorePaths,
      form: backend?.form ?? null,
      async openRootfs(layers) {
        const rootfs = await (await ports.backend()).open(layers, signal);
        undo.add(() => rootfs[Symbol.asyncDispose]());
        return rootfs;
      },
      whenFree: (task) => shop.runs.run(task),
      handOver: (layer) => handOver(layer, { key, offer: single ? () => undefined : offer, shop }),
    });
    if (!single) return end;
    const squashed = await squashStage(start, end, { layers: ports.layers, need: runNeed, signal });
    const failed = (error: unknown): void => halt.stop(locate(error, stage.at));
    for (const { layer } of squashed.layers.slice(start.layers.length)) shop.begin(layer.then(offer, failed));
    return squashed;
  };
  const places = backend === null ? null : shop.placesOf(backend);
  // Later stages read the layers of an overlay where its rootfs made them.
  if (places === null) return steps(run.undo);
  // A stage that holds a place while it waits for another one could wait for ever.
  await needed;
  return places.run(async () => {
    await using undo = cleanup();
    return await steps(undo);
  });
}

/** Begins the stages that steps without an answer take from, as soon as that is known; resolves when they are finished. */
async function stagesOfMisses(
  { steps }: Stage,
  answers: readonly Promise<Answer>[],
  stateAt: (index: number) => Promise<StageState>,
): Promise<void> {
  const waiting = steps.map(async (step, i) => {
    if ((await answers[i])?.found !== null) return;
    const origins = step.kind === 'copy' ? [step.origin] : step.kind === 'run' ? step.mounts.flatMap(originsOfMount) : [];
    await Promise.all(origins.flatMap((origin) => (origin.kind === 'stage' ? [stateAt(origin.index)] : [])));
  });
  // The stage itself meets the failure when it takes from there.
  await Promise.allSettled(waiting);
}

function originsOfMount(mount: RunStep['mounts'][number]): readonly Origin[] {
  if (mount.type === 'bind') return [mount.origin];
  return mount.type === 'cache' && mount.seed !== null ? [mount.seed.origin] : [];
}

async function firstMissedRun({ steps }: Stage, answers: readonly Promise<Answer>[]): Promise<RunStep | null> {
  for (const [i, step] of steps.entries()) if (step.kind === 'run' && (await answers[i])?.found === null) return step;
  return null;
}

async function filesOf(origin: Origin, need: LayerNeed, plan: BuildPlan, shop: Shop): Promise<OriginFiles> {
  if (isContext(origin)) return shop.sources.contextFiles(origin);
  if (origin.kind === 'stage') {
    const materials = await materialsOf(await shop.stateOf(plan, origin.index), need);
    const name = plan.stages.find(({ index }) => index === origin.index)?.name ?? String(origin.index);
    return { kind: 'layers', materials, tree: stackTree(materials.map(({ index }) => index)), label: `stage ${name}` };
  }
  const { ports, run } = shop;
  const layers = layersOf(await shop.sources.image(origin), { ports, halt: run.halt });
  const materials = await materialsOf({ layers }, need);
  return { kind: 'layers', materials, tree: stackTree(materials.map(({ index }) => index)), label: origin.ref };
}

/** What becomes of a new layer: sinks may take it, caches keep it, and its failure is the build's. */
async function handOver(
  { step, answer, layer, created, below }: StepLayer,
  { key, offer, shop }: { readonly key: string; readonly shop: Shop; offer(layer: Layer): void },
): Promise<void> {
  const { run, ports } = shop;
  const sealed = layer.then(offer, (error: unknown) => run.halt.stop(locate(error, step.at)));
  shop.begin(sealed);
  await sealed;
  if (run.halt.signal.aborted) return;
  const serves: MadeStep['serves'] = shop.inImage.has(key) ? 'image' : 'other';
  const made = answer.key().then(
    async (stepKey) =>
      (stepKey === null
        ? null
        : {
            ...stepKey,
            kind: step.kind,
            layer: await layer,
            below: belowOf((await Promise.all(below)).map(({ diffId }) => diffId)),
            created: run.request.date?.toISOString() ?? created,
            serves,
          }) satisfies MadeStep | null,
  );
  made.catch(() => undefined);
  if (ports.inlineCache !== null && serves === 'image') shop.listed.push(made);
  const keep = async (): Promise<void> => {
    const kept = await made;
    if (kept !== null) await ports.cache.keep(kept, run.keeping);
  };
  // A cache that fails says so itself.
  run.later(keep().catch(() => undefined));
}

async function keepFound(step: StepLayer['step'], answer: Promise<Answer>, { ports, run }: Shop): Promise<void> {
  const { key, found } = await answer;
  const stepKey = found === null ? null : await key();
  if (found !== null && stepKey !== null) await ports.cache.keep({ ...stepKey, ...found, kind: step.kind, serves: 'other' }, run.keeping);
}

/** Fails where the machine cannot execute the programs of the stage's base. */
function refuseForeign(backend: Backend, { plan, stage }: PlannedStage, step: RunStep, { bases, request }: PlanRun): void {
  const platform = programPlatform(plan, stage.index, bases);
  if (platform === null || runsAlike(platform, request.buildPlatform) || backend.executes(platform)) return;
  const { architecture } = platform;
  throw new TsbuildError('BACKEND_UNAVAILABLE', `RUN cannot be executed for ${formatPlatform(platform)}: its programs do not start here`, {
    at: step.at,
    hint: `this machine is ${formatPlatform(request.buildPlatform)}; let its kernel know QEMU for ${architecture} (binfmt_misc), or build on such a machine`,
  });
}

function runsAlike(platform: Platform, machine: Platform): boolean {
  return platform.os === machine.os && platform.architecture === machine.architecture;
}
