/**
 * Several layers as one that does the same to what is below them: what a later layer replaces or removes of an earlier one is
 * not in it, and whiteouts name only what the base has. Pure, but for the content of files, which is read when it is packed.
 */
import { type BytePath, type ByteString, joinPath } from '../bytes/byte-path.ts';
import type { FileMeta, LayerEntry } from './entry.ts';
import type { LayerIndex } from './layer-index.ts';
import { namesOf } from './layer-names.ts';
import { type StackedTree, stackTree } from './stack-tree.ts';
import type { TreeEntry } from './tree.ts';

/**
 * `base`, then `layers`, lowest first. Entries come folder by folder, each folder before what is in it, names in byte order; hard
 * links among files of `layers` stay links. A link of `layers` to a file of the base becomes a file with the same content.
 * Nothing is looked up in folders that `layers` do not touch. Spec: OCI image-spec layer.md, "Applying Changesets".
 */
export function* mergeLayers(base: readonly LayerIndex[], layers: readonly LayerIndex[]): Generator<LayerEntry> {
  const merge: Merge = { base: stackTree(base), all: stackTree([...base, ...layers]), layers, first: new Map() };
  const cut = layers.some((layer) => layer.opaques.has(''));
  if (cut && merge.base.list('').length > 0) yield { kind: 'opaque', path: '' };
  yield* folderEntries(merge, '', cut ? 'hidden' : 'seen');
}

interface Merge {
  readonly base: StackedTree;
  /** The base with the layers. */
  readonly all: StackedTree;
  readonly layers: readonly LayerIndex[];
  /** By the key of hard links: the path that was put first. */
  readonly first: Map<string, BytePath>;
}

/** `below`: whether what the base has in this folder is seen through the layers. */
function* folderEntries(merge: Merge, folder: BytePath, below: 'seen' | 'hidden'): Generator<LayerEntry> {
  for (const name of touched(merge.layers, folder)) {
    const path = joinPath(folder, name);
    const found = merge.all.lstat(path);
    const lower = below === 'seen' ? merge.base.lstat(path) : undefined;
    if (found === undefined) {
      if (lower !== undefined) yield { kind: 'remove', path };
      continue;
    }
    if (found.node.type !== 'dir') {
      yield put(path, found, merge);
      continue;
    }
    const kept = lower?.node.type === 'dir';
    if (!kept || !isAsInBase(path, merge)) yield folderPut(path, found.meta);
    const cut = kept && merge.layers.some((layer) => hidesBase(layer, path));
    // Nothing to hide needs no mark.
    if (cut && merge.base.list(path).length > 0) yield { kind: 'opaque', path };
    yield* folderEntries(merge, path, kept && !cut ? 'seen' : 'hidden');
  }
}

/** Names in a folder that some layer puts, implies or removes, in byte order. */
function touched(layers: readonly LayerIndex[], folder: BytePath): readonly ByteString[] {
  const names = new Set<ByteString>();
  for (const layer of layers) {
    const { there, gone } = namesOf(layer);
    for (const name of there.get(folder) ?? []) names.add(name);
    for (const name of gone.get(folder) ?? []) names.add(name);
  }
  return [...names].sort();
}

/** A folder whose owner and mode are what the base says of it. */
function isAsInBase(path: BytePath, { base, all }: Merge): boolean {
  return all.originOf(path)?.position === base.originOf(path)?.position;
}

/** What a layer that stands directly on the base's folder `path` does to what is in it. */
function hidesBase(layer: LayerIndex, path: BytePath): boolean {
  const node = layer.puts.get(path)?.node;
  if (node !== undefined && node.type !== 'dir') return true;
  return layer.removes.has(path) || layer.opaques.has(path) || layer.lowerLinks?.has(path) === true;
}

function put(path: BytePath, { meta, node, link }: TreeEntry, { first }: Merge): LayerEntry {
  const target = link === undefined ? undefined : first.get(link);
  if (target !== undefined) return { kind: 'put', path, meta, node: { type: 'hardlink', target } };
  if (link !== undefined) first.set(link, path);
  return { kind: 'put', path, meta, node };
}

function folderPut(path: BytePath, meta: FileMeta): LayerEntry {
  return { kind: 'put', path, meta, node: { type: 'dir' } };
}
