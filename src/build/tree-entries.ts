/** Part of a tree as layer entries: what a bind mount or the first content of a cache folder shows. */
import { type BytePath, joinPath, parentOf } from '../bytes/byte-path.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';

/** `path` with all below it and the folders above it; names that share a file stay hard links. Empty when nothing is there. */
export function* treeEntries(tree: FileTree, path: BytePath): Generator<LayerEntry> {
  if (tree.lstat(path) === undefined) return;
  const above: BytePath[] = [];
  for (let p = path; p !== ''; p = parentOf(p)) above.unshift(parentOf(p));
  const links = new Map<string, BytePath>();
  for (const folder of above) yield* put(tree, folder, links);
  yield* walk(tree, path, links);
}

/** What is inside the folder `path`, with paths relative to it. */
export function* folderEntries(tree: FileTree, path: BytePath): Generator<LayerEntry> {
  const inside: FileTree = { lstat: (p) => tree.lstat(joinPath(path, p)), list: (p) => tree.list(joinPath(path, p)) };
  yield* walk(inside, '', new Map());
}

function* walk(tree: FileTree, path: BytePath, links: Map<string, BytePath>): Generator<LayerEntry> {
  yield* put(tree, path, links);
  for (const name of tree.list(path)) yield* walk(tree, joinPath(path, name), links);
}

function* put(tree: FileTree, path: BytePath, links: Map<string, BytePath>): Generator<LayerEntry> {
  const entry = tree.lstat(path);
  if (entry === undefined || path === '') return;
  const first = entry.link === undefined ? undefined : links.get(entry.link);
  if (entry.link !== undefined && first === undefined) links.set(entry.link, path);
  const node = first === undefined ? entry.node : ({ type: 'hardlink', target: first } as const);
  yield { kind: 'put', path, meta: entry.meta, node };
}
