/** What a cache folder keeps, by kinds: a shelf lists things of one kind, and can give them up. */
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

/**
 * `layer`: the index of a layer with its unpacked folders. `step`: what a step made. `place`: repositories that have a blob.
 * `context`: digests of a context's files. `mount`: a folder of RUN --mount=type=cache.
 */
export type ShelfKind = 'blob' | 'layer' | 'step' | 'place' | 'context' | 'mount';

export interface CachedThing {
  readonly kind: ShelfKind;
  /** Unique in its kind, and fit for a file. */
  readonly name: string;
  /** For people: what it is called outside of the cache. */
  readonly label: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly lastUsedMs: number;
}

export interface Shelf {
  readonly kind: ShelfKind;
  /** Needs no walk through what the things hold, unless nobody has noted their size. */
  list(): Promise<readonly CachedThing[]>;
  /** Null: it is not there. */
  lastUsedMs(name: string): number | null;
  /** Moves it into the folder `to`, which is on the same file system, by renames. False: somebody holds a lock of its own. */
  evict(name: string, to: string): boolean;
  /** Names of things that are of no use without what has been evicted from other shelves. */
  useless(): readonly string[];
  /** Why a thing is damaged; null: it is sound, as far as can be told, or it is gone. */
  check(name: string, signal: AbortSignal): Promise<string | null>;
}

export interface FileShelfOptions extends Pick<Shelf, 'kind' | 'check'> {
  readonly folder: string;
  /** Names of files that are things. */
  readonly names: RegExp;
  readonly labelOf?: (name: string) => string;
  readonly useless?: Shelf['useless'];
}

/** Names that are sha256 digests. */
export const HEX_NAMES = /^[0-9a-f]{64}$/;

/** Things that are one file each, last used when the file's time says. The folder need not exist. */
export function fileShelf({ kind, folder, names, check, labelOf = (name) => name, useless = () => [] }: FileShelfOptions): Shelf {
  return {
    kind,
    check,
    useless,
    async list() {
      const found: CachedThing[] = [];
      for (const name of namesIn(folder)) {
        const stats = names.test(name) ? lstatSync(join(folder, name), { throwIfNoEntry: false }) : undefined;
        if (stats?.isFile() !== true) continue;
        found.push({ kind, name, label: labelOf(name), bytes: stats.size, lastUsedMs: stats.mtimeMs });
      }
      return found;
    },
    lastUsedMs: (name) => lstatSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? null,
    evict(name, to) {
      renameSync(join(folder, name), join(to, `${kind}-${name}`));
      return true;
    },
  };
}

/** Empty where there is no such folder. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
