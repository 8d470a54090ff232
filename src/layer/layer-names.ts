/** The names in each folder of one layer, made once per index and kept as long as the index is. */
import { type BytePath, type ByteString, baseName, parentOf } from '../bytes/byte-path.ts';
import type { LayerIndex } from './layer-index.ts';

export interface LayerNames {
  /** Folder -> names that the layer puts or implies there, each once, in no order. */
  readonly there: ReadonlyMap<BytePath, readonly ByteString[]>;
  /** Folder -> names that the layer removes there. */
  readonly gone: ReadonlyMap<BytePath, readonly ByteString[]>;
}

// A memo, not state: an index never changes, and many trees are made over the same one.
const known = new WeakMap<LayerIndex, LayerNames>();

export function namesOf(layer: LayerIndex): LayerNames {
  let names = known.get(layer);
  if (names === undefined)
    known.set(layer, (names = { there: grouped([layer.puts, layer.implied, layer.lowerLinks]), gone: grouped([layer.removes]) }));
  return names;
}

type Paths = ReadonlyMap<BytePath, unknown> | ReadonlySet<BytePath> | undefined;

function grouped(all: readonly Paths[]): Map<BytePath, ByteString[]> {
  const groups = new Map<BytePath, ByteString[]>();
  let lastFolder: BytePath | undefined;
  let lastNames: ByteString[] = [];
  for (const paths of all) {
    for (const path of paths?.keys() ?? []) {
      if (path === '') continue;
      const folder = parentOf(path);
      if (folder !== lastFolder) {
        lastFolder = folder;
        lastNames = groups.get(folder) ?? [];
        if (lastNames.length === 0) groups.set(folder, lastNames);
      }
      lastNames.push(baseName(path));
    }
  }
  return groups;
}
