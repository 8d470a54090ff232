/**
 * A layer leaves out what a command copied up without changing it, even where the command gave that very file a further
 * name: the image then holds two files, as BuildKit's does. Within the build they are one: COPY --from keeps the hard link.
 */
import { type BytePath, parentOf } from '../../bytes/byte-path.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';

/** `names`: what the layer leaves out, and the path that it has for the same file. Names that it has not are passed over. */
export function withOtherNames(index: LayerIndex, names: ReadonlyMap<BytePath, BytePath>): LayerIndex {
  if (names.size === 0) return index;
  const puts = new Map(index.puts);
  const implied = new Set(index.implied);
  for (const [name, path] of names) {
    const entry = puts.get(path);
    if (entry === undefined) continue;
    const linked = { ...entry, link: entry.link ?? `other name of ${path}` };
    puts.set(path, linked);
    puts.set(name, linked);
    for (let folder = parentOf(name); folder !== '' && !puts.has(folder); folder = parentOf(folder)) implied.add(folder);
  }
  return { ...index, puts, implied };
}
