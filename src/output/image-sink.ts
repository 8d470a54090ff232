/** Where a finished image goes. Layers may arrive before the image does; the image makes them visible. */
import type { Digest } from '../image/digest.ts';
import type { Images, Layer } from '../image/image.ts';

export interface Published {
  /** What users know it by: a reference, a file. */
  readonly where: string;
  /** Digest of the manifest; of the index where there are several images. */
  readonly digest: Digest;
}

export interface ImageSink {
  readonly label: string;
  /** Fails early when the image could not be delivered (permission, bad path): called before anything is built. */
  check(signal: AbortSignal): Promise<void>;
  /** Called for each layer as soon as it is known, base layers included: the sink may send it while the build goes on. Errors surface in `write`. */
  offer(layer: Layer, signal: AbortSignal): void;
  /** Everything that is not there yet, manifest last. Several images become one index, which comes after their manifests. */
  write(images: Images, signal: AbortSignal): Promise<Published>;
}
