/** Empty files and folders that are allowed to a confined command before it begins: see new-entries.ts. */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../sys/make-folder.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { AllowedPath } from './confinement.ts';

/** More than commands make at the top of a file system; what they make beyond that they cannot open again. */
const STOCK = { dir: 64, file: 192 } as const;

export interface EntryStock {
  /** What is allowed beside the files of the rootfs. */
  readonly allowed: readonly AllowedPath[];
  /** `move` takes the entry away; where it throws, the entry is used up all the same. */
  place(kind: 'dir' | 'open' | 'exclusive', move: (from: string) => void): 'placed' | 'used up';
}

/** `folder`: absolute, closed to commands, on the file system of `/`. What an earlier stock left there is removed. */
export async function makeEntryStock(folder: string): Promise<EntryStock> {
  await removeTree(folder);
  makeFolder(folder);
  const dirs = Array.from({ length: STOCK.dir }, (_, i) => join(folder, `d${i}`));
  const files = Array.from({ length: STOCK.file }, (_, i) => join(folder, `f${i}`));
  for (const path of dirs) mkdirSync(path, 0o700);
  for (const path of files) closeSync(openSync(path, 'wx', 0o600));
  const left = { dir: [...dirs], file: [...files] };
  return {
    allowed: [...dirs.map((path) => ({ path, type: 'folder' as const })), ...files.map((path) => ({ path, type: 'file' as const }))],
    place(kind, move) {
      const from = left[kind === 'dir' ? 'dir' : 'file'].pop();
      if (from === undefined) return 'used up';
      try {
        move(from);
      } catch (error) {
        rmSync(from, { recursive: true, force: true });
        throw error;
      }
      return 'placed';
    },
  };
}
