/** Where images of a cache are: a repository of a registry, or a folder. What they mean is not known here. */

import type { Document } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Descriptor, Layer } from '../image/image.ts';
import type { BlobToPush } from '../registry/registry-client.ts';

export interface PlacedManifest {
  readonly bytes: Uint8Array;
  readonly contentType: string | null;
  /** The repository that answered, `host/path`; null: a folder. */
  readonly origin: string | null;
}

export interface CachePlace {
  /** For messages. */
  readonly label: string;
  /** By a tag or by a digest; null: there is none. */
  manifest(name: string | Digest, signal: AbortSignal): Promise<PlacedManifest | null>;
  /** A small blob, verified. */
  blob(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
  /** The blob can be opened, as far as can be told without reading it. */
  hasBlob(descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;
  open(descriptor: Descriptor, signal: AbortSignal): ReturnType<Layer['open']>;
  putBlob(blob: BlobToPush, signal: AbortSignal): Promise<void>;
  /** All that it names is there already. */
  putManifest(manifest: Document, tag: string, signal: AbortSignal): Promise<void>;
}
