/**
 * The scratch folder of one build inside the cache folder. It is locked as long as the build lives, so that a later
 * build can tell what a killed one left behind and remove it; pids would lie across containers that share the folder.
 */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { tryLock } from '../sys/flock.ts';
import { makeFolder } from '../sys/make-folder.ts';
import { removeTree } from '../sys/remove-tree.ts';

export interface WorkFolder extends AsyncDisposable {
  /** Absolute. On the same file system as the cache, so that what is made here can be renamed into it. */
  readonly path: string;
}

/**
 * Makes this build's folder below `parent` and removes those whose builds are dead; what cannot be removed is told to
 * `warn` and left. Throws STORE_FAILED.
 */
export async function openWorkFolder(parent: string, warn: (message: string) => void): Promise<WorkFolder> {
  try {
    makeFolder(parent);
    await removeAbandoned(parent, warn);
    const { path, lock } = lockNewFolder(parent);
    return {
      path,
      async [Symbol.asyncDispose]() {
        await removeFolder(path);
        closeSync(lock);
      },
    };
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot use ${parent} as a working folder: ${(cause as Error).message}`, {
      hint: (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? undefined : 'choose a writable folder with --cache-dir',
      cause,
    });
  }
}

const LOCK = 'lock';

function lockNewFolder(parent: string): { path: string; lock: number } {
  for (;;) {
    const path = mkdtempSync(join(parent, 'build-'));
    const lock = openSync(join(path, LOCK), 'w');
    // Another build that cleans up may have seen the folder between the two calls above and have taken it for abandoned.
    if (tryLock(lock, 'exclusive') && existsSync(join(path, LOCK))) return { path, lock };
    closeSync(lock);
  }
}

async function removeAbandoned(parent: string, warn: (message: string) => void): Promise<void> {
  for (const name of readdirSync(parent)) {
    const path = join(parent, name);
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
