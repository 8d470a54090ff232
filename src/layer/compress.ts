/**
 * Compression of layers: the same bytes give the same result on every machine with the same zlib, however many cores it
 * has and however the input is cut into chunks.
 *
 * gzip is made of blocks that are deflated at once on libuv's threads and joined as ONE member, as pigz does: each block
 * knows the 32 KiB before it, ends on a byte boundary, and an empty final block closes the stream. A block that deflate could
 * not make smaller is stored as it is.
 * Specs: RFC 1951, RFC 1952.
 */
import { availableParallelism } from 'node:os';
import { constants, crc32, deflateRaw } from 'node:zlib';
import { TsbuildError } from '../errors.ts';
import type { LayerCompression } from '../image/media-types.ts';
import { isCompressible, WINDOW } from './compressible.ts';
import { nativeZstd } from './zstd.ts';

/** Bytes per block. Smaller ones cost ratio and calls, larger ones make small layers single-threaded. Changing it changes digests. */
const BLOCK = 512 * 1024;
/** The longest stored block of deflate. */
const STORED = 65_535;
/** Magic, deflate, no flags, mtime 0, no hint about the effort, operating system "unknown": nothing that varies. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** A final block of fixed Huffman codes without content. */
const EMPTY_FINAL_BLOCK = Buffer.from([0x03, 0x00]);

/** gzip's. 0.5 % more bytes than zlib's usual 6 (Debian's base, node_modules) for a fifth to a quarter less time; 4 costs 2.5 to 3 %. */
export const DEFAULT_LEVEL = 5;

export interface CompressOptions {
  readonly compression: LayerCompression;
  /** 0-9 for gzip, 1-22 for zstd; undefined: 5 and 3. */
  readonly level: number | undefined;
  readonly signal: AbortSignal;
}

/** Memory is bounded to a few blocks per core. Throws USAGE for a level out of range, NOT_SUPPORTED where this Node has no zstd. */
export function compress(source: AsyncIterable<Buffer>, options: CompressOptions): AsyncIterable<Buffer> {
  switch (options.compression) {
    case 'none':
      return source;
    case 'gzip':
      return gzip(source, levelOf(options.level ?? DEFAULT_LEVEL, 0, 9), options.signal);
    case 'zstd':
      return nativeZstd().compress(source, levelOf(options.level ?? 3, 1, 22));
  }
}

function levelOf(level: number, least: number, most: number): number {
  if (!Number.isInteger(level) || level < least || level > most) {
    throw new TsbuildError('USAGE', `compression level ${level} is not a whole number from ${least} to ${most}`);
  }
  return level;
}

async function* gzip(source: AsyncIterable<Buffer>, level: number, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  // One block per core in work and one ready behind it; on many cores libuv's threads are the limit, and memory the reason.
  const ahead = 2 * Math.min(availableParallelism(), 16) + 1;
  const running: Promise<Buffer>[] = [];
  let dictionary: Buffer | undefined;
  let crc = 0;
  let size = 0;
  try {
    yield GZIP_HEADER;
    for await (const block of blocksOf(source)) {
      signal.throwIfAborted();
      crc = crc32(block, crc);
      size += block.length;
      const deflate = level > 0 && isCompressible(block, dictionary);
      running.push(deflate ? deflateBlock(block, level, dictionary) : Promise.resolve(storeBlock(block)));
      dictionary = block.subarray(Math.max(0, block.length - WINDOW));
      if (running.length >= ahead) yield await (running.shift() as Promise<Buffer>);
    }
    for (let next = running.shift(); next !== undefined; next = running.shift()) yield await next;
    const trailer = Buffer.alloc(EMPTY_FINAL_BLOCK.length + 8);
    EMPTY_FINAL_BLOCK.copy(trailer);
    trailer.writeUInt32LE(crc, EMPTY_FINAL_BLOCK.length);
    trailer.writeUInt32LE(size % 2 ** 32, EMPTY_FINAL_BLOCK.length + 4);
    yield trailer;
  } finally {
    // Whoever stops early does not care for these any more, but their failure must not count as unhandled.
    await Promise.allSettled(running);
  }
}

/** The stream in pieces of exactly BLOCK bytes, the last one shorter: their boundaries depend on the bytes alone. */
async function* blocksOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  let pieces: Buffer[] = [];
  let gathered = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(chunk.length - at, BLOCK - gathered);
      pieces.push(chunk.subarray(at, at + take));
      gathered += take;
      at += take;
      if (gathered < BLOCK) continue;
      yield pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, gathered);
      pieces = [];
      gathered = 0;
    }
  }
  if (gathered > 0) yield Buffer.concat(pieces, gathered);
}

/** RFC 1951, 3.2.4: not the last block, of type 0, its length and the complement of that; it begins on a byte boundary. */
function storeBlock(block: Buffer): Buffer {
  const stored = Buffer.allocUnsafeSlow(block.length + 5 * Math.ceil(block.length / STORED));
  let used = 0;
  for (let at = 0; at < block.length; at += STORED) {
    const length = Math.min(STORED, block.length - at);
    stored[used] = 0;
    stored.writeUInt16LE(length, used + 1);
    stored.writeUInt16LE(STORED - length, used + 3);
    used += 5 + block.copy(stored, used + 5, at, at + length);
  }
  return stored;
}

function deflateBlock(block: Buffer, level: number, dictionary: Buffer | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    deflateRaw(
      block,
      {
        level,
        ...(dictionary === undefined ? {} : { dictionary }),
        finishFlush: constants.Z_SYNC_FLUSH,
        // Room for incompressible data, so that one call on a thread does it all.
        chunkSize: block.length + Math.ceil(block.length / 8) + 1024,
      },
      (error, deflated) => (error === null ? resolve(deflated) : reject(error)),
    );
  });
}
