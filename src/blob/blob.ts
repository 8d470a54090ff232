/** Content-addressed bytes as small capabilities: a source, a sink, and a store that is both. */
import type { Readable } from 'node:stream';
import type { Digest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';

export interface BlobSource {
  /** The blob's bytes. The stream fails with BLOB_DIGEST_MISMATCH when size or digest differ at its end; throws BLOB_NOT_FOUND. */
  open(descriptor: Descriptor, signal: AbortSignal): Promise<Readable>;
}

/** A blob on its way in, its digest not yet known. Exactly one of `commit` and `abort` is called, once. */
export interface BlobUpload {
  /** Resolves when the sink is ready for more: the slowest sink sets the pace. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the blob visible under its digest. `descriptor` is computed by the caller from the bytes written. */
  commit(descriptor: Descriptor): Promise<void>;
  abort(): Promise<void>;
}

export interface BlobSink {
  begin(signal: AbortSignal): Promise<BlobUpload>;
}

export interface BlobStore extends BlobSource, BlobSink {
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
}

/** Bytes on the move, told many times for one `id`. `totalBytes` null: not known. */
export interface Transfer {
  readonly id: string;
  readonly direction: 'pull' | 'push';
  readonly label: string;
  readonly bytes: number;
  readonly totalBytes: number | null;
  readonly state: 'running' | 'done' | 'exists' | 'mounted';
}

export type OnTransfer = (transfer: Transfer) => void;
