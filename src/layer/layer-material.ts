/** A layer by its files, for whoever makes a file system of layers. */
import type { Digest } from '../image/digest.ts';
import type { LayerIndex } from './layer-index.ts';

/** All calls may be made many times and at once. */
export interface LayerMaterial {
  readonly diffId: Digest;
  readonly index: LayerIndex;
  /** Absolute path of a folder that holds the unpacked layer in overlay form (whiteouts as the kernel's overlay wants them). Never changed by anybody. */
  folder(signal: AbortSignal): Promise<string>;
}
