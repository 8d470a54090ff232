/** --single-snapshot: what the steps of a stage changed as one layer on what the stage began with. */
import type { HistoryEntry } from '../image/image.ts';
import { mergeLayers } from '../layer/merge-layers.ts';
import type { LayerLibrary, LayerNeed } from '../unpacked/layer-library.ts';
import type { StageState } from './stage-state.ts';

export interface SquashTools {
  readonly layers: LayerLibrary;
  /** What will be asked of the one layer. */
  readonly need: LayerNeed;
  readonly signal: AbortSignal;
}

/**
 * `end` with all layers that it has beyond `start`, what the stage began with, as one. Resolves when the seals of those have ended; its
 * own goes on. A stage that is FROM another one of the file stands on that one's own layer. Reads the files of every layer that is
 * merged, also of those that a cache had. Reference: Kaniko, executor/build.go, shouldTakeSnapshot.
 */
export async function squashStage(start: StageState, end: StageState, { layers, need, signal }: SquashTools): Promise<StageState> {
  const below = start.layers.length;
  if (end.layers.length - below < 2) return end;
  // Of the sealed layers: a rootfs knows more of its own, and what a cache answers must make the same image.
  const materials = end.layers.map(async ({ layer }) => layers.material(await layer, 'index', signal));
  await Promise.allSettled(materials);
  const indexes = (await Promise.all(materials)).map(({ index }) => index);
  const entries = [...mergeLayers(indexes.slice(0, below), indexes.slice(below))];
  const { layer, material } = layers.seal(entries, { format: end.format, need }, signal);
  return {
    ...end,
    layers: [...start.layers, { layer, material: async () => material }],
    history: squashedHistory(end.history, start.history.length),
  };
}

/** The last step that made a layer has it; the others from `first` on are entries without one. */
function squashedHistory(history: readonly HistoryEntry[], first: number): readonly HistoryEntry[] {
  const last = history.findLastIndex((entry) => entry.empty_layer !== true);
  return history.map((entry, i) => {
    if (i < first || i === last || entry.empty_layer === true) return entry;
    // Without a date of its own it gets that of its neighbours when the image is finished.
    const { created: _, ...rest } = entry;
    return { ...rest, empty_layer: true };
  });
}
