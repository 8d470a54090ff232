/**
 * Digests of files, remembered between builds by what stat(2) said of them: an unchanged context is not read again. As in
 * git's index, what was changed shortly before it was hashed is not remembered: a further change could leave the same times.
 */
import { createHash, hash } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf as digestOfBytes } from '../image/digest.ts';
import type { FileContent, FileStamp } from '../layer/entry.ts';
import { type DigestTable, LARGEST_TABLE, readTable } from './digest-table.ts';
import type { FileDigests } from './file-digests.ts';

export interface StatDigestOptions {
  /** `<cache>/contexts`, made when something is written; null: nothing is remembered. */
  readonly folder: string | null;
  /** The folder of this machine that is the context, absolute: what is remembered of it is in one file. */
  readonly root: string;
  /** Existing folder of the same file system, for a file that is being written. */
  readonly workFolder: string;
  now(): Date;
}

type HostContent = Extract<FileContent, { at: 'host' }>;

/** Times of two whole seconds, as on FAT, and a clock that lags a little. */
const RACY_NS = 3_000_000_000n;

/** Read by one call, into a buffer that all share. */
const ONE_READ = 1024 * 1024;
const PIECES_PER_TURN = 8;

export function statDigests(options: StatDigestOptions): FileDigests {
  const { folder, root, workFolder, now } = options;
  const file = folder === null ? null : join(folder, hash('sha256', root, 'hex'));
  let table: DigestTable | null = null;
  let buffer: Buffer | null = null;

  function digestOf(content: FileContent, size: number, signal: AbortSignal): Promise<Digest> | Digest {
    if (content.at === 'memory') return digestOfBytes(content.bytes);
    if (content.at === 'deferred') return content.locate(signal).then((found) => digestOf(found, size, signal));
    const { path, stamp } = content;
    if (stamp === undefined) return hashed(content, size, signal, () => undefined);
    table ??= readTable(file === null ? Buffer.alloc(0) : bytesAt(file));
    const state = { stamp, size, path };
    const remembered = table.find(state);
    if (remembered !== undefined) return remembered;
    const begun = BigInt(now().getTime()) * 1_000_000n;
    return hashed(content, size, signal, (hex) => {
      table?.add(state, hex, isSettled(stamp, begun) ? 'keep' : 'forget');
    });
  }

  function hashed(content: HostContent, size: number, signal: AbortSignal, learn: (hex: string) => void): Promise<Digest> | Digest {
    const result = (hex: string): Digest => {
      learn(hex);
      return `sha256:${hex}` as Digest;
    };
    if (size >= ONE_READ) return hashLarge(content, size, signal).then(result);
    buffer ??= Buffer.allocUnsafe(ONE_READ);
    return result(hashSmall(content, size, buffer));
  }

  return {
    digestOf,
    async save() {
      if (file === null || folder === null || table === null) return;
      try {
        // Whoever bounds the cache goes by when something was used.
        if (!table.hasNews) return utimesSync(file, now(), now());
        mkdirSync(folder, { recursive: true });
        replaceFile(file, join(workFolder, `digests-${process.hrtime.bigint()}`), table.bytes());
      } catch {
        // A folder that cannot be written: the next build reads its files once more.
      }
    },
  };
}

function isSettled({ mtimeNs, ctimeNs }: FileStamp, begun: bigint): boolean {
  return mtimeNs < begun - RACY_NS && ctimeNs < begun - RACY_NS;
}

function replaceFile(path: string, temporary: string, bytes: Uint8Array): void {
  try {
    writeFileSync(temporary, bytes, { flag: 'wx' });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Nothing when there is no such file, it cannot be read or is none of ours: then all is hashed anew. */
function bytesAt(path: string): Uint8Array<ArrayBuffer> {
  try {
    return withFile(path, (fd) => {
      const stats = fstatSync(fd);
      if (!stats.isFile() || stats.size > LARGEST_TABLE) return new Uint8Array(0);
      const bytes = new Uint8Array(new ArrayBuffer(stats.size));
      return bytes.subarray(0, readFully(fd, bytes));
    });
  } catch {
    return new Uint8Array(0);
  }
}

/** Not following symlinks and not waiting for a fifo's writer: the file may have been replaced since it was looked at. */
function withFile<T>(path: string | Buffer, action: (fd: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return action(fd);
  } finally {
    closeSync(fd);
  }
}

/** Up to the end of the file or of `into`. */
function readFully(fd: number, into: Uint8Array): number {
  let end = 0;
  for (let count = -1; count !== 0 && end < into.length; end += count) count = readSync(fd, into, end, into.length - end, null);
  return end;
}

function hashSmall(content: HostContent, size: number, buffer: Buffer): string {
  return attempt(content, () =>
    withFile(content.path, (fd) => {
      requireSame(content, fd);
      // One byte more than expected shows growth.
      const count = readFully(fd, buffer.subarray(0, size + 1));
      if (count !== size) throw changed(content);
      return hash('sha256', buffer.subarray(0, size), 'hex');
    }),
  );
}

async function hashLarge(content: HostContent, size: number, signal: AbortSignal): Promise<string> {
  const sum = createHash('sha256');
  const buffer = Buffer.allocUnsafe(ONE_READ);
  const fd = attempt(content, () => openSync(content.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
  try {
    attempt(content, () => requireSame(content, fd));
    let left = size;
    for (let pieces = 1; ; pieces++) {
      const count = attempt(content, () => readFully(fd, buffer));
      if (count > left) throw changed(content);
      sum.update(buffer.subarray(0, count));
      left -= count;
      if (count < buffer.length) break;
      if (pieces % PIECES_PER_TURN !== 0) continue;
      await setImmediate();
      signal.throwIfAborted();
    }
    if (left > 0) throw changed(content);
    return sum.digest('hex');
  } finally {
    closeSync(fd);
  }
}

function requireSame(content: HostContent, fd: number): void {
  const { stamp, inode } = content;
  if (stamp === undefined && inode === undefined) return;
  const stats = fstatSync(fd, { bigint: true });
  const same =
    stamp === undefined
      ? Number(stats.ino) === inode
      : stats.ino === stamp.inode && stats.dev === stamp.device && stats.mtimeNs === stamp.mtimeNs && stats.ctimeNs === stamp.ctimeNs;
  if (!same) throw changed(content);
}

function attempt<T>(content: HostContent, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof TsbuildError) throw error;
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new TsbuildError('COPY_FAILED', `"${nameOf(content)}" cannot be read: ${why}`, { cause: error });
  }
}

function changed(content: HostContent): TsbuildError {
  return new TsbuildError('COPY_FAILED', `"${nameOf(content)}" changed after it was found`);
}

function nameOf({ path }: HostContent): string {
  return textOf(typeof path === 'string' ? path : path.toString('latin1'));
}
