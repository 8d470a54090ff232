/** What the cache folder keeps, and what was done with it, for people. */
import type { Pruned } from '../blob/prune.ts';
import type { CachedThing, ShelfKind } from '../blob/shelf.ts';
import { withoutControls } from './terminal-text.ts';
import { count, formatBytes } from './units.ts';

const KIND_TEXT: Readonly<Record<ShelfKind, string>> = {
  blob: 'blob',
  layer: 'unpacked layer',
  step: 'step',
  place: 'places of a blob',
  context: "context's digests",
  mount: 'cache mount',
};
const KIND_COLUMNS = 19;
const SIZE_COLUMNS = 11;

/** The latest use first. Ends with a newline. */
export function cacheTable(folder: string, things: readonly CachedThing[]): string {
  const lines = [...things].sort((a, b) => b.lastUsedMs - a.lastUsedMs).map(lineOf);
  const head = `${'KIND'.padEnd(KIND_COLUMNS)}${'SIZE'.padStart(SIZE_COLUMNS)}  ${'LAST USE'.padEnd(20)}  NAME`;
  const totals = (Object.keys(KIND_TEXT) as ShelfKind[]).flatMap((kind) => {
    const own = things.filter((thing) => thing.kind === kind);
    return own.length === 0
      ? []
      : [`${KIND_TEXT[kind].padEnd(KIND_COLUMNS)}${formatBytes(bytesOf(own)).padStart(SIZE_COLUMNS)}  in ${own.length}`];
  });
  const all = `${'all'.padEnd(KIND_COLUMNS)}${formatBytes(bytesOf(things)).padStart(SIZE_COLUMNS)}  in ${folder}`;
  return [...(lines.length === 0 ? [] : [head, ...lines, '']), ...totals, all, ''].join('\n');
}

/** Ends with a newline. */
export function prunedText({ evicted, inUse, leftBytes }: Pruned): string {
  const lines = evicted.map((thing) => `removed ${KIND_TEXT[thing.kind]} ${withoutControls(thing.label)} (${formatBytes(thing.bytes)})`);
  const kept = inUse.length === 0 ? '' : `; a running build uses ${count(inUse.length, 'thing')} (${formatBytes(bytesOf(inUse))})`;
  return [...lines, `freed ${formatBytes(bytesOf(evicted))}, ${formatBytes(leftBytes)} left${kept}`, ''].join('\n');
}

/** Ends with a newline. */
export function damageLine({ kind, label }: CachedThing, { why, outcome }: { readonly why: string; readonly outcome: string }): string {
  const end = { evicted: 'removed', 'in use': 'not removed: a running build may use it' }[outcome] ?? 'it cannot be removed';
  return `damaged: ${KIND_TEXT[kind]} ${withoutControls(label)}: ${withoutControls(why)} (${end})\n`;
}

function lineOf({ kind, label, bytes, lastUsedMs }: CachedThing): string {
  const used = new Date(lastUsedMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return `${KIND_TEXT[kind].padEnd(KIND_COLUMNS)}${formatBytes(bytes).padStart(SIZE_COLUMNS)}  ${used.padEnd(20)}  ${withoutControls(label)}`;
}

function bytesOf(things: readonly CachedThing[]): number {
  return things.reduce((sum, { bytes }) => sum + bytes, 0);
}
