/**
 * Several layers seen as one file system, from their headers alone. Whiteouts and opaque marks hide what lower layers
 * have, whatever their place within their own layer; a file or link replaces a folder with all below it.
 * Spec: OCI image-spec layer.md, "Applying Changesets".
 *
 * Making a tree costs nothing per file: folders are merged when they are first looked into. So a stack that grows layer by
 * layer is a new tree each time.
 */
import { type BytePath, type ByteString, joinPath, parentOf } from '../bytes/byte-path.ts';
import type { FileMeta } from './entry.ts';
import type { LayerIndex } from './layer-index.ts';
import { namesOf } from './layer-names.ts';
import type { FileTree, TreeEntry } from './tree.ts';

/** Of folders that no layer describes: what unpacking makes them. */
const IMPLIED_META: FileMeta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };
const IMPLIED_FOLDER: Found = { entry: { meta: IMPLIED_META, node: { type: 'dir' } }, origin: undefined };

/** Positions of the layers that a folder is made of, highest first. */
type Folder = readonly number[];

/** Which layer a file of a stack comes from, counted from the lowest, and what it is called there. */
export interface Origin {
  readonly position: number;
  readonly path: BytePath;
}

export interface StackedTree extends FileTree {
  /** undefined: nothing is there, or a folder that no layer describes. */
  originOf(path: BytePath): Origin | undefined;
}

interface Found {
  readonly entry: TreeEntry;
  readonly origin: Origin | undefined;
}

/** `layers` lowest first. `link` keys of the entries are unique within this tree. */
export function stackTree(layers: readonly LayerIndex[]): StackedTree {
  const lowerTargets = new Set<BytePath>();
  for (const layer of layers) for (const target of layer.lowerLinks?.values() ?? []) lowerTargets.add(target);
  const folders = new Map<BytePath, Folder | undefined>([['', rootFolder(layers)]]);
  const lists = new Map<BytePath, readonly ByteString[]>();

  const layerAt = (position: number): LayerIndex => layers[position] as LayerIndex;

  function folderAt(path: BytePath): Folder | undefined {
    if (folders.has(path)) return folders.get(path);
    const parent = folderAt(parentOf(path));
    const folder = parent === undefined ? undefined : folderIn(parent, path);
    folders.set(path, folder);
    return folder;
  }

  function folderIn(parent: Folder, path: BytePath): Folder | undefined {
    const made: number[] = [];
    for (const position of parent) {
      const layer = layerAt(position);
      const type = layer.puts.get(path)?.node.type ?? (layer.implied.has(path) ? 'dir' : undefined);
      if (type === 'dir') made.push(position);
      const replaced = type !== undefined && type !== 'dir';
      if (replaced || hidesBelow(layer, path)) break;
    }
    return made.length === 0 ? undefined : made;
  }

  function lookUp(parent: Folder, path: BytePath): Found | undefined {
    let folderSeen = false;
    for (const position of parent) {
      const layer = layerAt(position);
      const entry = layer.puts.get(path);
      if (entry !== undefined) {
        if (folderSeen && entry.node.type !== 'dir') return IMPLIED_FOLDER;
        return { entry: owned(entry, position, path), origin: { position, path } };
      }
      const target = layer.lowerLinks?.get(path);
      if (target !== undefined) return folderSeen ? IMPLIED_FOLDER : below(position, target);
      if (layer.implied.has(path)) folderSeen = true;
      // Opaque hides what is in the folder, not the folder: its owner and mode may still come from below.
      if (layer.removes.has(path)) break;
    }
    return folderSeen ? IMPLIED_FOLDER : undefined;
  }

  /** What the layers below `position` have at `path`: the target of a hard link that a layer makes to a file of another. */
  function below(position: number, path: BytePath): Found | undefined {
    let folder: Folder | undefined = rootFolder(layers.slice(0, position));
    for (let slash = path.indexOf('/'); slash >= 0 && folder !== undefined; slash = path.indexOf('/', slash + 1)) {
      folder = folderIn(folder, path.slice(0, slash));
    }
    const found = folder === undefined ? undefined : lookUp(folder, path);
    return found?.entry.node.type === 'dir' ? undefined : found;
  }

  function owned(entry: TreeEntry, position: number, path: BytePath): TreeEntry {
    if (entry.link !== undefined) return { ...entry, link: `${position}:${entry.link}` };
    if (entry.node.type === 'dir' || !lowerTargets.has(path)) return entry;
    return { ...entry, link: `${position}/${path}` };
  }

  function listAt(path: BytePath): readonly ByteString[] {
    const folder = folderAt(path);
    if (folder === undefined) return [];
    const [only] = folder;
    if (only !== undefined && folder.length === 1 && lowerTargets.size === 0) return sorted(namesOf(layerAt(only)).there.get(path) ?? []);
    const found = new Set<ByteString>();
    const hidden = new Set<ByteString>();
    for (const position of folder) {
      const names = namesOf(layerAt(position));
      for (const name of names.there.get(path) ?? []) if (!hidden.has(name)) found.add(name);
      for (const name of names.gone.get(path) ?? []) hidden.add(name);
    }
    // A hard link to a file that no lower layer has does not exist.
    return sorted([...found].filter((name) => lowerTargets.size === 0 || find(joinPath(path, name)) !== undefined));
  }

  function find(path: BytePath): Found | undefined {
    if (path === '') return rootEntry(layers, folders.get('') as Folder);
    const parent = folderAt(parentOf(path));
    return parent === undefined ? undefined : lookUp(parent, path);
  }

  return {
    lstat: (path) => find(path)?.entry,
    originOf: (path) => find(path)?.origin,
    list(path) {
      let names = lists.get(path);
      if (names === undefined) lists.set(path, (names = listAt(path)));
      return names;
    },
  };
}

/** Whether what lower layers have in the folder `path` is out of sight. */
function hidesBelow(layer: LayerIndex, path: BytePath): boolean {
  return layer.removes.has(path) || layer.opaques.has(path) || layer.lowerLinks?.has(path) === true;
}

function rootFolder(layers: readonly LayerIndex[]): Folder {
  const folder: number[] = [];
  for (let position = layers.length - 1; position >= 0; position--) {
    folder.push(position);
    if ((layers[position] as LayerIndex).opaques.has('')) break;
  }
  return folder;
}

function rootEntry(layers: readonly LayerIndex[], folder: Folder): Found {
  for (const position of folder) {
    const entry = layers[position]?.puts.get('');
    if (entry !== undefined) return { entry, origin: { position, path: '' } };
  }
  return IMPLIED_FOLDER;
}

function sorted(names: readonly ByteString[]): readonly ByteString[] {
  return Object.freeze([...names].sort());
}
