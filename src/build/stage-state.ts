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
  /** The base's. */
  readonly baseHistory: readonly HistoryEntry[];
  /** What the steps added; entries without a layer get their date when the stage is finished. */
  readonly history: readonly HistoryEntry[];
}

export function treeOf(state: StageState): FileTree {
  return stackTree(state.materials.map((m) => m.index));
}

/** BuildKit signs its entries with this. */
const COMMENT = 'buildkit.dockerfile.v0';

export function withLayer(state: StageState, layer: Layer, material: LayerMaterial, createdBy: string, now: Date): StageState {
  return {
    ...state,
    layers: [...state.layers, layer],
    materials: [...state.materials, material],
    history: [...state.history, { created: now.toISOString(), created_by: createdBy, comment: COMMENT }],
  };
}

export function withoutLayer(state: StageState, createdBy: string): StageState {
  return { ...state, history: [...state.history, { created_by: createdBy, comment: COMMENT, empty_layer: true }] };
}
