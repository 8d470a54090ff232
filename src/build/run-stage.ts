/** Runs one stage: its base laid, then step by step over an immutable state. A rootfs is made at the first RUN only. */
import type { Rootfs } from '../backend/backend.ts';
import { locate, TsbuildError } from '../errors.ts';
import type { Layer } from '../image/image.ts';
import type { LayerEntries } from '../layer/entry.ts';
import type { CopyStep, RunStep, Step, WorkdirStep } from '../plan/plan.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';
import { copyStepEntries, workdirStepEntries } from './copy-step.ts';
import { withoutIgnored } from './ignored-paths.ts';
import { filesOfMounts } from './run-mounts.ts';
import { executeRunStep } from './run-step.ts';
import type { StageContext } from './stage-context.ts';
import { type StageState, treeOf, withLayer, withoutLayer } from './stage-state.ts';

export interface StageRun {
  readonly context: StageContext;
  /** Where the steps of this stage begin in the build's numbering, and how many the build has. */
  readonly numbering: { readonly first: number; readonly total: number };
  /** Begins the ids of its steps. */
  readonly id: string;
  /** For people; null where the build is for one platform only. */
  readonly platform: string | null;
  readonly ignorePaths: readonly string[];
  /** Opens the stage's rootfs, which is disposed of by whoever gives this. */
  openRootfs(state: StageState): Promise<Rootfs>;
  /** Waits for a free place to run a command. */
  whenFree<T>(task: () => Promise<T>): Promise<T>;
  /** Told of each new layer: destinations may begin to take it while the build goes on. */
  offer(layer: Layer): void;
}

/** `start`: the stage's base. */
export async function runStage(start: StageState, run: StageRun): Promise<StageState> {
  const { stage, signal } = run.context;
  const lastRun = stage.steps.findLastIndex((step) => step.kind === 'run');
  let state = start;
  let rootfs: { readonly rootfs: Rootfs; readonly laid: number } | null = null;
  for (const [position, step] of stage.steps.entries()) {
    signal.throwIfAborted();
    const need: LayerNeed = position < lastRun ? run.context.runNeed : 'index';
    state = await told(step, position, run, async (output) => {
      if (step.kind === 'config') return withoutLayer(state, step.createdBy);
      if (step.kind !== 'run') return layerStep(step, state, need, run);
      // Before a place is taken: a step that holds one while it waits for another stage could wait for ever.
      await filesOfMounts(step, run.context);
      return run.whenFree(async () => {
        const open: Rootfs = rootfs?.rootfs ?? (await run.openRootfs(state));
        for (const material of state.materials.slice(rootfs?.laid ?? state.materials.length)) await open.lay(material, signal);
        const next = await runStep(step, state, open, { next: position < lastRun ? 'run' : 'none', run, output });
        rootfs = { rootfs: open, laid: next.materials.length };
        return next;
      });
    });
  }
  return state;
}

async function layerStep(step: CopyStep | WorkdirStep, state: StageState, need: LayerNeed, run: StageRun): Promise<StageState> {
  const tree = treeOf(state);
  const entries = step.kind === 'copy' ? await copyStepEntries(step, tree, run.context) : await workdirStepEntries(step, tree, run.context);
  return append(state, step, entries, need, run);
}

async function runStep(
  step: RunStep,
  state: StageState,
  rootfs: Rootfs,
  how: { readonly next: 'run' | 'none'; readonly run: StageRun; output(chunk: Uint8Array): void },
): Promise<StageState> {
  const { context, ignorePaths } = how.run;
  await executeRunStep(step, { rootfs, tree: treeOf(state), next: how.next, output: how.output }, context);
  const changes = withoutIgnored(rootfs.changes(context.signal), ignorePaths);
  const { layer, material } = await context.ports.layers.seal(changes, { format: state.format, need: 'index' }, context.signal);
  how.run.offer(layer);
  return withLayer(state, layer, rootfs.adopt(material), step.createdBy, context.ports.now());
}

async function append(state: StageState, step: Step, entries: LayerEntries, need: LayerNeed, run: StageRun): Promise<StageState> {
  const { ports, signal } = run.context;
  const { layer, material } = await ports.layers.seal(entries, { format: state.format, need }, signal);
  run.offer(layer);
  return withLayer(state, layer, material, step.createdBy, ports.now());
}

/** Reports a step's start, output and end, and gives its error the step's place in the Dockerfile. */
async function told(
  step: Step,
  position: number,
  run: StageRun,
  work: (output: (chunk: Uint8Array) => void) => Promise<StageState>,
): Promise<StageState> {
  const { stage, ports, signal } = run.context;
  const { report } = ports;
  const id = `${run.id}.${position}`;
  const began = performance.now();
  const end = (state: 'done' | 'failed' | 'cancelled', layerBytes: number | null): void =>
    report({ type: 'step-end', id, state, seconds: (performance.now() - began) / 1000, layerBytes });
  report({
    type: 'step-start',
    id,
    stage: stage.name ?? String(stage.index),
    ...(run.platform === null ? {} : { platform: run.platform }),
    number: run.numbering.first + position,
    total: run.numbering.total,
    title: step.title,
    at: step.at,
  });
  try {
    const next = await work((chunk) => report({ type: 'step-output', id, chunk }));
    end('done', step.kind === 'config' ? null : (next.layers.at(-1)?.descriptor.size ?? null));
    return next;
  } catch (error) {
    // What took the build down comes by as the reason of the abort, wherever it happened.
    const ownFault = error instanceof TsbuildError && error !== signal.reason;
    end(signal.aborted && !ownFault ? 'cancelled' : 'failed', null);
    throw locate(error, step.at);
  }
}
