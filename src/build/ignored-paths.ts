/** --ignore-path: paths that a RUN's layer leaves out. Kaniko leaves them out of its snapshots alike. */
import { bytesOf, cleanPath } from '../bytes/byte-path.ts';
import type { LayerEntry } from '../layer/entry.ts';

/** Drops entries at or below one of `paths`. */
export async function* withoutIgnored(entries: AsyncIterable<LayerEntry>, paths: readonly string[]): AsyncIterable<LayerEntry> {
  const ignored = paths.map((path) => cleanPath(bytesOf(path)));
  for await (const entry of entries) {
    if (!ignored.some((path) => entry.path === path || entry.path.startsWith(`${path}/`))) yield entry;
  }
}
