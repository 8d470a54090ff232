/**
 * A compressed layer read to its end: decompressed, verified, shown to taps (TarReaders that index or unpack it). The
 * compressed bytes are verified by whoever opened them.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { LayerCompression } from '../image/media-types.ts';
import { decompress } from './decompress.ts';
import type { TarTap } from './tar-tap.ts';

export interface ReadLayerOptions {
  readonly compression: LayerCompression;
  readonly taps: readonly TarTap[];
  /** From the image's config. */
  readonly expectedDiffId: Digest;
  readonly signal: AbortSignal;
}

/**
 * Resolves to the number of uncompressed bytes. The taps' `end` is called only after the diffId has been found right;
 * taps must not make anything visible before that. Throws BLOB_DIGEST_MISMATCH, LAYER_INVALID, what `compressed` fails
 * with, and what taps throw; then every tap has been aborted and `compressed` is destroyed.
 */
export async function readLayer(compressed: Readable, options: ReadLayerOptions): Promise<number> {
  const { compression, taps, expectedDiffId, signal } = options;
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of decompress(compressed, compression, signal)) {
      hash.update(chunk);
      size += chunk.length;
      for (const tap of taps) tap.write(chunk);
    }
    const found = `sha256:${hash.digest('hex')}`;
    if (found !== expectedDiffId) {
      throw new TsbuildError('BLOB_DIGEST_MISMATCH', `a layer's content is ${found}, but the image says ${expectedDiffId}`, {
        hint: 'the image is damaged or was tampered with: pull it again or choose another one',
      });
    }
    for (const tap of taps) tap.end();
    return size;
  } catch (error) {
    for (const tap of taps) tap.abort();
    throw error;
  } finally {
    compressed.destroy();
  }
}
