/** What a folder and all below it take on the disk, in turns, so that a large one does not hold up the rest of the process. */
import { lstatSync, readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type ByteString, bytesOf, forFs } from '../bytes/byte-path.ts';

const ENTRIES_PER_TURN = 512;
const BLOCK = 512;

/** Each file counts once, whatever its links. Symlinks are not followed; what vanishes meanwhile or may not be listed counts nothing. */
export async function treeBytes(path: string): Promise<number> {
  const seen = new Set<string>();
  const folders: ByteString[] = [bytesOf(path)];
  let entries = 0;
  let bytes = (lstatSync(path, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of list(folder)) {
      if (++entries % ENTRIES_PER_TURN === 0) await setImmediate();
      const child = `${folder}/${entry.name}`;
      const stats = statsOf(child);
      if (stats === undefined) continue;
      if (stats.isDirectory()) folders.push(child);
      else if (stats.nlink > 1) {
        const key = `${stats.dev} ${stats.ino}`;
        if (seen.has(key)) continue;
        seen.add(key);
      }
      bytes += stats.blocks * BLOCK;
    }
  }
  return bytes;
}

function list(folder: ByteString) {
  try {
    return readdirSync(forFs(folder), { withFileTypes: true, encoding: 'latin1' as BufferEncoding });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'ENAMETOOLONG') return [];
    throw error;
  }
}

function statsOf(path: ByteString) {
  try {
    return lstatSync(forFs(path), { throwIfNoEntry: false });
  } catch (error) {
    // Folders can be nested deeper than a path may be long.
    if ((error as NodeJS.ErrnoException).code === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}
