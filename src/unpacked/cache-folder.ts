/**
 * The folders of the cache, for their owner only: unpacked layers and cache mounts hold setuid programs and device nodes
 * of strangers, and blobs may be private. Docker keeps its folder from others for the same reason.
 */
import { chmodSync, lstatSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { makeFolder } from '../sys/make-folder.ts';

const FOLDERS = ['blobs', 'indexes', 'layers', 'mounts', 'work'] as const;

export type CacheFolders = Readonly<Record<(typeof FOLDERS)[number], string>>;

/** Makes what is missing below `cacheFolder` (absolute), which itself keeps its mode. Throws STORE_FAILED. */
export function openCacheFolder(cacheFolder: string): CacheFolders {
  try {
    makeFolder(cacheFolder);
    return Object.fromEntries(FOLDERS.map((name) => [name, openPrivate(join(cacheFolder, name))])) as CacheFolders;
  } catch (cause) {
    throw new TsbuildError('STORE_FAILED', `cannot use ${cacheFolder} as the cache folder: ${(cause as Error).message}`, {
      hint: (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? undefined : 'choose a writable folder with --cache-dir',
      cause,
    });
  }
}

export interface CachePlaces {
  /** Where the user wants it; null: nobody said. */
  readonly asked: string | null;
  readonly usual: string;
  /** Where `usual` cannot be written, as in a container whose root is read-only. In a folder that may be everybody's. */
  readonly instead: string;
}

export interface OpenCache {
  /** Absolute. */
  readonly path: string;
  readonly folders: CacheFolders;
}

/** `asked`, else the first of the other two that can be written; `warn` is told when it is the second, and why. Throws STORE_FAILED. */
export function openCacheAt({ asked, usual, instead }: CachePlaces, warn: (message: string) => void): OpenCache {
  if (asked !== null) return { path: asked, folders: openCacheFolder(asked) };
  try {
    return { path: usual, folders: openCacheFolder(usual) };
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (!(error instanceof TsbuildError) || !['EACCES', 'EPERM', 'EROFS'].includes(code ?? '')) throw error;
    const folders = openOwn(instead);
    warn(`the cache folder ${usual} cannot be written (${code}), so ${instead} is used; --cache-dir names another`);
    return { path: instead, folders };
  }
}

/** Somebody who may write to it could have laid there what a build trusts. */
function openOwn(folder: string): CacheFolders {
  try {
    makeFolder(folder, 0o700);
    const found = lstatSync(folder);
    // Whoever makes a folder beside it is its owner, whatever the ids of this namespace are.
    const probe = mkdtempSync(`${folder}-`);
    const { uid } = statSync(probe);
    rmdirSync(probe);
    if (found.isDirectory() && found.uid === uid && (found.mode & 0o022) === 0) return openCacheFolder(folder);
  } catch (cause) {
    if (cause instanceof TsbuildError) throw cause;
    throw new TsbuildError('STORE_FAILED', `cannot use ${folder} as the cache folder: ${(cause as Error).message}`, {
      hint: 'choose a writable folder with --cache-dir, or with TMPDIR',
      cause,
    });
  }
  throw new TsbuildError('STORE_FAILED', `cannot use ${folder} as the cache folder: others may write to it, or it is somebody else's`, {
    hint: 'choose a folder of your own with --cache-dir',
  });
}

function openPrivate(folder: string): string {
  makeFolder(folder, 0o700);
  if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
  return folder;
}
