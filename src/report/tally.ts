/** Counts over the events of a build, for progress lines and the summary. */
import type { Transfer } from '../blob/blob.ts';
import type { BuildEvent } from '../build/events.ts';

export interface TransferTotals {
  /** Blobs that were sent or fetched, or are on their way. */
  readonly blobs: number;
  readonly finished: number;
  readonly bytes: number;
  /** Null while the size of one of them is not known. */
  readonly totalBytes: number | null;
  /** Blobs that nobody had to send: there already, or mounted from another repository. */
  readonly exists: number;
  readonly mounted: number;
}

export interface Totals {
  readonly steps: number;
  readonly cached: number;
  /** Of the image, once it is known; compressed bytes. */
  readonly layers: number;
  readonly layerBytes: number;
  /** Those that its base does not have. */
  readonly newLayers: number;
  readonly newLayerBytes: number;
  readonly warnings: number;
  readonly published: readonly { readonly where: string; readonly digest: string }[];
  readonly pull: TransferTotals;
  readonly push: TransferTotals;
}

export interface Tally {
  add(event: BuildEvent): void;
  totals(): Totals;
}

export function tally(): Tally {
  const transfers = new Map<string, Transfer>();
  const published: { where: string; digest: string }[] = [];
  const sums = { steps: 0, cached: 0, layers: 0, layerBytes: 0, newLayers: 0, newLayerBytes: 0, warnings: 0 };
  return {
    add(event) {
      if (event.type === 'transfer') transfers.set(`${event.direction} ${event.id}`, event);
      else if (event.type === 'warning') sums.warnings++;
      else if (event.type === 'published') published.push({ where: event.where, digest: event.digest });
      else if (event.type === 'image') {
        sums.layers = event.layers;
        sums.layerBytes = event.bytes;
        sums.newLayers = event.newLayers;
        sums.newLayerBytes = event.newBytes;
      } else if (event.type === 'step-end' && (event.state === 'done' || event.state === 'cached')) {
        sums.steps++;
        if (event.state === 'cached') sums.cached++;
      }
    },
    totals: () => ({
      ...sums,
      published: [...published],
      pull: sumOf(transfers.values(), 'pull'),
      push: sumOf(transfers.values(), 'push'),
    }),
  };
}

function sumOf(transfers: Iterable<Transfer>, direction: Transfer['direction']): TransferTotals {
  let [blobs, finished, bytes, exists, mounted] = [0, 0, 0, 0, 0];
  let totalBytes: number | null = 0;
  for (const transfer of transfers) {
    if (transfer.direction !== direction) continue;
    if (transfer.state === 'exists') exists++;
    else if (transfer.state === 'mounted') mounted++;
    else {
      blobs++;
      bytes += transfer.bytes;
      if (transfer.state === 'done') finished++;
      const size: number | null = transfer.state === 'done' ? transfer.bytes : transfer.totalBytes;
      totalBytes = size === null || totalBytes === null ? null : totalBytes + size;
    }
  }
  return { blobs, finished, bytes, totalBytes, exists, mounted };
}
