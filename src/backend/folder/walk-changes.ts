/**
 * What is other in a rootfs than it was remembered, as layer entries: files that are new or differ in anything that a layer
 * says, folders that are new, differ or hold a change, and what is gone. A folder in the place of another one needs no opaque
 * mark: what is gone from it is named.
 */
import { constants, readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type BytePath, compareBytes, parentOf } from '../../bytes/byte-path.ts';
import type { FileMeta, LayerEntry, PutEntry } from '../../layer/entry.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import type { Place } from './layer-folder-place.ts';
import type { Ownership, Seen, Xattrs } from './ownership.ts';
import { type Met, walk } from './walk.ts';
import { fileKey, symlinkKey } from './walk-content.ts';
import type { Remembered, WalkMemory } from './walk-memory.ts';
import { equalXattrs, layerXattrs } from './walk-xattrs.ts';

export interface ChangesOptions {
  readonly place: Place;
  readonly ownership: Ownership;
  /** As the tree was; afterwards, as it is. */
  readonly memory: WalkMemory;
  readonly signal: AbortSignal;
}

export const FILES_PER_TURN = 2048;

type Found =
  | Exclude<LayerEntry, PutEntry>
  /** `file`: set where other names may share the file. */
  | (PutEntry & { readonly file?: string });

/** In byte order of paths; parents of a change are always among them. Throws BACKEND_FAILED for what no layer can hold. */
export async function readChanges({ place, ownership, memory, signal }: ChangesOptions): Promise<readonly LayerEntry[]> {
  const found: Found[] = [];
  const folders = new Set<BytePath>();
  let count = 0;
  memory.startWalk();
  for (const met of walk({ place, ownership }, '')) {
    if ((count += 1) % FILES_PER_TURN === 0) await setImmediate();
    signal.throwIfAborted();
    const { path, host, seen } = met;
    if (memory.isSame(path, seen)) {
      memory.meet(path);
      continue;
    }
    const was = memory.get(path);
    const xattrs = layerXattrs(ownership.xattrs(path, host, seen.stats));
    if (seen.stats.isDirectory()) {
      if (was === undefined || !isSameMeta(was, seen, xattrs)) folders.add(path);
      memory.set(path, seen, { xattrs, content: undefined });
      continue;
    }
    const content = seen.stats.isSymbolicLink() ? symlinkKey(readlinkSync(host, 'latin1')) : undefined;
    if (was !== undefined && (await isUnchanged(was, { met, xattrs, content, signal }))) {
      memory.set(path, seen, { xattrs, content: was.content });
      continue;
    }
    const entry = entryOf(met, xattrs);
    if (entry !== undefined) found.push(entry);
    // A socket is not in layers, yet it stands in the place of what was there.
    else if (was !== undefined && !isSocket(was.mode)) found.push({ kind: 'remove', path });
    memory.set(path, seen, { xattrs, content });
  }
  found.push(...takeGone(memory));
  for (const { path } of found) addParents(folders, path);
  for (const path of [...folders]) addParents(folders, path);
  for (const path of folders) found.push(folderEntry(memory, path));
  // A walk by names is not in byte order: "a-b" comes before "a/b" and after "a".
  found.sort((a, b) => compareBytes(a.path, b.path));
  return linked(found);
}

/** Forgets what the walk did not meet. What was below something that is gone or no folder any more needs no entry. */
function takeGone(memory: WalkMemory): Found[] {
  const unmet = memory.unmet().map((path) => ({ path, mode: memory.get(path)?.mode ?? 0 }));
  for (const { path } of unmet) memory.delete(path);
  const isFolder = (path: BytePath): boolean => path === '' || isDirectory(memory.get(path)?.mode ?? 0);
  return unmet.filter(({ path, mode }) => !isSocket(mode) && isFolder(parentOf(path))).map(({ path }) => ({ kind: 'remove', path }));
}

function addParents(folders: Set<BytePath>, path: BytePath): void {
  for (let folder = parentOf(path); folder !== '' && !folders.has(folder); folder = parentOf(folder)) folders.add(folder);
}

function folderEntry(memory: WalkMemory, path: BytePath): Found {
  const folder = memory.get(path);
  if (folder === undefined || !isDirectory(folder.mode)) throw new Error('a change lies in what is no folder');
  return { kind: 'put', path, meta: metaOf(folder, folder.mtimeNs, folder.xattrs), node: { type: 'dir' } };
}

interface Now {
  readonly met: Met;
  readonly xattrs: Xattrs | undefined;
  /** Of a symlink. */
  readonly content: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * A file that only got what it had, or a further name, or was replaced by its like: BuildKit leaves it out, too. Only where the
 * content is known; else a file whose ctime moved counts as changed.
 */
async function isUnchanged(was: Remembered, { met: { host, seen }, xattrs, content, signal }: Now): Promise<boolean> {
  if (!isSameMeta(was, seen, xattrs) || was.rdev !== seen.rdev) return false;
  if (was.size !== Number(seen.stats.size) || was.mtimeNs !== seen.stats.mtimeNs) return false;
  if (seen.stats.isSymbolicLink()) return was.content === content;
  if (!isFile(seen.mode) || was.size === 0) return true;
  return was.content !== undefined && was.content === (await fileKey(host, signal));
}

/** But for mtime. */
function isSameMeta(was: Remembered, seen: Seen, xattrs: Xattrs | undefined): boolean {
  return was.mode === seen.mode && was.uid === seen.uid && was.gid === seen.gid && equalXattrs(was.xattrs, xattrs);
}

/** undefined: a socket. */
function entryOf({ path, host, seen }: Met, xattrs: Xattrs | undefined): Found | undefined {
  const { stats } = seen;
  const meta = metaOf(seen, stats.mtimeNs, xattrs);
  const put = { kind: 'put', path, meta, ...(stats.nlink > 1n ? { file: `${stats.dev}:${stats.ino}` } : {}) } as const;
  switch (seen.mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return { ...put, node: { type: 'file', size: Number(stats.size), content: { at: 'host', path: host, inode: Number(stats.ino) } } };
    case constants.S_IFLNK:
      return { ...put, node: { type: 'symlink', target: readlinkSync(host, 'latin1') } };
    case constants.S_IFIFO:
      return { ...put, node: { type: 'fifo' } };
    case constants.S_IFCHR:
      return { ...put, node: { type: 'char', ...deviceNumbers(seen.rdev) } };
    case constants.S_IFBLK:
      return { ...put, node: { type: 'block', ...deviceNumbers(seen.rdev) } };
    default:
      return undefined;
  }
}

function metaOf({ mode, uid, gid }: Pick<Seen, 'mode' | 'uid' | 'gid'>, mtimeNs: bigint, xattrs: Xattrs | undefined): FileMeta {
  return { mode: mode & 0o7777, uid, gid, mtimeNs, ...(xattrs === undefined ? {} : { xattrs }) };
}

/** The first name of a file is put, further ones become hard links to it. */
function linked(found: readonly Found[]): LayerEntry[] {
  const first = new Map<string, BytePath>();
  return found.map((entry): LayerEntry => {
    if (entry.kind !== 'put') return entry;
    const { file, ...put } = entry;
    if (file === undefined) return put;
    const target = first.get(file);
    if (target !== undefined) return { ...put, node: { type: 'hardlink', target } };
    first.set(file, put.path);
    return put;
  });
}

function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}

function isFile(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFREG;
}

function isSocket(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFSOCK;
}
