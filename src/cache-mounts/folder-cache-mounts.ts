/**
 * Cache mounts as folders below the cache folder, one per id, shared by all builds of this machine through flock(2):
 * a killed build gives its locks back by dying. Semantics: BuildKit solver/llbsolver/mounts.
 */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, existsSync, futimesSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { tryLock } from '../sys/flock.ts';
import { makeFolder } from '../sys/make-folder.ts';
import { removeTree } from '../sys/remove-tree.ts';
import type { CacheMount, CacheMountRequest, CacheMounts } from './cache-mounts.ts';
import { idFile, lockFile } from './mount-files.ts';

/** How often a folder that another run holds is asked for, in milliseconds. flock(2) that blocks would stop the whole process. */
const RETRY_MS = 50;
/** A second of waiting is worth a word. */
const NOTICED_TRIES = 20;

/** `folder` is made when first needed. `owners`: `skip` where this process may give files to nobody, and all seem to be root's anyway. */
export function folderCacheMounts(folder: string, owners: 'apply' | 'skip' = 'apply'): CacheMounts {
  return {
    async open(request, fill, signal) {
      try {
        makeFolder(folder);
        const make: Make = (path) => makeCache(path, { request, fill, owners });
        return request.sharing === 'private'
          ? await openPrivate(folder, request, make, signal)
          : await openNamed(folder, request, make, signal);
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof TsbuildError) throw cause;
        throw new TsbuildError('STORE_FAILED', `cannot open the cache mount "${request.id}": ${(cause as Error).message}`, { cause });
      }
    },
  };
}

type Fill = ((folder: string) => Promise<void>) | null;
/** Makes the folder `path`, which is not there. */
type Make = (path: string) => Promise<void>;

async function openNamed(folder: string, request: CacheMountRequest, make: Make, signal: AbortSignal): Promise<CacheMount> {
  const path = join(folder, keyOf(request));
  const hold = request.sharing === 'locked' ? 'exclusive' : 'shared';
  for (;;) {
    if (existsSync(path)) {
      const lock = await waitForLock(lockFile(path), hold, { signal, waiting: request.waiting });
      if (existsSync(path)) return held(path, lock);
      closeSync(lock);
    }
    // Not by waiting for this lock: who made the folder meanwhile may share it for long.
    if (!(await makeUnlessHeld(path, make))) await sleep(RETRY_MS, undefined, { signal });
  }
}

/** False: another one holds the lock, perhaps to make the folder. */
async function makeUnlessHeld(path: string, make: Make): Promise<boolean> {
  const lock = openSync(lockFile(path), 'a');
  try {
    if (!tryLock(lock, 'exclusive')) return false;
    if (!existsSync(path)) await make(path);
    touch(lock);
    return true;
  } finally {
    closeSync(lock);
  }
}

/** The first of `<id>`, `<id>.1`, ... that nobody uses. */
async function openPrivate(folder: string, request: CacheMountRequest, make: Make, signal: AbortSignal): Promise<CacheMount> {
  for (let n = 0; ; n++) {
    signal.throwIfAborted();
    const path = join(folder, keyOf(request) + (n === 0 ? '' : `.${n}`));
    const lock = openSync(lockFile(path), 'a');
    try {
      if (tryLock(lock, 'exclusive')) {
        if (!existsSync(path)) await make(path);
        return held(path, lock);
      }
    } catch (error) {
      closeSync(lock);
      throw error;
    }
    closeSync(lock);
  }
}

interface NewCache {
  readonly request: CacheMountRequest;
  readonly fill: Fill;
  readonly owners: 'apply' | 'skip';
}

async function makeCache(path: string, { request, fill, owners }: NewCache): Promise<void> {
  // Under a temporary name until it is complete: a build killed meanwhile leaves nothing that looks like a cache.
  const fresh = `${path}.new`;
  await removeTree(fresh);
  mkdirSync(fresh);
  if (fill !== null) await fill(fresh);
  if (owners === 'apply') chownSync(fresh, request.uid, request.gid);
  chmodSync(fresh, request.mode);
  renameSync(fresh, path);
  // For people, who know it by its id.
  writeFileSync(idFile(path), request.id);
}

/** The time of the lock file is that of the last use. */
function held(hostPath: string, lock: number): CacheMount {
  touch(lock);
  return {
    hostPath,
    [Symbol.dispose]() {
      touch(lock);
      closeSync(lock);
    },
  };
}

function touch(lock: number): void {
  const now = new Date();
  try {
    futimesSync(lock, now, now);
  } catch (error) {
    // Somebody else's file: whoever prunes takes the cache for older than it is.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

interface Wait {
  readonly signal: AbortSignal;
  readonly waiting: (() => void) | undefined;
}

async function waitForLock(path: string, kind: 'shared' | 'exclusive', { signal, waiting }: Wait): Promise<number> {
  const lock = openSync(path, 'a');
  try {
    for (let tries = 1; !tryLock(lock, kind); tries++) {
      if (tries === NOTICED_TRIES) waiting?.();
      await sleep(RETRY_MS, undefined, { signal });
    }
    return lock;
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

/** A mount that asks for another owner, mode or first content is another cache, as in BuildKit. Ids may hold any characters. */
function keyOf({ id, mode, uid, gid, seed }: CacheMountRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([id, mode, uid, gid, seed]))
    .digest('hex')
    .slice(0, 32);
}
