/**
 * Archives of layers as they are without compression, from the pass that made their index to the one that lays them somewhere:
 * what is decompressed once need not be so again. Each is for one replay.
 */
import { closeSync, createReadStream, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { TarTap } from '../layer/tar-tap.ts';

/** Of compressed bytes: beyond that the disk, which will also hold the files, counts more than the time. */
const MOST_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 1 << 20;

export interface PlainArchives {
  /** Null: there are enough. The archive can be taken once the tap has ended. */
  tap(diffId: Digest, compressedBytes: number): TarTap | null;
  /** Null: there is none, or somebody else has taken it. Its file goes with the stream. Whoever reads it checks its digest. */
  take(diffId: Digest): Readable | null;
}

interface Archive {
  readonly path: string;
  readonly bytes: number;
}

/** `folder`: absolute, this build's own. */
export function plainArchives(folder: string): PlainArchives {
  const ready = new Map<Digest, Archive>();
  let made = 0;
  let held = 0;
  const drop = ({ path, bytes }: Archive): void => {
    held -= bytes;
    rmSync(path, { force: true });
  };

  return {
    tap(diffId, bytes) {
      if (held + bytes > MOST_BYTES || ready.has(diffId)) return null;
      const archive = { path: join(folder, `archive-${made++}`), bytes };
      const fd = guarded(folder, () => openSync(archive.path, 'wx', 0o600));
      held += bytes;
      let state: 'open' | 'whole' | 'gone' = 'open';
      return {
        write: (chunk) => guarded(folder, () => writeAll(fd, chunk)),
        end() {
          state = 'whole';
          guarded(folder, () => closeSync(fd));
          ready.set(diffId, archive);
        },
        abort() {
          if (state === 'open') closeSync(fd);
          // Somebody may have taken it meanwhile.
          if (state === 'open' || (state === 'whole' && ready.delete(diffId))) drop(archive);
          state = 'gone';
        },
      };
    },

    take(diffId) {
      const archive = ready.get(diffId);
      if (archive === undefined) return null;
      ready.delete(diffId);
      return createReadStream(archive.path, { highWaterMark: READ_BYTES }).once('close', () => drop(archive));
    },
  };
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at, chunk.length - at);
}

function guarded<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot keep a layer in ${folder}: ${(cause as Error).message}`, { cause });
  }
}
