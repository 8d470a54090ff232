/**
 * From entries to a layer whose digests are known, in one pass: pack, hash, compress, hash, store. `sealLayer` is the only
 * bridge between the two, so nobody can ask an unread layer for its digest. Backward: see read-layer.ts.
 */
import { createHash } from 'node:crypto';
import type { BlobSink, BlobUpload } from '../blob/blob.ts';
import { type Digest, parseDigest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { type ImageFormat, type LayerCompression, layerMediaType } from '../image/media-types.ts';
import { observe } from '../stream/observe.ts';
import { compress } from './compress.ts';
import type { LayerEntries } from './entry.ts';
import { packEntries } from './pack.ts';
import type { MtimePrecision } from './tar/write.ts';
import type { TarTap } from './tar-tap.ts';

export interface SealTarOptions {
  /** All get the compressed bytes, at the pace of the slowest. */
  readonly sinks: readonly BlobSink[];
  readonly format: ImageFormat;
  readonly compression: LayerCompression;
  /** Undefined: the compression's default. */
  readonly level: number | undefined;
  readonly taps: readonly TarTap[];
  readonly signal: AbortSignal;
}

export interface SealOptions extends SealTarOptions {
  readonly mtime: MtimePrecision;
}

export interface SealedTar {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

export interface SealedLayer extends SealedTar {
  /** How many members the tar has; 0: the step changed nothing. */
  readonly entries: number;
}

/**
 * The same entries and options give the same digests. When it throws (see packEntries and compress; sinks and taps throw
 * what they like), no upload is left open and every tap has been told. Memory is bounded whatever the layer's size.
 */
export async function sealLayer(entries: LayerEntries, options: SealOptions): Promise<SealedLayer> {
  const { mtime, signal } = options;
  let count = 0;
  const tar = packEntries(entries, { mtime, signal, onEntry: () => count++ });
  return { ...(await sealTar(tar, options)), entries: count };
}

/** A layer whose tar is at hand. Throws what the tar's source throws; see `sealLayer` for the rest. */
export async function sealTar(tar: AsyncIterable<Buffer>, options: SealTarOptions): Promise<SealedTar> {
  const uploads: BlobUpload[] = [];
  try {
    for (const sink of options.sinks) uploads.push(await sink.begin(options.signal));
    const sealed = await writeAll(tar, options, uploads);
    // From here on each upload gets its commit, so none of them is aborted.
    const committing = uploads.splice(0).map((upload) => upload.commit(sealed.descriptor));
    throwFirst(await Promise.allSettled(committing));
    return sealed;
  } catch (error) {
    for (const tap of options.taps) tap.abort();
    await Promise.allSettled(uploads.map((upload) => upload.abort()));
    throw error;
  }
}

async function writeAll(tar: AsyncIterable<Buffer>, options: SealTarOptions, uploads: readonly BlobUpload[]): Promise<SealedTar> {
  const { format, compression, level, signal } = options;
  const plainHash = createHash('sha256');
  const blobHash = createHash('sha256');
  let size = 0;
  const seen = observe(tar, [(chunk) => plainHash.update(chunk), ...options.taps.map((tap) => (chunk: Buffer) => tap.write(chunk))]);
  for await (const chunk of compress(seen, { compression, level, signal })) {
    signal.throwIfAborted();
    blobHash.update(chunk);
    size += chunk.length;
    throwFirst(await Promise.allSettled(uploads.map((upload) => upload.write(chunk))));
  }
  for (const tap of options.taps) tap.end();
  const digest = parseDigest(`sha256:${blobHash.digest('hex')}`);
  return {
    descriptor: { mediaType: layerMediaType(format, compression), digest, size },
    diffId: parseDigest(`sha256:${plainHash.digest('hex')}`),
  };
}

/** All have settled, so nothing is in flight any more; then the first failure counts. */
function throwFirst(results: readonly PromiseSettledResult<void>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
