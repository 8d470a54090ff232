/** The history that a base brings along, put right: tools refuse images whose history and layers do not match. Pure. */
import type { BaseImage } from '../base-image/image-source.ts';
import type { HistoryEntry } from '../image/image.ts';

/**
 * Exactly one entry that is not `empty_layer` for each layer: entries beyond the last layer become empty ones, layers
 * beyond the last entry get one. Reference: BuildKit exporter/containerimage, normalizeLayersAndHistory.
 */
export function baseHistory({ config, layers }: BaseImage): readonly HistoryEntry[] {
  const { created } = config;
  let missing = layers.length;
  const history = (config.history ?? []).map((entry): HistoryEntry => {
    if (entry.empty_layer === true) return entry;
    if (missing === 0) return { ...entry, empty_layer: true };
    missing -= 1;
    return entry;
  });
  const unknown: HistoryEntry = { ...(created === undefined ? {} : { created }), comment: 'not in the history of the base image' };
  return [...history, ...Array<HistoryEntry>(missing).fill(unknown)];
}
