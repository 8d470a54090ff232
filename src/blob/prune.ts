/**
 * Makes a cache folder smaller, least recently used things first, of whatever kind; folders of RUN --mount=type=cache go last. What a
 * build that lives may use stays (cache-use.ts). Things leave the cache by a rename and are removed afterwards, so that nobody
 * waits for a removal, and what a killed process leaves is in its work folder.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../sys/remove-tree.ts';
import { withoutUsers } from './cache-use.ts';
import type { CachedThing, Shelf, ShelfKind } from './shelf.ts';

export interface PruneOptions {
  readonly cacheFolder: string;
  /** Of this process, on the file system of the cache. */
  readonly workFolder: string;
  readonly shelves: readonly Shelf[];
  /** When the oldest build of another process began; null: there is none. */
  readonly oldestBuild: () => number | null;
  readonly wish: PruneWish;
  /** Of what the wish names. Undefined: all. */
  readonly kinds?: readonly ShelfKind[];
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What is to go. */
export type PruneWish =
  | { readonly kind: 'all' }
  /** What has not been used since. */
  | { readonly kind: 'unused'; readonly sinceMs: number }
  /** As much as is above. */
  | { readonly kind: 'size'; readonly maxBytes: number };

export interface Pruned {
  readonly evicted: readonly CachedThing[];
  /** What the wish named, but a build uses. */
  readonly inUse: readonly CachedThing[];
  /** Bytes of what is left. */
  readonly leftBytes: number;
}

/** For file systems that keep times in whole or even seconds, and clocks of servers that run behind. */
const TIME_SLACK_MS = 2_000;
/** How many things are evicted before other processes may go on. */
const BATCH = 64;

export async function prune(options: PruneOptions): Promise<Pruned> {
  const { shelves, wish, signal } = options;
  const lists = await Promise.all(shelves.map((shelf) => shelf.list()));
  const things = lists.flat().sort(leastUsedFirst);
  let leftBytes = things.reduce((sum, { bytes }) => sum + bytes, 0);
  const evicted: CachedThing[] = [];
  const inUse: CachedThing[] = [];
  const into = evictionFolder(options.workFolder);
  const evictAll = async (wanted: Iterator<CachedThing>, enough: () => boolean): Promise<void> => {
    for (let next = wanted.next(); next.done !== true && !enough(); ) {
      signal.throwIfAborted();
      await withoutUsers(options.cacheFolder, () => {
        const oldest = options.oldestBuild();
        for (let n = 0; n < BATCH && next.done !== true && !enough(); n++, next = wanted.next()) {
          const outcome = evict(next.value, oldest, into, options);
          if (outcome === 'in use') inUse.push(next.value);
          if (outcome === 'evicted') evicted.push(next.value);
          if (outcome !== 'in use' && outcome !== 'failed') leftBytes -= next.value.bytes;
        }
      });
      await into.empty();
    }
  };
  const { kinds } = options;
  const meant = kinds === undefined ? things : things.filter(({ kind }) => kinds.includes(kind));
  const wanted = wish.kind === 'unused' ? meant.filter(({ lastUsedMs }) => lastUsedMs < wish.sinceMs) : meant;
  await evictAll(wanted.values(), wish.kind === 'size' ? () => leftBytes <= wish.maxBytes : () => false);
  if (evicted.length > 0) {
    const gone = new Set(evicted);
    const left = things.filter((thing) => !gone.has(thing));
    for (const shelf of shelves) {
      const names = new Set(shelf.useless());
      if (names.size > 0) await evictAll(left.filter(({ kind, name }) => kind === shelf.kind && names.has(name)).values(), () => false);
    }
  }
  return { evicted, inUse: [...new Set(inUse)], leftBytes };
}

/** Takes one thing out of the cache whatever it was last used for, unless a build may use it. */
export async function evictThing(thing: CachedThing, options: Omit<PruneOptions, 'wish'>): Promise<Outcome> {
  const into = evictionFolder(options.workFolder);
  const outcome = await withoutUsers(options.cacheFolder, () => evict(thing, options.oldestBuild(), into, options));
  await into.empty();
  return outcome;
}

type Outcome = 'evicted' | 'in use' | 'gone' | 'failed';

function evict(
  { kind, name, label }: CachedThing,
  oldestBuild: number | null,
  into: EvictionFolder,
  { shelves, warn }: Pick<PruneOptions, 'shelves' | 'warn'>,
): Outcome {
  const shelf = shelves.find((each) => each.kind === kind);
  if (shelf === undefined) throw new Error(`no shelf of kind ${kind}`);
  try {
    // Only here, where nobody can begin to use it, does the time say whether anybody does.
    const lastUsedMs = shelf.lastUsedMs(name);
    if (lastUsedMs === null) return 'gone';
    if (oldestBuild !== null && lastUsedMs >= oldestBuild - TIME_SLACK_MS) return 'in use';
    return shelf.evict(name, into.path()) ? 'evicted' : 'in use';
  } catch (error) {
    warn(`the ${kind} ${label} cannot be removed from the cache: ${(error as Error).message}`);
    return 'failed';
  }
}

interface EvictionFolder {
  /** Made when first asked for. */
  path(): string;
  empty(): Promise<void>;
}

function evictionFolder(workFolder: string): EvictionFolder {
  const path = join(workFolder, 'evicted');
  let made = false;
  return {
    path() {
      if (!made) mkdirSync(path, { recursive: true });
      made = true;
      return path;
    },
    async empty() {
      if (made) await removeTree(path);
      made = false;
    },
  };
}

function leastUsedFirst(a: CachedThing, b: CachedThing): number {
  return Number(a.kind === 'mount') - Number(b.kind === 'mount') || a.lastUsedMs - b.lastUsedMs;
}
