/**
 * Decompression of layers and of archives for ADD, chosen by the bytes themselves or by the media type.
 *
 * gzip is Node's. zstd is Node's where it has it. bzip2, xz and (before Node 22.15) zstd are the programs of that name:
 * the pure JavaScript packages are five to ten times slower or miss errors, and a child process runs beside our own work.
 */
import { spawn } from 'node:child_process';
import { addAbortSignal, pipeline, type Readable, type Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { TsbuildError } from '../errors.ts';
import type { LayerCompression } from '../image/media-types.ts';
import { hasNativeZstd, nativeZstd } from './zstd.ts';
import { cutAtFrames } from './zstd-frames.ts';

export type Compression = LayerCompression | 'bzip2' | 'xz';

/** How many bytes `sniffCompression` wants to see. */
export const SNIFF_BYTES = 10;

const CHUNK = 512 * 1024;
/** Of what a program writes to stderr. */
const MAX_COMPLAINT = 2000;

/** By magic bytes; 'none' when they are of no known format, which says nothing about what it is. */
export function sniffCompression(head: Uint8Array): Compression {
  const begins = (...magic: readonly number[]): boolean => magic.every((byte, i) => head[i] === byte);
  if (begins(0x1f, 0x8b, 0x08)) return 'gzip';
  // bzip2: "BZh", level, then the magic of a block or of the end.
  if (begins(0x42, 0x5a, 0x68) && (head[3] ?? 0) >= 0x31 && (head[3] ?? 0) <= 0x39 && (head[4] === 0x31 || head[4] === 0x17))
    return 'bzip2';
  if (begins(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  // A skippable frame may stand first (zstd:chunked, pzstd).
  if ((head[0] ?? 0) >> 4 === 0x5 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18) return 'zstd';
  return 'none';
}

/**
 * The plain bytes. `source` is destroyed with the result, whichever ends first. The result fails with LAYER_INVALID for
 * damaged or truncated data, with NOT_SUPPORTED when a program is missing, and with the source's own error or the
 * signal's reason. Several gzip members, zstd frames and xz or bzip2 streams in a row are one.
 */
export function decompress(source: Readable, compression: Compression, signal: AbortSignal): AsyncIterable<Buffer> {
  switch (compression) {
    case 'none':
      return plain(source, signal);
    case 'gzip':
      return through(source, { compression, transform: createGunzip({ chunkSize: CHUNK }) }, signal);
    case 'zstd':
      return hasNativeZstd()
        ? through(source, { compression, transform: nativeZstd().decompressor(), cut: cutAtFrames }, signal)
        : byProgram(source, 'zstd', signal);
    case 'bzip2':
    case 'xz':
      return byProgram(source, compression, signal);
  }
}

async function* plain(source: Readable, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    yield chunk as Buffer;
  }
}

interface Native {
  readonly compression: Compression;
  readonly transform: Transform;
  /** Reshapes the chunks before they reach the transform. */
  readonly cut?: (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;
}

async function* through(source: Readable, native: Native, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const { compression, transform, cut } = native;
  // Both kinds of error reach the transform's reader; only those of the data are LAYER_INVALID.
  let sourceError: unknown;
  source.once('error', (error) => (sourceError = error));
  addAbortSignal(signal, transform);
  const done = (): void => undefined;
  if (cut === undefined) pipeline(source, transform, done);
  else pipeline(source, cut, transform, done);
  try {
    for await (const chunk of transform) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    throw sourceError ?? damaged(compression, (error as Error).message, error);
  } finally {
    // pipeline() closes a source behind `cut` only once its next chunk has come.
    source.destroy();
  }
}

/** `program -dc` reads the source on stdin. */
async function* byProgram(
  source: Readable,
  program: 'bzip2' | 'xz' | 'zstd',
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const child = spawn(program, ['-d', '-c', '-q'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let sourceError: unknown;
  let complaint = '';
  const ended = new Promise<{ code: number | null; error?: NodeJS.ErrnoException }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }));
    child.once('close', (code) => resolve({ code }));
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, MAX_COMPLAINT);
  });
  // The program may end before it has read all (damaged data): that shows in its exit code, not as EPIPE.
  pipeline(source, child.stdin, (error) => {
    if (error && error.code !== 'EPIPE' && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') sourceError = error;
    if (sourceError !== undefined) child.kill('SIGKILL');
  });
  const onAbort = (): void => {
    source.destroy();
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const { code, error } = await ended;
    signal.throwIfAborted();
    if (sourceError !== undefined) throw sourceError;
    if (error !== undefined) throw missing(program, error);
    if (code !== 0) throw damaged(program, complaint.trim() || `${program} failed`, undefined);
  } finally {
    signal.removeEventListener('abort', onAbort);
    source.destroy();
    child.kill('SIGKILL');
  }
}

function missing(program: string, cause: NodeJS.ErrnoException): TsbuildError {
  return new TsbuildError(
    'NOT_SUPPORTED',
    `${program} data cannot be read: the program "${program}" did not start (${cause.code ?? cause.message})`,
    {
      hint: program === 'zstd' ? 'use Node 22.15 or newer, or install zstd' : `install ${program === 'xz' ? 'xz-utils' : program}`,
      cause,
    },
  );
}

function damaged(compression: Compression, why: string, cause: unknown): TsbuildError {
  return new TsbuildError('LAYER_INVALID', `damaged ${compression} data: ${why.replace(/\s+/g, ' ')}`, { cause });
}
