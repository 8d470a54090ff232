/**
 * Use of what a cache folder keeps, while other processes prune it, from other containers too: pids and hosts lie there, so only
 * flock(2) and the times of files count. What a build uses, it marks with the present time under a shared lock; who prunes takes
 * the same lock alone for a moment, and evicts only what was last used before the oldest build that still lives began. So what
 * is held stays until the build ends, without a lock for each thing.
 */
import { closeSync, lstatSync, openSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { tryLock } from '../sys/flock.ts';
import { makeFolder } from '../sys/make-folder.ts';

export interface CacheUse {
  /** Marks the file `path` as in use by this build. False: it is not there. Throws STORE_FAILED. */
  hold(path: string): Promise<boolean>;
  /** Runs `work`, which is short and synchronous, while nothing is evicted: for what gets its name in the cache. Throws STORE_FAILED. */
  enter<T>(work: () => T): Promise<T>;
}

/** `sinceMs`: when this build's work folder was made, so that a clock that is set back meanwhile does not make its uses look old. */
export function cacheUse(cacheFolder: string, sinceMs: number): CacheUse {
  return {
    hold: (path) => locked(cacheFolder, 'shared', () => mark(path, Math.max(Date.now(), sinceMs))),
    enter: (work) => locked(cacheFolder, 'shared', work),
  };
}

/** Of a folder that nobody prunes. */
export const UNPRUNED: CacheUse = {
  hold: (path) => Promise.resolve(lstatSync(path, { throwIfNoEntry: false }) !== undefined),
  enter: async (work) => work(),
};

/** Runs `work`, which is short and synchronous, while nobody begins to use anything. Throws STORE_FAILED. */
export function withoutUsers<T>(cacheFolder: string, work: () => T): Promise<T> {
  return locked(cacheFolder, 'exclusive', work);
}

const LOCK = 'gc.lock';
const RETRY_MS = 2;
/** Locks are held for some milliseconds. Whoever holds one for longer stands still, with its container perhaps. */
const PATIENCE_MS = 60_000;

async function locked<T>(cacheFolder: string, kind: 'shared' | 'exclusive', work: () => T): Promise<T> {
  const path = join(cacheFolder, LOCK);
  const lock = openLock(cacheFolder, path);
  try {
    const begunMs = performance.now();
    // flock(2) that blocks would stop the whole process.
    while (!tryLock(lock, kind)) {
      if (performance.now() - begunMs > PATIENCE_MS) throw stuck(path);
      await sleep(RETRY_MS);
    }
    return work();
  } finally {
    closeSync(lock);
  }
}

function openLock(cacheFolder: string, path: string): number {
  try {
    makeFolder(cacheFolder);
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot lock the cache folder ${cacheFolder}: ${(cause as Error).message}`, { cause });
  }
}

function stuck(path: string): TsbuildError {
  return new TsbuildError('STORE_FAILED', `another process holds ${path} and does not go on`, {
    hint: 'end that tsbuild, or choose another folder with --cache-dir',
  });
}

function mark(path: string, timeMs: number): boolean {
  try {
    utimesSync(path, timeMs / 1000, timeMs / 1000);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    // Somebody else's file in a shared folder: used all the same, although that cannot be noted.
    if (code === 'EPERM') return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    throw new TsbuildError('STORE_FAILED', `cannot note the use of ${path}: ${(error as Error).message}`, { cause: error });
  }
}
