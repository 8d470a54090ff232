/** Removes a folder and all below it, in turns, so that a large one does not hold up the rest of the process. Names are bytes. */
import { chmodSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type ByteString, bytesOf, forFs } from '../bytes/byte-path.ts';

const ENTRIES_PER_TURN = 512;

/** `path`: text; need not exist. */
export async function removeTree(path: string): Promise<void> {
  const progress = { removed: 0 };
  await removeFolder(bytesOf(path), progress);
}

async function removeFolder(path: ByteString, progress: { removed: number }): Promise<void> {
  const entries = entriesOf(path);
  if (entries === undefined) return;
  for (const entry of entries) {
    if ((progress.removed += 1) % ENTRIES_PER_TURN === 0) await setImmediate();
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) await removeFolder(child, progress);
    else unlinkSync(forFs(child));
  }
  rmdirSync(forFs(path));
}

function entriesOf(path: ByteString) {
  const read = () => readdirSync(forFs(path), { withFileTypes: true, encoding: 'latin1' as BufferEncoding });
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code !== 'EACCES') throw error;
  }
  // A folder without permissions, like overlay's own work/work, when this process may not override them.
  chmodSync(forFs(path), 0o700);
  return read();
}
