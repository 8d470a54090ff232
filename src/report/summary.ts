/** The last lines of a build that worked: what was made, where it is, and what it cost. */
import type { Totals, TransferTotals } from './tally.ts';
import { count, formatBytes, formatSeconds } from './units.ts';

export interface SummaryLine {
  /** '' continues the line before. */
  readonly label: string;
  readonly text: string;
}

export function summaryTitle(seconds: number): string {
  return `Built in ${formatSeconds(seconds)}`;
}

export function warmedTitle(images: number, seconds: number): string {
  return `${count(images, 'image')} in the cache after ${formatSeconds(seconds)}`;
}

/** Null when nothing was pulled. */
export function pulledText(totals: Totals): string | null {
  return transferText(totals.pull, 'in the cache');
}

export function summaryLines(totals: Totals): readonly SummaryLine[] {
  const lines: SummaryLine[] = [];
  const places = totals.published.filter(({ where }) => where !== '');
  for (const [i, { where }] of places.entries()) lines.push({ label: i === 0 ? 'image' : '', text: where });
  const digests = [...new Set(totals.published.map(({ digest }) => digest))];
  for (const [i, digest] of digests.entries()) lines.push({ label: i === 0 ? 'digest' : '', text: digest });
  const steps = `${count(totals.steps, 'step')}${totals.cached === 0 ? '' : `, ${totals.cached} cached`}`;
  const made = totals.newLayers === 0 ? 'none new' : `${totals.newLayers} new with ${formatBytes(totals.newLayerBytes)}`;
  lines.push({ label: 'layers', text: `${totals.layers} with ${formatBytes(totals.layerBytes)}, ${made} (${steps})` });
  const pulled = pulledText(totals);
  if (pulled !== null) lines.push({ label: 'pulled', text: pulled });
  const pushed = transferText(totals.push, 'in the registry');
  if (pushed !== null) lines.push({ label: 'pushed', text: pushed });
  return lines;
}

/** Null when nothing moved and nothing had to. */
function transferText(totals: TransferTotals, where: string): string | null {
  const parts = [
    ...(totals.blobs > 0 ? [`${formatBytes(totals.bytes)} in ${count(totals.blobs, 'blob')}`] : []),
    ...(totals.exists > 0 ? [`${totals.exists} already ${where}`] : []),
    ...(totals.mounted > 0 ? [`${totals.mounted} mounted`] : []),
  ];
  return parts.length === 0 ? null : parts.join(', ');
}
