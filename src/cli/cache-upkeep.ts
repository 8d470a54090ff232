/** Pruning, listing and checking of a cache folder. Beside wire.ts, because it knows of everything that is kept there. */
import { join } from 'node:path';
import { blobShelf } from '../blob/blob-shelf.ts';
import { evictThing, type PruneOptions, prune } from '../blob/prune.ts';
import { type CachedThing, fileShelf, HEX_NAMES, type Shelf } from '../blob/shelf.ts';
import { placeShelf, stepShelf } from '../cache/cache-shelves.ts';
import { mountShelf } from '../cache-mounts/mount-shelf.ts';
import { openCacheAt } from '../unpacked/cache-folder.ts';
import { layerShelf } from '../unpacked/layer-shelf.ts';
import { oldestBuild, openWorkFolder } from '../unpacked/work-folder.ts';
import { cachePlaces } from './cache-place.ts';
import type { CacheUpkeep, DamagedThing } from './command-world.ts';

interface Keeping {
  readonly cacheFolder: string;
  /** Of this process. */
  readonly workFolder: string;
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
}

export interface PruneAtEnd extends Keeping {
  /** Null: it may grow. */
  readonly maxBytes: number | null;
}

/** Prunes the cache folder when it is disposed of: at the end of a build, good or bad. Failures are warnings. */
export function pruneAtEnd(options: PruneAtEnd): AsyncDisposable {
  const { maxBytes, warn, signal } = options;
  return {
    async [Symbol.asyncDispose]() {
      if (maxBytes === null || signal.aborted) return;
      try {
        await prune({ ...pruning(options, 'roughly'), wish: { kind: 'size', maxBytes } });
      } catch (error) {
        if (!signal.aborted) warn(`the cache folder ${options.cacheFolder} cannot be pruned: ${(error as Error).message}`);
      }
    },
  };
}

/** `cacheDir`: absolute; null: where a build keeps its cache by default. Throws STORE_FAILED. */
export async function openUpkeep(cacheDir: string | null, warn: Keeping['warn'], signal: AbortSignal): Promise<CacheUpkeep> {
  const { path: cacheFolder, folders } = openCacheAt(cachePlaces(cacheDir, process.env, process.geteuid?.() ?? 0), warn);
  const work = await openWorkFolder(folders.work, warn);
  const options = pruning({ cacheFolder, workFolder: work.path, warn, signal }, 'exact');
  const { shelves } = options;
  const list = async (): Promise<readonly CachedThing[]> => (await Promise.all(shelves.map((shelf) => shelf.list()))).flat();
  return {
    path: cacheFolder,
    list,
    prune: (wish, kinds) => prune({ ...options, wish, ...(kinds === undefined ? {} : { kinds }) }),
    async *verify() {
      for (const shelf of shelves) {
        for (const thing of await shelf.list()) {
          signal.throwIfAborted();
          const why = await shelf.check(thing.name, signal);
          yield why === null ? { thing, damage: null } : { thing, damage: { why, outcome: await removed(thing, options) } };
        }
      }
    },
    [Symbol.asyncDispose]: () => work[Symbol.asyncDispose](),
  };
}

async function removed(thing: CachedThing, options: Omit<PruneOptions, 'wish'>): Promise<DamagedThing['outcome']> {
  const outcome = await evictThing(thing, options);
  return outcome === 'gone' ? 'evicted' : outcome;
}

function pruning({ cacheFolder, workFolder, warn, signal }: Keeping, sizes: 'exact' | 'roughly'): Omit<PruneOptions, 'wish'> {
  const work = join(cacheFolder, 'work');
  const shelves = shelvesOf(cacheFolder, sizes);
  return { cacheFolder, workFolder, shelves, oldestBuild: () => oldestBuild(work, workFolder), warn, signal };
}

function shelvesOf(cacheFolder: string, sizes: 'exact' | 'roughly'): readonly Shelf[] {
  return [
    blobShelf(cacheFolder),
    layerShelf(cacheFolder),
    stepShelf(cacheFolder),
    placeShelf(cacheFolder),
    // Whoever reads one of these finds out himself whether it is whole.
    fileShelf({ kind: 'context', folder: join(cacheFolder, 'contexts'), names: HEX_NAMES, check: async () => null }),
    mountShelf(join(cacheFolder, 'mounts'), sizes),
  ];
}
