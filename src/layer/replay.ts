/** A layer that is known by its index, and whose files are at hand, shown as its archive would show it. */
import type { BytePath } from '../bytes/byte-path.ts';
import type { LayerEntry } from './entry.ts';
import type { LayerIndex } from './layer-index.ts';
import { packEntries } from './pack.ts';
import type { TarHandler } from './tar/member.ts';
import { createTarReader } from './tar/read.ts';

/** Throws as packEntries does, and what `to` throws; then `to` has been aborted. */
export async function replayIndex(index: LayerIndex, to: TarHandler, signal: AbortSignal): Promise<void> {
  const reader = createTarReader(to);
  try {
    for await (const chunk of packEntries(indexEntries(index), { mtime: 'nanoseconds', signal })) reader.write(chunk);
    reader.end();
  } catch (error) {
    reader.abort();
    throw error;
  }
}

/** What the index was made of: whiteouts first, since an index does not keep their places, then what is put, in its order. */
function* indexEntries({ puts, removes, opaques }: LayerIndex): Generator<LayerEntry> {
  for (const path of removes) yield { kind: 'remove', path };
  for (const path of opaques) yield { kind: 'opaque', path };
  const first = new Map<string, BytePath>();
  for (const [path, { meta, node, link }] of puts) {
    const target = link === undefined ? undefined : first.get(link);
    if (link !== undefined && target === undefined) first.set(link, path);
    yield { kind: 'put', path, meta, node: target === undefined ? node : { type: 'hardlink', target } };
  }
}
