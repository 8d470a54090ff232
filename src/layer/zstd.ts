/**
 * zstd as Node's zlib has it since 22.15 and 23.8. On older ones reading falls back to the program `zstd` (see decompress.ts)
 * and writing is refused, since no npm package tried reads layers safely. Unbounded: @toondepauw/node-zstd 2.0.0 (1 GB of output
 * at once for 31 KB); wrong or endless: fzstd 0.1.1, @hpcc-js/wasm-zstd 1.12.5, zstddec 0.3.4; a download or build: zstd-napi 0.0.13.
 */
import { pipeline, Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { TsbuildError } from '../errors.ts';

export interface NativeZstd {
  compress(source: AsyncIterable<Buffer>, level: number): AsyncIterable<Buffer>;
  /** A transform from compressed to plain bytes. */
  decompressor(): Transform;
}

type ZstdOptions = { readonly chunkSize?: number; readonly params?: Readonly<Record<number, number>> };
type MaybeZstd = {
  readonly createZstdCompress?: (options: ZstdOptions) => Transform;
  readonly createZstdDecompress?: (options: ZstdOptions) => Transform;
};

/** Of zstd.h, the same in every version. */
const ZSTD_C_COMPRESSION_LEVEL = 100;
const CHUNK = 1024 * 1024;

export function hasNativeZstd(): boolean {
  return (zlib as MaybeZstd).createZstdDecompress !== undefined;
}

/** Throws NOT_SUPPORTED where this Node has none. */
export function nativeZstd(): NativeZstd {
  const { createZstdCompress, createZstdDecompress } = zlib as MaybeZstd;
  if (createZstdCompress === undefined || createZstdDecompress === undefined) {
    throw new TsbuildError('NOT_SUPPORTED', `zstd compression is not possible with Node ${process.versions.node}`, {
      hint: 'use Node 22.15 or newer, or gzip',
    });
  }
  return {
    compress(source, level) {
      const compressor = createZstdCompress({ chunkSize: CHUNK, params: { [ZSTD_C_COMPRESSION_LEVEL]: level } });
      // The error reaches whoever reads the compressor.
      pipeline(Readable.from(source), compressor, () => undefined);
      return compressor;
    },
    // Windows of more than 128 MiB (zstd's own limit) stay refused: they are the reader's memory.
    decompressor: () => createZstdDecompress({ chunkSize: CHUNK }),
  };
}
