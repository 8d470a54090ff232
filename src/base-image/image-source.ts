/** Where base images come from. */
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';

/** An image that exists elsewhere. Its layers are not fetched until they are opened. */
export interface BaseImage extends Image {
  /** As the user wrote it, in full: `docker.io/library/debian:12`. */
  readonly ref: string;
  /** Digest of the image's manifest (not of the index that lists it). */
  readonly digest: Digest;
  /** Said once to the user, e.g. that the image is for another architecture. */
  readonly warnings: readonly string[];
}

export interface ImageSource {
  /** Throws REFERENCE_INVALID, REGISTRY_DENIED, REGISTRY_FAILED, IMAGE_INVALID, PLATFORM_INVALID. */
  resolve(ref: string, platform: Platform, signal: AbortSignal): Promise<BaseImage>;
}
