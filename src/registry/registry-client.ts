/** What may be asked of an OCI registry. Spec: OCI distribution-spec. */
import type { Readable } from 'node:stream';
import type { BlobSink } from '../blob/blob.ts';
import type { Document } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Descriptor, Layer } from '../image/image.ts';
import type { Reference } from '../image/reference.ts';

export type RepositoryName = Pick<Reference, 'registry' | 'repository'>;

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  /** Of `bytes`. */
  readonly digest: Digest;
  readonly contentType: string | null;
  /** The repository that answered, `host/path`: a mirror's, where one did. */
  readonly origin: string;
}

export type BlobToPush = Pick<Layer, 'descriptor' | 'origins' | 'open'>;

/**
 * Everything throws REGISTRY_DENIED, REGISTRY_FAILED and AUTH_CONFIG_INVALID, mostly as RegistryError, and the signal's
 * reason. All methods may be called at the same time; what is asked for twice at once is done once.
 */
export interface RegistryClient {
  /** What a tag points to, without counting as a pull. Null when the registry does not tell, or there is no such tag. */
  findDigest(reference: Reference, signal: AbortSignal): Promise<Pick<FetchedManifest, 'digest' | 'origin'> | null>;
  /** By digest, else by tag, else `latest`. Throws BLOB_DIGEST_MISMATCH. */
  getManifest(reference: Reference, signal: AbortSignal): Promise<FetchedManifest>;
  /** The blob's bytes, verified. Foreign blobs come from their `urls`. Throws BLOB_NOT_FOUND; the stream fails with BLOB_DIGEST_MISMATCH. */
  openBlob(from: RepositoryName, descriptor: Descriptor, signal: AbortSignal): Promise<Readable>;

  /** False: the registry says that there is no such blob. An answer that says neither counts as true. Throws when there is none. */
  hasBlob(from: RepositoryName, descriptor: Descriptor, signal: AbortSignal): Promise<boolean>;

  /** Fails when nothing could be pushed. Opens an upload and cancels it. */
  checkPush(to: RepositoryName, signal: AbortSignal): Promise<void>;
  /** Makes sure that the repository has the blob: it is there already, is mounted from a repository of the same registry, or is sent. */
  pushBlob(to: RepositoryName, blob: BlobToPush, signal: AbortSignal): Promise<void>;
  /** Uploads of blobs whose digest is known only at their end. They cannot be tried again. */
  blobSink(to: RepositoryName): BlobSink;
  /** `tag` null: by digest only. All that the manifest names must be there. */
  pushManifest(to: RepositoryName, manifest: Document, tag: string | null, signal: AbortSignal): Promise<void>;

  /** Closes idle connections. */
  close(): void;
}
