/**
 * Layers by their files: known by their headers, unpacked once per machine, sealed from entries. The build asks here and
 * never sees tars, compression or folders of the cache.
 */

import type { Layer } from '../image/image.ts';
import type { ImageFormat } from '../image/media-types.ts';
import type { LayerEntries } from '../layer/entry.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';

/** `index`: headers are enough for now. `folder`: a RUN will need the files, so unpack them in the same pass. */
export type LayerNeed = 'index' | 'folder';

export interface SealedStep {
  readonly layer: Layer;
  readonly material: LayerMaterial;
}

export interface LayerLibrary {
  /**
   * The files of a layer that exists already. Reads it once per machine; several callers share one read.
   * Throws what opening the layer throws, LAYER_INVALID, LAYER_PATH_ESCAPE, BLOB_DIGEST_MISMATCH.
   */
  material(layer: Layer, need: LayerNeed, signal: AbortSignal): Promise<LayerMaterial>;
  /** Packs, hashes, compresses and stores a new layer in one pass over the entries. */
  seal(entries: LayerEntries, how: { readonly format: ImageFormat; readonly need: LayerNeed }, signal: AbortSignal): Promise<SealedStep>;
  /** Entries as a folder only for this build, never a layer: what a bind mount shows. */
  place(entries: LayerEntries, signal: AbortSignal): Promise<LayerMaterial>;
}
