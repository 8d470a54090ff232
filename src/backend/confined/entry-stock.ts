/** Empty files and folders that are allowed to a confined command before it begins: see new-entries.ts. */
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../sys/make-folder.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { AllowedPath } from './confinement.ts';

/** More than commands make at the top of a file system. What they make beyond that they cannot open again. */
const STOCK = { dir: 96, file: 256 } as const;

type Kind = keyof typeof STOCK;

export interface EntryStock {
  /** Makes up for what was taken. What is allowed then, beside the files of the rootfs. */
  fill(): readonly AllowedPath[];
  /** `move` takes the entry away; where it throws, the entry is used up all the same. */
  take(kind: Kind, move: (from: string) => void): void;
}

/** `folder`: absolute, closed to commands, on the file system of `/`. What an earlier stock left there is removed. */
export async function openEntryStock(folder: string): Promise<EntryStock> {
  await removeTree(folder);
  makeFolder(folder);
  const left: Record<Kind, string[]> = { dir: [], file: [] };
  let made = 0;
  const make = (kind: Kind): string => {
    const path = join(folder, `${(made += 1)}`);
    if (kind === 'dir') mkdirSync(path, 0o700);
    else closeSync(openSync(path, 'wx', 0o600));
    return path;
  };
  return {
    fill() {
      for (const kind of ['dir', 'file'] as const) while (left[kind].length < STOCK[kind]) left[kind].push(make(kind));
      return [
        ...left.dir.map((path) => ({ path, type: 'folder' as const })),
        ...left.file.map((path) => ({ path, type: 'file' as const })),
      ];
    },
    take(kind, move) {
      const from = left[kind].pop() ?? make(kind);
      try {
        move(from);
      } catch (error) {
        rmSync(from, { recursive: true, force: true });
        throw error;
      }
    },
  };
}
