/**
 * A copy of a folder of this machine, and the way back for what changed in the copy: how a cache folder is shown where nothing can
 * be mounted. Each file is replaced as a whole and what nobody touched stays, so a build that is killed loses no more than the
 * changes of its last command, and builds that use the folder at once lose nothing of each other. In turns, so that a large one
 * does not hold up the rest of the process.
 */
import {
  type BigIntStats,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type BytePath, bytesOf, forFs, joinPath, parentOf } from '../../bytes/byte-path.ts';
import type { FileMeta } from '../../layer/entry.ts';
import { applyMeta } from '../../layer/unpack-meta.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import { makeNode } from '../../sys/mknod.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import { readXattrs } from '../../sys/xattr.ts';

const ENTRIES_PER_TURN = 256;

export interface FolderCopy {
  /** Brings what changed in the copy since it was made back to where it came from. */
  bringBack(): Promise<void>;
}

/** Copies `from` (absolute; a folder or a file) to `to`, which must not exist. What vanishes from it meanwhile is left out. */
export async function copyTree(from: string, to: string | Buffer): Promise<FolderCopy> {
  const source = placesIn(from);
  const copy = placesIn(to);
  const made = new Map<BytePath, string>();
  const links = new Map<string, BytePath>();
  let count = 0;
  const visit = async (path: BytePath): Promise<void> => {
    if ((count += 1) % ENTRIES_PER_TURN === 0) await setImmediate();
    const stats = statsOf(source(path));
    if (stats === undefined) return;
    const key = `${stats.dev}:${stats.ino}`;
    const first = stats.nlink > 1n && !stats.isDirectory() ? links.get(key) : undefined;
    if (first !== undefined) linkSync(copy(first), copy(path));
    else if (!copyOne(source(path), copy(path), stats)) return;
    else if (stats.nlink > 1n) links.set(key, path);
    if (!stats.isDirectory()) return;
    for (const name of namesIn(source(path))) await visit(joinPath(path, name));
    // What was made in it has changed its time.
    applyMeta(copy(path), metaOf(source(path), stats), 'other', 'apply');
  };
  await visit('');
  for (const path of await pathsIn(copy)) made.set(path, signatureOf(statsOf(copy(path)) as BigIntStats));
  return { bringBack: () => bringBack(copy, source, { made, incoming: `${from}.incoming` }) };
}

type Places = (path: BytePath) => string | Buffer;

function placesIn(root: string | Buffer): Places {
  const top = typeof root === 'string' ? bytesOf(root) : root.toString('latin1');
  return (path) => forFs(path === '' ? top : `${top}/${path}`);
}

interface Before {
  /** Signatures of all that the copy held. */
  readonly made: ReadonlyMap<BytePath, string>;
  /** A folder beside the original, for what is not complete yet. */
  readonly incoming: string;
}

async function bringBack(copy: Places, original: Places, { made, incoming }: Before): Promise<void> {
  const there = new Set<BytePath>();
  const changed: BytePath[] = [];
  for (const path of await pathsIn(copy)) {
    there.add(path);
    if (made.get(path) !== signatureOf(statsOf(copy(path)) as BigIntStats)) changed.push(path);
  }
  const gone = [...made.keys()].filter((path) => !there.has(path) && path !== '' && (there.has(parentOf(path)) || parentOf(path) === ''));
  if (changed.length === 0 && gone.length === 0) return;
  await removeTree(incoming);
  mkdirSync(incoming, { mode: 0o700 });
  try {
    for (const path of gone) if (isBelowFolders(original, path)) await removeTree(original(path));
    for (const [i, path] of changed.entries()) {
      if (i % ENTRIES_PER_TURN === 0) await setImmediate();
      if (isBelowFolders(original, path)) await bringOne(copy(path), original(path), join(incoming, String(i)));
    }
  } finally {
    await removeTree(incoming);
  }
}

/** Another build may have removed a folder, or have brought a symlink in its place, which leads anywhere. */
function isBelowFolders(places: Places, path: BytePath): boolean {
  for (let at = path; at !== ''; ) if (statsOf(places((at = parentOf(at))))?.isDirectory() !== true) return false;
  return true;
}

async function bringOne(from: string | Buffer, to: string | Buffer, incoming: string): Promise<void> {
  const stats = statsOf(from);
  if (stats === undefined) return;
  const found = statsOf(to);
  if (found?.isDirectory() === true && stats.isDirectory()) return applyMeta(to, metaOf(from, stats), 'other', 'apply');
  // A rename replaces no folder by a file, nor the other way round.
  if (found !== undefined && found.isDirectory() !== stats.isDirectory()) await removeTree(to);
  if (copyOne(from, incoming, stats)) renameSync(incoming, to);
}

/** False: it has vanished, or is a socket, which nobody can copy. The content of folders is not copied. */
function copyOne(from: string | Buffer, to: string | Buffer, stats: BigIntStats): boolean {
  if (stats.isSocket()) return false;
  try {
    if (stats.isDirectory()) mkdirSync(to, { mode: 0o700 });
    else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from, 'buffer'), to);
    else if (stats.isFile()) copyFileSync(from, to, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    else makeNode(to, { type: typeOf(stats), mode: 0o600, ...deviceNumbers(stats.rdev) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && statsOf(from) === undefined) return false;
    throw error;
  }
  applyMeta(to, metaOf(from, stats), stats.isSymbolicLink() ? 'symlink' : 'other', 'apply');
  return true;
}

function typeOf(stats: BigIntStats): 'char' | 'block' | 'fifo' {
  if (stats.isFIFO()) return 'fifo';
  return stats.isBlockDevice() ? 'block' : 'char';
}

function metaOf(path: string | Buffer, stats: BigIntStats): FileMeta {
  const xattrs = stats.isSymbolicLink() ? undefined : readXattrs(path);
  const meta = { mode: Number(stats.mode & 0o7777n), uid: Number(stats.uid), gid: Number(stats.gid), mtimeNs: stats.mtimeNs };
  return xattrs === undefined ? meta : { ...meta, xattrs };
}

/** Folders change with what is in them, which has signatures of its own. */
function signatureOf(stats: BigIntStats): string {
  const { mode, uid, gid, ino, size, mtimeNs, ctimeNs } = stats;
  return stats.isDirectory() ? `${mode} ${uid} ${gid}` : `${mode} ${uid} ${gid} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

/** Parents before children. */
async function pathsIn(places: Places): Promise<BytePath[]> {
  const found: BytePath[] = [];
  const visit = async (path: BytePath): Promise<void> => {
    const stats = statsOf(places(path));
    if (stats === undefined) return;
    found.push(path);
    if (found.length % ENTRIES_PER_TURN === 0) await setImmediate();
    if (stats.isDirectory()) for (const name of namesIn(places(path))) await visit(joinPath(path, name));
  };
  await visit('');
  return found;
}

function statsOf(path: string | Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function namesIn(path: string | Buffer): string[] {
  return readdirSync(path, 'latin1');
}
