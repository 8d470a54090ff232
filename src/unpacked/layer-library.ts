/**
 * Layers by their files: known by their headers, unpacked once per machine, sealed from entries. The build asks here and
 * never sees tars, compression or folders of the cache.
 */

import type { Layer } from '../image/image.ts';
import type { ImageFormat } from '../image/media-types.ts';
import type { LayerEntries, LayerEntry } from '../layer/entry.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';

/**
 * `index`: headers are enough for now. `archive`: a RUN will need the files, laid from the archive, so it is kept as it is without
 * compression. `folder`: a RUN will need the files, so unpack them in the same pass.
 */
export type LayerNeed = 'index' | 'archive' | 'folder';

/** A new layer on its way. */
export interface Seal {
  /** Rejects with what packing, compressing and storing throw, and the signal's reason. */
  readonly layer: Promise<Layer>;
  /** Its index is there at once, its files where the entries have them; what else is asked of it waits for the end of the seal. */
  readonly material: LayerMaterial;
  /** The same for whoever changes the files that the entries lead to: its files are those of the sealed layer. Rejects as `layer` does. */
  readonly kept: Promise<LayerMaterial>;
}

export interface LayerLibrary {
  /**
   * The files of a layer that exists already. Reads it once per machine; several callers share one read.
   * Throws what opening the layer throws, LAYER_INVALID, LAYER_PATH_ESCAPE, BLOB_DIGEST_MISMATCH.
   */
  material(layer: Layer, need: LayerNeed, signal: AbortSignal): Promise<LayerMaterial>;
  /**
   * Begins to pack, hash, compress and store a new layer in one pass over the entries, whose content has to stay until `layer`
   * has settled. Throws LAYER_INVALID and LAYER_PATH_ESCAPE for entries that make no layer.
   */
  seal(entries: readonly LayerEntry[], how: { readonly format: ImageFormat; readonly need: LayerNeed }, signal: AbortSignal): Seal;
  /** Entries as a folder only for this build, never a layer: what a bind mount shows. */
  place(entries: LayerEntries, signal: AbortSignal): Promise<LayerMaterial>;
}
