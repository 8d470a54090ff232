/** Folders of RUN --mount=type=cache, for whoever prunes or lists the cache folder. One that a RUN has is never touched. */
import { chmodSync, closeSync, existsSync, lstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CachedThing, namesIn, type Shelf } from '../blob/shelf.ts';
import { bytesOf, textOf } from '../bytes/byte-path.ts';
import { tryLock } from '../sys/flock.ts';
import { treeBytes } from '../sys/tree-bytes.ts';
import { idFile, lockFile, sizeFile } from './mount-files.ts';

/** The keys of folder-cache-mounts.ts, and its further folders for `sharing=private`. */
const NAMES = /^[0-9a-f]{32}(?:\.\d+)?$/;
const LONGEST_LABEL = 200;

/** `exact`: sizes are found out whenever there was a use since. `roughly`: not more than once an hour, since that is a walk. */
export function mountShelf(folder: string, sizes: 'exact' | 'roughly'): Shelf {
  const staleMs = sizes === 'exact' ? 0 : 3_600_000;

  const lastUsedMs = (name: string): number | null => {
    const path = join(folder, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return null;
    return lstatSync(lockFile(path), { throwIfNoEntry: false })?.mtimeMs ?? found.mtimeMs;
  };

  return {
    kind: 'mount',
    lastUsedMs,
    useless: () => [],
    check: async () => null,
    async list() {
      const found: CachedThing[] = [];
      for (const name of namesIn(folder)) {
        const usedMs = NAMES.test(name) ? lastUsedMs(name) : null;
        if (usedMs === null) continue;
        const path = join(folder, name);
        found.push({ kind: 'mount', name, label: labelOf(path) ?? name, bytes: await sizeOf(path, usedMs, staleMs), lastUsedMs: usedMs });
      }
      return found;
    },
    evict(name, to) {
      const path = join(folder, name);
      return (
        whileUnused(path, () => {
          try {
            renameSync(path, join(to, `mount-${name}`));
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
            // An ordinary user moves only folders that it may write to.
            chmodSync(path, 0o700);
            renameSync(path, join(to, `mount-${name}`));
          }
          rmSync(sizeFile(path), { force: true });
          rmSync(idFile(path), { force: true });
          return true;
        }) ?? false
      );
    },
  };
}

async function sizeOf(path: string, usedMs: number, staleMs: number): Promise<number> {
  const noted = read(sizeFile(path));
  const bytes = noted !== null && /^\d{1,15}$/.test(noted) ? Number(noted) : null;
  const notedMs = lstatSync(sizeFile(path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (bytes !== null && (notedMs > usedMs || Date.now() - notedMs < staleMs)) return bytes;
  // What a RUN writes right now is counted another time; and it could lead the walk elsewhere.
  const counted = whileUnused(path, () => treeBytes(path));
  if (counted === null) return bytes ?? 0;
  const found = await counted;
  writeFileSync(sizeFile(path), String(found));
  return found;
}

/** Null: somebody has the folder. */
function whileUnused<T>(path: string, work: () => T): T | null {
  const lock = openSync(lockFile(path), 'a');
  const done = (): void => closeSync(lock);
  try {
    if (!tryLock(lock, 'exclusive') || !existsSync(path)) {
      done();
      return null;
    }
    const result = work();
    if (result instanceof Promise) void result.then(done, done);
    else done();
    return result;
  } catch (error) {
    done();
    throw error;
  }
}

function labelOf(path: string): string | null {
  const id = read(idFile(path));
  return id === null ? null : textOf(bytesOf(id.slice(0, LONGEST_LABEL)));
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
