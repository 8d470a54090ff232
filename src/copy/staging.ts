/**
 * The stage's tree with what a copy has put so far laid over it; at its end, that copy as layer entries. Existing folders
 * above an entry are part of the layer, with the metadata they have, so that the layer means the same wherever it is read.
 */
import { type BytePath, compareBytes, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileMeta, LayerEntry } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';

export interface Staging extends Pick<FileTree, 'lstat'> {
  /** Puts or replaces; what was a folder and becomes something else loses all below it. The same object at two paths makes hard links. */
  put(path: BytePath, entry: TreeEntry): void;
  /** Makes `path` and the folders above it as far as they are missing. Throws COPY_FAILED when one of them is no folder. */
  makeFolders(path: BytePath, meta: FileMeta): void;
  /** In byte order, which has parents before children. */
  entries(): LayerEntry[];
}

export function staging(into: FileTree): Staging {
  const staged = new Map<BytePath, TreeEntry>();
  /** Folders of `into` that became something else: their content is gone. */
  const replaced = new Set<BytePath>();

  function lstat(path: BytePath): TreeEntry | undefined {
    const own = staged.get(path);
    if (own !== undefined) return own;
    if (replaced.size > 0) for (let p = path; p !== ''; p = parentOf(p)) if (replaced.has(p)) return undefined;
    return into.lstat(path);
  }

  function put(path: BytePath, entry: TreeEntry): void {
    if (entry.node.type !== 'dir' && lstat(path)?.node.type === 'dir') {
      if (into.lstat(path)?.node.type === 'dir') replaced.add(path);
      for (const below of staged.keys()) if (below.startsWith(`${path}/`)) staged.delete(below);
    }
    staged.set(path, entry);
  }

  function makeFolders(path: BytePath, meta: FileMeta): void {
    if (path === '') return;
    const found = lstat(path);
    if (found?.node.type === 'dir') return;
    if (found !== undefined)
      throw new TsbuildError('COPY_FAILED', `"/${textOf(path)}" is a ${nameOf(found)}, so nothing can be copied into it`);
    makeFolders(parentOf(path), meta);
    staged.set(path, { meta, node: { type: 'dir' } });
  }

  function entries(): LayerEntry[] {
    const above = foldersAbove();
    const firsts = new Map<TreeEntry, BytePath>();
    const out: LayerEntry[] = [];
    for (const path of [...staged.keys(), ...above.keys()].sort(compareBytes)) {
      const entry = staged.get(path) ?? (above.get(path) as TreeEntry);
      const first = entry.node.type === 'file' ? firsts.get(entry) : undefined;
      if (first === undefined && entry.node.type === 'file') firsts.set(entry, path);
      out.push({ kind: 'put', path, meta: entry.meta, node: first === undefined ? entry.node : { type: 'hardlink', target: first } });
      // A folder that was away in between: what it held before must not come back.
      if (entry.node.type === 'dir' && replaced.has(path)) out.push({ kind: 'opaque', path });
    }
    return out;
  }

  /** Folders that lead to what is staged and are not staged themselves. */
  function foldersAbove(): Map<BytePath, TreeEntry> {
    const above = new Map<BytePath, TreeEntry>();
    for (const path of staged.keys()) {
      for (let p = parentOf(path); p !== '' && !staged.has(p) && !above.has(p); p = parentOf(p)) {
        const folder = lstat(p);
        if (folder !== undefined) above.set(p, folder);
      }
    }
    return above;
  }

  return { lstat, put, makeFolders, entries };
}

export function nameOf(entry: TreeEntry): string {
  const { type } = entry.node;
  return type === 'dir'
    ? 'folder'
    : type === 'file'
      ? 'file'
      : type === 'symlink'
        ? 'symbolic link'
        : `${type} device`.replace('fifo device', 'fifo');
}
