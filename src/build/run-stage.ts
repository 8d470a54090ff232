/**
 * Runs one stage step by step over an immutable state. What the cache answers is taken without a look at any file; a rootfs is
 * made at the first RUN that has to run. A layer is sealed while the next step is already under way.
 */
import type { Rootfs, RootfsForm } from '../backend/backend.ts';
import type { Layer } from '../image/image.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { stackTree } from '../layer/stack-tree.ts';
import type { CopyStep, RunStep, Step, WorkdirStep } from '../plan/plan.ts';
import type { LayerNeed, Seal } from '../unpacked/layer-library.ts';
import { copyStepEntries, workdirStepEntries } from './copy-step.ts';
import { withoutIgnored } from './ignored-paths.ts';
import type { Answer } from './look-ups.ts';
import { filesOfMounts } from './run-mounts.ts';
import { executeRunStep } from './run-step.ts';
import type { StageContext } from './stage-context.ts';
import { materialsOf, type StageLayer, type StageState, treeOf, withLayer, withoutLayer } from './stage-state.ts';
import { isDeterminedByKey, standsAlone } from './step-keys.ts';
import { type StepTold, tellStep } from './tell-step.ts';

/** A layer that a step made or that was found for it, on its way. */
export interface StepLayer {
  readonly step: Exclude<Step, { kind: 'config' }>;
  readonly answer: Answer;
  readonly layer: Promise<Layer>;
  /** RFC 3339. */
  readonly created: string;
  /** What keys do not determine of what the step stood on. */
  readonly below: readonly Promise<Layer>[];
}

export interface StageRun {
  readonly context: StageContext;
  /** For each step. */
  readonly answers: readonly Promise<Answer>[];
  readonly told: StepTold;
  readonly ignorePaths: readonly string[];
  /** Null where no RUN of this stage has to run. */
  readonly form: RootfsForm | null;
  /** Opens the stage's rootfs, which is disposed of by whoever gives this. */
  openRootfs(layers: readonly LayerMaterial[]): Promise<Rootfs>;
  /** Waits for a free place to run a command. */
  whenFree<T>(task: () => Promise<T>): Promise<T>;
  /** Told of each layer at once. Resolves when it is sealed and kept; never rejects. */
  handOver(layer: StepLayer): Promise<void>;
}

/** `start`: the stage's base. */
export async function runStage(start: StageState, run: StageRun): Promise<StageState> {
  const { stage, signal } = run.context;
  const handed: Promise<void>[] = [];
  let state = start;
  let rootfs: OpenRootfs | null = null;
  try {
    for (const [position, step] of stage.steps.entries()) {
      signal.throwIfAborted();
      if (step.kind === 'config') {
        state = withoutLayer(state, step.createdBy);
        tellStep(step, position, run.told).end('done', null);
        continue;
      }
      const answer = (await run.answers[position]) ?? { key: async () => null, found: null };
      const before = state;
      const done = await (answer.found === null ? makeLayer : takeFound)({ step, position, answer, state: before, rootfs }, run);
      const made = isDeterminedByKey(step) ? 'by its key' : 'by its run';
      state = withLayer(before, done.stageLayer, { created: done.created, createdBy: step.createdBy, made });
      rootfs = done.rootfs;
      handed.push(
        run.handOver({
          step,
          answer,
          layer: done.stageLayer.layer,
          created: done.created,
          below: standsAlone(step) ? [] : before.undetermined,
        }),
      );
    }
  } catch (error) {
    // What the steps before this one made is worth keeping: they need not run again.
    if (!signal.aborted) await Promise.all(handed);
    throw error;
  }
  return state;
}

interface OpenRootfs {
  readonly rootfs: Rootfs;
  /** How many of the stage's layers it holds. */
  readonly laid: number;
}

interface StepWork {
  readonly step: Exclude<Step, { kind: 'config' }>;
  readonly position: number;
  readonly answer: Answer;
  readonly state: StageState;
  readonly rootfs: OpenRootfs | null;
}

interface StepDone {
  readonly stageLayer: StageLayer;
  readonly created: string;
  readonly rootfs: OpenRootfs | null;
}

async function takeFound({ step, position, answer, rootfs }: StepWork, { context, told }: StageRun): Promise<StepDone> {
  const { found } = answer;
  if (found === null) throw new Error('nothing was found for this step');
  const { layer, created } = found;
  tellStep(step, position, told).end('cached', layer.descriptor.size);
  const material = (need: LayerNeed): Promise<LayerMaterial> => context.ports.layers.material(layer, need, context.signal);
  return { stageLayer: { layer: Promise.resolve(layer), material }, created, rootfs };
}

async function makeLayer(work: StepWork, run: StageRun): Promise<StepDone> {
  const { step, position } = work;
  const telling = tellStep(step, position, run.told);
  try {
    const { seal, material, rootfs } =
      step.kind === 'run' ? await runLayer(step, work, run, telling.output) : await copyLayer(step, work, run);
    // Told when the layer is there; the failure of a seal is told by whoever awaits it.
    const layer = seal.layer.then(
      (sealed) => {
        telling.end('done', sealed.descriptor.size);
        return sealed;
      },
      (error: unknown) => {
        throw telling.failed(error);
      },
    );
    layer.catch(() => undefined);
    return { stageLayer: { layer, material: async () => material }, created: run.context.ports.now().toISOString(), rootfs };
  } catch (error) {
    throw telling.failed(error);
  }
}

interface Sealing {
  readonly seal: Seal;
  readonly material: LayerMaterial;
  readonly rootfs: OpenRootfs | null;
}

async function copyLayer(step: CopyStep | WorkdirStep, { position, state, rootfs }: StepWork, run: StageRun): Promise<Sealing> {
  const { context } = run;
  // What is below a linked copy has no part in it: a base need not be read for it.
  const tree = standsAlone(step) ? stackTree([]) : await treeOf(state, context.runNeed);
  const entries = step.kind === 'copy' ? await copyStepEntries(step, tree, context) : await workdirStepEntries(step, tree, context);
  const need = (await runsAfter(position, run)) ? context.runNeed : 'index';
  const seal = context.ports.layers.seal(entries, { format: state.format, need }, context.signal);
  return { seal, material: seal.material, rootfs };
}

async function runLayer(
  step: RunStep,
  { position, state, rootfs }: StepWork,
  run: StageRun,
  output: (chunk: Uint8Array) => void,
): Promise<Sealing> {
  const { context, form } = run;
  const { ports, signal } = context;
  // Before a place is taken: a step that holds one while it waits for another stage could wait for ever.
  await filesOfMounts(step, context);
  return run.whenFree(async () => {
    const materials = await materialsOf(state, context.runNeed);
    const open = rootfs?.rootfs ?? (await run.openRootfs(materials));
    for (const material of materials.slice(rootfs?.laid ?? materials.length)) await open.lay(material, signal);
    const next = context.stage.steps.slice(position + 1).some(({ kind }) => kind === 'run') ? 'run' : 'none';
    await executeRunStep(step, { rootfs: open, tree: await treeOf(state, context.runNeed), next, output }, context);
    const changes: LayerEntry[] = [];
    for await (const change of withoutIgnored(open.changes(signal), run.ignorePaths)) changes.push(change);
    const seal = ports.layers.seal(changes, { format: state.format, need: 'index' }, signal);
    // What a command changed in a copy is changed again by the next one; an overlay keeps it in a folder of its own.
    const material = open.adopt(form?.kind === 'overlay' ? seal.material : await seal.kept);
    return { seal, material, rootfs: { rootfs: open, laid: materials.length + 1 } };
  });
}

/** Whether a RUN behind a step has to run, which will want the step's files. */
async function runsAfter(position: number, { context, answers }: StageRun): Promise<boolean> {
  for (const [i, step] of context.stage.steps.entries()) {
    if (i > position && step.kind === 'run' && (await answers[i])?.found === null) return true;
  }
  return false;
}
