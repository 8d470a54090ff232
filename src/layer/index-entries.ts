/** The index of a layer that is about to be made, from its entries: the same as its archive would give, content at its source. */
import type { BytePath } from '../bytes/byte-path.ts';
import { createIndexBuilder } from './build-index.ts';
import type { FileContent, LayerEntry } from './entry.ts';
import type { LayerIndex } from './layer-index.ts';
import { memberOf } from './pack.ts';

/** `entries`: as for packEntries. Throws LAYER_INVALID and LAYER_PATH_ESCAPE as packing and indexing would. */
export function indexEntries(entries: readonly LayerEntry[]): LayerIndex {
  const contents = new Map<BytePath, FileContent>();
  let current: FileContent | undefined;
  const builder = createIndexBuilder((path) => {
    if (current === undefined) throw new Error(`"${path}" has no content`);
    return current;
  });
  for (const entry of entries) {
    // As in packEntries.
    if (entry.kind === 'put' && entry.path === '') continue;
    if (entry.kind === 'put' && entry.node.type === 'file') contents.set(entry.path, entry.node.content);
    current = entry.kind === 'put' ? contents.get(entry.node.type === 'hardlink' ? entry.node.target : entry.path) : undefined;
    if (entry.kind === 'put' && entry.node.type === 'hardlink' && current !== undefined) contents.set(entry.path, current);
    builder.member(memberOf(entry));
  }
  builder.end?.();
  return builder.index();
}
