/** Removes a folder and all below it, in turns, so that a large one does not hold up the rest of the process. Names are bytes. */
import { chmodSync, lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type ByteString, bytesOf, forFs } from '../bytes/byte-path.ts';

const ENTRIES_PER_TURN = 512;
/** Folders with longer paths are moved up first: a RUN can nest folders deeper than a path may be long (PATH_MAX, 4096 bytes). */
const LONG_PATH = 2048;

interface Progress {
  removed: number;
  /** Where deep folders are moved to. */
  readonly top: ByteString;
  readonly lifted: ByteString[];
}

/** `path`: text, or bytes; a folder or a file; need not exist. A symlink is removed itself. */
export async function removeTree(path: string | Buffer): Promise<void> {
  const progress: Progress = { removed: 0, top: typeof path === 'string' ? bytesOf(path) : path.toString('latin1'), lifted: [] };
  const stats = lstatSync(path, { throwIfNoEntry: false });
  // Listing a symlink would list what it leads to.
  if (stats !== undefined && !stats.isDirectory()) return unlinkSync(path);
  const below = entriesOf(progress.top);
  if (below === 'file') return unlinkSync(path);
  if (below === undefined) return;
  await removeEntries(progress.top, below, progress);
  for (let deep = progress.lifted.pop(); deep !== undefined; deep = progress.lifted.pop()) await removeFolder(deep, progress);
  rmdirSync(path);
}

async function removeFolder(path: ByteString, progress: Progress): Promise<void> {
  const entries = entriesOf(path);
  if (entries === undefined || entries === 'file') return;
  await removeEntries(path, entries, progress);
  rmdirSync(forFs(path));
}

type Entries = Exclude<ReturnType<typeof entriesOf>, 'file' | undefined>;

async function removeEntries(path: ByteString, entries: Entries, progress: Progress): Promise<void> {
  for (const entry of entries) {
    progress.removed += 1;
    if (progress.removed % ENTRIES_PER_TURN === 0) await setImmediate();
    const child = `${path}/${entry.name}`;
    const remove = (): void | Promise<void> => {
      if (!entry.isDirectory()) unlinkSync(forFs(child));
      else if (child.length < LONG_PATH) return removeFolder(child, progress);
      else lift(child, progress);
    };
    try {
      await remove();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      // The folder may be listed, but nothing removed from it.
      chmodSync(forFs(path), 0o700);
      await remove();
    }
  }
}

function lift(path: ByteString, { top, lifted, removed }: Progress): void {
  const to = `${top}/.removed-${removed}`;
  renameSync(forFs(path), forFs(to));
  lifted.push(to);
}

function entriesOf(path: ByteString) {
  const read = () => readdirSync(forFs(path), { withFileTypes: true, encoding: 'latin1' as BufferEncoding });
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') return 'file' as const;
    if (code !== 'EACCES') throw error;
  }
  // A folder without permissions, like overlay's own work/work, when this process may not override them.
  chmodSync(forFs(path), 0o700);
  return read();
}
