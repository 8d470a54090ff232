/** A stage's files and history so far, as an immutable value: each step makes the next one. */

import type { HistoryEntry, ImageConfig, Layer } from '../image/image.ts';
import type { ImageFormat } from '../image/media-types.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { stackTree } from '../layer/stack-tree.ts';
import type { FileTree } from '../layer/tree.ts';

export interface StageState {
  /** What the stage began with: fields that no instruction changes are taken from here. Null for scratch. */
  readonly baseConfig: ImageConfig | null;
  readonly format: ImageFormat;
  /** Lowest first; `layers[i]` and `materials[i]` are the same layer. */
  readonly layers: readonly Layer[];
  readonly materials: readonly LayerMaterial[];
  readonly history: readonly HistoryEntry[];
  /** RFC 3339; when the newest layer was made, or the base's `created`. */
  readonly created: string | null;
}

export function treeOf(state: StageState): FileTree {
  return stackTree(state.materials.map((m) => m.index));
}

/** BuildKit signs its entries with this. */
const COMMENT = 'buildkit.dockerfile.v0';

export function withLayer(state: StageState, layer: Layer, material: LayerMaterial, createdBy: string, now: Date): StageState {
  const created = now.toISOString();
  return {
    ...state,
    layers: [...state.layers, layer],
    materials: [...state.materials, material],
    history: [...state.history, historyEntry(createdBy, created, 'layer')],
    created,
  };
}

/** An instruction without a layer: dated like the newest layer, so that a rebuild of unchanged layers gives the same image. */
export function withoutLayer(state: StageState, createdBy: string): StageState {
  return { ...state, history: [...state.history, historyEntry(createdBy, state.created, 'empty')] };
}

function historyEntry(createdBy: string, created: string | null, kind: 'layer' | 'empty'): HistoryEntry {
  return {
    ...(created === null ? {} : { created }),
    created_by: createdBy,
    comment: COMMENT,
    ...(kind === 'empty' ? { empty_layer: true } : {}),
  };
}
