/**
 * The folders of the cache, for their owner only: unpacked layers and cache mounts hold setuid programs and device nodes
 * of strangers, and blobs may be private. Docker keeps its folder from others for the same reason.
 */
import { chmodSync, statSync } from 'node:fs';
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

function openPrivate(folder: string): string {
  makeFolder(folder, 0o700);
  if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
  return folder;
}
