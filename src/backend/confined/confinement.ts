/**
 * What a RUN may open where the rootfs is `/` itself and tsbuild's own files lie in it: everything but those. Landlock only knows
 * what is allowed, with all below it, so a folder that holds a closed place is `split`: what is in it is allowed one by one, and
 * what a command makes there anew is not, unless somebody helps (new-entries.ts).
 */
import { lstatSync, readdirSync, realpathSync } from 'node:fs';
import { type BytePath, bytesOf, forFs } from '../../bytes/byte-path.ts';

/** Handed to the process that becomes the command, as JSON. Paths are absolute, one byte per code unit. */
export interface Confinement {
  readonly allowed: readonly AllowedPath[];
  /** Folders in which only the entries of `allowed` are. */
  readonly split: readonly string[];
  /** What is closed or split: whoever helps a command leaves these where they are. */
  readonly pinned: readonly string[];
  /** Of this kernel's Landlock. */
  readonly version: number;
}

export interface AllowedPath {
  readonly path: string;
  readonly type: 'folder' | 'file';
}

/**
 * `closed`: absolute; those that are not there are left out. `open`: exceptions inside them. Everything that is there when this is
 * called is looked at, so it is called right before the command.
 */
export function confinementFor(closed: readonly string[], open: readonly AllowedPath[], version: number): Confinement {
  const shut = new Set(closed.flatMap(real));
  const above = new Set([...shut].flatMap(ancestors));
  const allowed: AllowedPath[] = [...open];
  const split: string[] = [];
  const visit = (folder: string): void => {
    split.push(folder);
    for (const name of readdirSync(forFs(folder), 'latin1')) {
      const path = folder === '/' ? `/${name}` : `${folder}/${name}`;
      if (shut.has(path)) continue;
      const stats = lstatSync(forFs(path), { throwIfNoEntry: false });
      // A symlink is what it leads to.
      if (stats === undefined || stats.isSymbolicLink()) continue;
      if (above.has(path)) visit(path);
      else allowed.push({ path, type: stats.isDirectory() ? 'folder' : 'file' });
    }
  };
  if (above.has('/')) visit('/');
  else if (!shut.has('/')) allowed.push({ path: '/', type: 'folder' });
  return { allowed, split, pinned: [...shut, ...above], version };
}

function real(path: string): BytePath[] {
  try {
    return [bytesOf(realpathSync(path))];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** `/` first. */
function ancestors(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return ['/', ...parts.map((_, i) => `/${parts.slice(0, i + 1).join('/')}`)];
}
