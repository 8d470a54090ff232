/** Runs the stages of plans, each once, as soon as what they need is there. */
import { type Cleanup, cleanup } from '../async/cleanup.ts';
import { limiter } from '../async/limiter.ts';
import { oncePerKey } from '../async/once-per-key.ts';
import type { Backend } from '../backend/backend.ts';
import type { BaseImage } from '../base-image/image-source.ts';
import { locate, TsbuildError } from '../errors.ts';
import type { Layer } from '../image/image.ts';
import { formatPlatform, type Platform } from '../image/platform.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { stackTree } from '../layer/stack-tree.ts';
import { type BuildPlan, baseKey, type Stage } from '../plan/plan.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';
import { baseHistory } from './base-history.ts';
import { type Contexts, contextOf, isContext, type OpenContext } from './contexts.ts';
import { allOrStop, type Halt, haltWithin } from './halt.ts';
import { distinctStages, keyIn, keysOfImage, type PlannedStage, programPlatform, stageKeys } from './platform-stages.ts';
import type { BuildRequest, Ports } from './ports.ts';
import { runStage } from './run-stage.ts';
import type { ContextFiles, OriginFiles, StageContext } from './stage-context.ts';
import { type StageState, treeOf, withLayer } from './stage-state.ts';
import { treeEntries } from './tree-entries.ts';

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
}

/** The targets' finished states. Rejects with the first failure, or the reason of an abort that came before it, when all stages have come to rest. */
export async function runPlans(run: PlanRun): Promise<readonly StageState[]> {
  const { plans, ports, halt } = run;
  const { signal } = halt;
  const stages = distinctStages(plans);
  const total = stages.reduce((sum, { stage }) => sum + stage.steps.length, 0);
  const backend = await backendFor(stages, run);
  ports.report({ type: 'plan', stages: stages.length, steps: total, isolation: backend?.name ?? 'none' });
  const runNeed: LayerNeed = backend?.form.kind === 'overlay' ? 'folder' : 'index';
  const rootfsPlaces = backend?.form.kind === 'copy' ? limiter(backend.form.most) : null;

  const images = oncePerKey<BaseImage>();
  const placed = oncePerKey<LayerMaterial>();
  const runs = limiter(ports.parallelRuns);
  const inImage = new Set(plans.flatMap((plan) => [...keysOfImage(plan)]));
  const states = new Map<string, Promise<StageState>>();
  const keysOf = new Map(plans.map((plan) => [plan, stageKeys(plan)]));
  const keyOf = (plan: BuildPlan, index: number): string => keyIn(keysOf.get(plan) ?? new Map(), index);
  const stateOf = (key: string): Promise<StageState> => {
    const state = states.get(key);
    if (state === undefined) throw new Error('a stage is needed before it was begun');
    return state;
  };

  const contextFiles = (open: OpenContext, name: string | null): ContextFiles => ({
    kind: 'context',
    ...open,
    place: (path) => placed.get(JSON.stringify([name, path]), () => ports.layers.place(treeEntries(open.context.tree, path), signal)),
  });

  let first = 1;
  for (const { plan, stage, key, id } of stages) {
    const numbering = { first, total };
    first += stage.steps.length;
    const stateAt = (index: number): Promise<StageState> => stateOf(keyOf(plan, index));
    const context: StageContext = {
      stage,
      ports,
      signal,
      runNeed,
      stageState: stateAt,
      async files(origin, need) {
        if (isContext(origin)) return contextFiles(contextOf(origin, run.contexts), origin.kind === 'folder' ? origin.name : null);
        if (origin.kind === 'stage') {
          const state = await stateAt(origin.index);
          return { kind: 'layers', materials: state.materials, tree: treeOf(state), label: `stage ${labelOf(plan, origin.index)}` };
        }
        const image = await images.get(baseKey(origin), async () => {
          const found = await ports.images.resolve(origin.ref, origin.platform, signal).catch((error: unknown) => {
            throw mistakenForImage(error, origin.ref);
          });
          for (const message of found.warnings) ports.report({ type: 'warning', message });
          return found;
        });
        return layersAsFiles(await materials(image.layers, need, ports, haltWithin(signal)), origin.ref);
      },
    };
    const offer = (layer: Layer): void => {
      if (inImage.has(key)) for (const sink of ports.sinks) sink.offer(layer, signal);
    };
    const done = (async () => {
      const start = await startOf(stage, run, { stateAt, offer, runNeed });
      const steps = (undo: Cleanup): Promise<StageState> =>
        runStage(start, {
          context,
          numbering,
          id,
          platform: plans.length === 1 ? null : formatPlatform(stage.platform),
          ignorePaths: run.request.ignorePaths,
          async openRootfs(state) {
            const rootfs = await (await ports.backend()).open(state.materials, signal);
            undo.add(() => rootfs[Symbol.asyncDispose]());
            return rootfs;
          },
          whenFree: (task) => runs.run(task),
          offer,
        });
      // Later stages read the layers of an overlay where its rootfs made them.
      if (rootfsPlaces === null || !hasRun(stage)) return steps(run.undo);
      // A stage that holds a place while it waits for another one could wait for ever.
      await Promise.all(stage.needs.map(stateAt));
      return rootfsPlaces.run(async () => {
        await using undo = cleanup();
        return await steps(undo);
      });
    })();
    done.catch((error: unknown) => halt.stop(error));
    states.set(key, done);
  }
  await Promise.allSettled(states.values());
  // The first failure is the reason of the abort; stages that it took down reject with that, or with what it led to.
  signal.throwIfAborted();
  return Promise.all(plans.map((plan) => stateOf(keyOf(plan, plan.target))));
}

/**
 * What RUN steps run in; null where there are none. Asked for before anything is pulled: where no rung works, or where none can
 * execute the programs of a base, the build fails at once.
 */
async function backendFor(stages: readonly PlannedStage[], { ports, bases, request }: PlanRun): Promise<Backend | null> {
  const runs = stages.flatMap(({ plan, stage }) => {
    const step = stage.steps.find(({ kind }) => kind === 'run');
    return step === undefined ? [] : [{ step, platform: programPlatform(plan, stage.index, bases) }];
  });
  if (runs.length === 0) return null;
  const backend = await ports.backend();
  const foreign = runs.find(
    ({ platform }) => platform !== null && !runsAlike(platform, request.buildPlatform) && !backend.executes(platform),
  );
  if (foreign?.platform == null) return backend;
  const { architecture } = foreign.platform;
  throw new TsbuildError(
    'BACKEND_UNAVAILABLE',
    `RUN cannot be executed for ${formatPlatform(foreign.platform)}: its programs do not start here`,
    {
      at: foreign.step.at,
      hint: `this machine is ${formatPlatform(request.buildPlatform)}; let its kernel know QEMU for ${architecture} (binfmt_misc), or build on such a machine`,
    },
  );
}

function runsAlike(platform: Platform, machine: Platform): boolean {
  return platform.os === machine.os && platform.architecture === machine.architecture;
}

interface StartHelp {
  stateAt(index: number): Promise<StageState>;
  offer(layer: Layer): void;
  readonly runNeed: LayerNeed;
}

async function startOf(stage: Stage, run: PlanRun, help: StartHelp): Promise<StageState> {
  const { base } = stage;
  if (base.kind === 'stage') return help.stateAt(base.index);
  if (base.kind === 'scratch') return scratchStart();
  if (base.kind === 'folder') return folderState(base.name, stage, run, help);
  const image = run.bases.get(baseKey(base));
  if (image === undefined) throw new Error(`the base ${base.ref} was not resolved`);
  for (const layer of image.layers) help.offer(layer);
  const need = needOf(stage, help);
  return {
    baseConfig: image.config,
    format: image.format,
    layers: image.layers,
    materials: await materials(image.layers, need, run.ports, located(run.halt, stage)),
    baseHistory: baseHistory(image),
    history: [],
  };
}

function scratchStart(): StageState {
  return { baseConfig: null, format: 'oci', layers: [], materials: [], baseHistory: [], history: [] };
}

/** A folder of --build-context is one layer with all that is in it. */
async function folderState(name: string, stage: Stage, run: PlanRun, help: StartHelp): Promise<StageState> {
  const { ports, halt } = run;
  const need = needOf(stage, help);
  const { layer, material } = await ports.layers.seal(
    treeEntries(contextOf({ kind: 'folder', name }, run.contexts).context.tree, ''),
    { format: 'oci', need },
    halt.signal,
  );
  help.offer(layer);
  return withLayer(scratchStart(), layer, material, `FROM ${name} # folder of --build-context`, ports.now());
}

function needOf(stage: Stage, { runNeed }: StartHelp): LayerNeed {
  return hasRun(stage) ? runNeed : 'index';
}

function hasRun(stage: Stage): boolean {
  return stage.steps.some((step) => step.kind === 'run');
}

/** A plain name that no registry has was probably meant to be a stage. */
function mistakenForImage(error: unknown, ref: string): unknown {
  if (!(error instanceof TsbuildError) || error.hint !== undefined || /[/:.@]/.test(ref)) return error;
  const hint = `no stage above is named "${ref}", so it was taken for an image`;
  return new TsbuildError(error.code, error.message, { hint, at: error.at, cause: error.cause });
}

/** Failures get the place of the stage's FROM. */
function located({ signal, stop }: Halt, stage: Stage): Halt {
  return { signal, stop: (error) => stop(locate(error, stage.at)) };
}

function materials(layers: readonly Layer[], need: LayerNeed, ports: Ports, halt: Halt): Promise<readonly LayerMaterial[]> {
  return allOrStop(
    layers.map((layer) => ports.layers.material(layer, need, halt.signal)),
    halt,
  );
}

function layersAsFiles(layers: readonly LayerMaterial[], label: string): OriginFiles {
  return { kind: 'layers', materials: layers, tree: stackTree(layers.map((m) => m.index)), label };
}

function labelOf(plan: BuildPlan, index: number): string {
  return plan.stages.find((stage) => stage.index === index)?.name ?? String(index);
}
