/** --ignore-path: paths that a RUN's layer leaves out. Kaniko leaves them out of its snapshots alike. */
import { type BytePath, bytesOf, cleanPath } from '../bytes/byte-path.ts';
import type { LayerEntry, PutEntry } from '../layer/entry.ts';

/** Drops entries at or below one of `paths`. A name outside that is a hard link to a dropped one becomes the file itself. */
export async function* withoutIgnored(entries: AsyncIterable<LayerEntry>, paths: readonly string[]): AsyncIterable<LayerEntry> {
  const ignored = paths.map((path) => cleanPath(bytesOf(path)));
  const dropped = new Map<BytePath, PutEntry>();
  const standIns = new Map<BytePath, BytePath>();
  for await (const entry of entries) {
    if (ignored.some((path) => isAtOrBelow(entry.path, path))) {
      // A dropped hard link's target is dropped, too, or is in the layer anyway; others link to the target only.
      if (entry.kind === 'put' && entry.node.type !== 'dir' && entry.node.type !== 'hardlink') dropped.set(entry.path, entry);
    } else if (entry.kind !== 'put' || entry.node.type !== 'hardlink') {
      yield entry;
    } else {
      const { target } = entry.node;
      const standIn = standIns.get(target);
      const lost = dropped.get(target);
      if (standIn !== undefined) {
        yield { ...entry, node: { type: 'hardlink', target: standIn } };
      } else if (lost !== undefined) {
        standIns.set(target, entry.path);
        yield { ...entry, meta: lost.meta, node: lost.node };
      } else {
        yield entry;
      }
    }
  }
}

function isAtOrBelow(path: BytePath, folder: BytePath): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}
