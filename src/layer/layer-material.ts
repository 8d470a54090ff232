/** A layer by its files, for whoever makes a file system of layers. */
import type { Digest } from '../image/digest.ts';
import type { LayerIndex } from './layer-index.ts';
import type { TarHandler } from './tar/member.ts';

/** All calls may be made many times and at once. */
export interface LayerMaterial {
  /** Waits for the end of a seal where the layer is being made. */
  diffId(): Promise<Digest>;
  readonly index: LayerIndex;
  /** Absolute path of a folder that holds the unpacked layer in overlay form (whiteouts as the kernel's overlay wants them). Never changed by anybody. */
  folder(signal: AbortSignal): Promise<string>;
  /**
   * Shows every member of the layer's archive with its content, in the archive's order, to whoever lays it into a folder of their
   * own. Throws what `folder` throws, and what `to` throws.
   */
  replay(to: TarHandler, signal: AbortSignal): Promise<void>;
}
