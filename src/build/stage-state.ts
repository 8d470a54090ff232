/** A stage's files and history so far, as an immutable value: each step makes the next one. */

import type { HistoryEntry, ImageConfig, Layer } from '../image/image.ts';
import type { ImageFormat } from '../image/media-types.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { stackTree } from '../layer/stack-tree.ts';
import type { FileTree } from '../layer/tree.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';

/** A layer of a stage. It may be on its way to being sealed, and nobody may have looked at its files so far. */
export interface StageLayer {
  /** Whoever made the promise sees to it that its failure ends the build. */
  readonly layer: Promise<Layer>;
  /** Its files. Those of a layer that came from elsewhere are fetched when they are asked for. */
  material(need: LayerNeed): Promise<LayerMaterial>;
}

export interface StageState {
  /** What the stage began with: fields that no instruction changes are taken from here. Null for scratch. */
  readonly baseConfig: ImageConfig | null;
  readonly format: ImageFormat;
  /** Lowest first. */
  readonly layers: readonly StageLayer[];
  /** What steps made that their keys do not determine, lowest first: on it depends what caches may answer above. */
  readonly undetermined: readonly Promise<Layer>[];
  /** The base's. */
  readonly baseHistory: readonly HistoryEntry[];
  /** What the steps added; entries without a layer get their date when the stage is finished. */
  readonly history: readonly HistoryEntry[];
}

/** When one of them fails, the others have settled, too. */
export async function materialsOf({ layers }: Pick<StageState, 'layers'>, need: LayerNeed): Promise<readonly LayerMaterial[]> {
  const materials = layers.map((layer) => layer.material(need));
  await Promise.allSettled(materials);
  return Promise.all(materials);
}

/** `need`: what will be asked of the same layers next, so that they are read once. */
export async function treeOf(state: StageState, need: LayerNeed): Promise<FileTree> {
  return stackTree((await materialsOf(state, need)).map((material) => material.index));
}

/** BuildKit signs its entries with this. */
const COMMENT = 'buildkit.dockerfile.v0';

export interface LayerMaking {
  /** RFC 3339 */
  readonly created: string;
  readonly createdBy: string;
  readonly made: 'by its key' | 'by its run';
}

export function withLayer(state: StageState, layer: StageLayer, { created, createdBy, made }: LayerMaking): StageState {
  return {
    ...state,
    layers: [...state.layers, layer],
    undetermined: made === 'by its key' ? state.undetermined : [...state.undetermined, layer.layer],
    history: [...state.history, { created, created_by: createdBy, comment: COMMENT }],
  };
}

export function withoutLayer(state: StageState, createdBy: string): StageState {
  return { ...state, history: [...state.history, { created_by: createdBy, comment: COMMENT, empty_layer: true }] };
}
