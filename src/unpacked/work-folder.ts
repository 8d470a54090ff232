/**
 * The scratch folder of one build inside the cache folder. It is locked as long as the build lives, so that a later
 * build can tell what a killed one left behind and remove it; pids would lie across containers that share the folder.
 */
import { closeSync, existsSync, fstatSync, lstatSync, mkdtempSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { tryLock } from '../sys/flock.ts';
import { makeFolder } from '../sys/make-folder.ts';
import { removeTree } from '../sys/remove-tree.ts';
import { spreadFolders } from '../sys/spread-folders.ts';

export interface WorkFolder extends AsyncDisposable {
  /** Absolute. That of openWorkFolder is on the file system of the cache, so that what is made here can be renamed into it. */
  readonly path: string;
  /** By the clock of the file system that it is on. */
  readonly startedMs: number;
}

const PREFIX = 'build-';
const LOCK = 'lock';

/**
 * Makes this build's folder below `parent` and removes those whose builds are dead; what cannot be removed is told to
 * `warn` and left. Throws STORE_FAILED.
 */
export function openWorkFolder(parent: string, warn: (message: string) => void): Promise<WorkFolder> {
  const prepare = (): void => {
    makeFolder(parent);
    spreadFolders(parent);
  };
  return open({ parent, prefix: PREFIX, flag: '--cache-dir', prepare }, warn);
}

/** The same in a folder that is not tsbuild's and maybe everybody's, such as /tmp. Only folders of this user are ever removed. */
export function openTemporaryFolder(parent: string, warn: (message: string) => void): Promise<WorkFolder> {
  return open({ parent, prefix: 'tsbuild-build-', flag: '--tmp-dir', prepare: () => makeFolder(parent) }, warn);
}

/** When the oldest build that works below `parent` began, but for the one in the folder `own`. Null: there is no other. */
export function oldestBuild(parent: string, own: string): number | null {
  let oldest: number | null = null;
  for (const name of readdirSync(parent).filter((each) => each.startsWith(PREFIX))) {
    const path = join(parent, name);
    const startedMs = path === own ? null : startOf(path);
    if (startedMs !== null) oldest = Math.min(oldest ?? startedMs, startedMs);
  }
  return oldest;
}

/** Null: nobody works there. */
function startOf(path: string): number | null {
  let lock: number;
  try {
    lock = openSync(join(path, LOCK), 'r');
  } catch (error) {
    // Removed right now, or so new that nothing has been used from there.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return tryLock(lock, 'shared') ? null : fstatSync(lock).mtimeMs;
  } finally {
    closeSync(lock);
  }
}

interface Place {
  readonly parent: string;
  readonly prefix: string;
  /** Names the folder in hints. */
  readonly flag: string;
  /** Makes `parent`. */
  prepare(): void;
}

async function open(place: Place, warn: (message: string) => void): Promise<WorkFolder> {
  const { parent, flag } = place;
  try {
    place.prepare();
    const { path, lock } = lockNewFolder(place);
    await removeAbandoned(place, statSync(path).uid, warn);
    return {
      path,
      startedMs: fstatSync(lock).mtimeMs,
      async [Symbol.asyncDispose]() {
        await removeFolder(path);
        closeSync(lock);
      },
    };
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot use ${parent} as a working folder: ${(cause as Error).message}`, {
      hint: (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? undefined : `choose a writable folder with ${flag}`,
      cause,
    });
  }
}

function lockNewFolder({ parent, prefix }: Place): { path: string; lock: number } {
  for (;;) {
    const path = mkdtempSync(join(parent, prefix));
    const lock = openSync(join(path, LOCK), 'w');
    // Another build that cleans up may have seen the folder between the two calls above and have taken it for abandoned.
    if (tryLock(lock, 'exclusive') && existsSync(join(path, LOCK))) return { path, lock };
    closeSync(lock);
  }
}

async function removeAbandoned({ parent, prefix }: Place, uid: number, warn: (message: string) => void): Promise<void> {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(prefix))) {
    const path = join(parent, name);
    // In a folder of everybody, somebody else's or a symlink may have such a name.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() !== true || found.uid !== uid) continue;
    let lock: number;
    try {
      lock = openSync(join(path, LOCK), 'r');
    } catch {
      // Between mkdtemp and the lock of a build that starts right now, or removed right now by its owner.
      continue;
    }
    try {
      // The lock file goes last: a removal that is itself killed is taken up by the next build.
      if (tryLock(lock, 'exclusive')) await removeFolder(path);
    } catch (error) {
      warn(`what a killed build left in ${path} cannot be removed: ${(error as Error).message}`);
    } finally {
      closeSync(lock);
    }
  }
}

async function removeFolder(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const name of readdirSync(path)) if (name !== LOCK) await removeTree(join(path, name));
  await removeTree(path);
}
