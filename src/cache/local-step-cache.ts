/**
 * Steps of earlier builds in the cache folder: a record for each key, beside the blob store that has the layers. What is damaged
 * is a miss, and removed. A record carries its own checksum, because a wrong diff id would get into an image unseen.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CacheUse } from '../blob/cache-use.ts';
import type { DiskStore } from '../blob/disk-store.ts';
import { TsbuildError } from '../errors.ts';
import { hexOf } from '../image/digest.ts';
import { makeFolder } from '../sys/make-folder.ts';
import type { Places } from './places.ts';
import type { CacheKey, FoundStep, StepCache } from './step-cache.ts';
import { decodeRecord, encodeRecord, type StepRecord } from './step-record.ts';

export interface LocalStepCacheOptions {
  /** Absolute. */
  readonly cacheFolder: string;
  /** Of this build, on the same file system. */
  readonly workFolder: string;
  /** The cache folder's. */
  readonly store: DiskStore;
  readonly use: CacheUse;
  readonly places: Places;
}

export function stepsFolder(cacheFolder: string): string {
  return join(cacheFolder, 'steps');
}

/** Its failures are STORE_FAILED. */
export function localStepCache({ cacheFolder, workFolder, store, use, places }: LocalStepCacheOptions): StepCache {
  const folder = stepsFolder(cacheFolder);
  const pathOf = (key: CacheKey): string => join(folder, hexOf(key));
  let written = 0;

  const recordOf = async (key: CacheKey): Promise<StepRecord | null> => {
    const path = pathOf(key);
    if (!(await use.hold(path))) return null;
    const record = decodeRecord(readFileSync(path), key);
    // The blob may have been pruned, or a crash may have cut it.
    if (record !== null && (await store.size(record.descriptor.digest)) === record.descriptor.size) return record;
    rmSync(path, { force: true });
    return null;
  };

  const stepOf = ({ descriptor, diffId, created, below }: StepRecord): FoundStep => {
    const origins = places.of(descriptor.digest);
    const layer = { descriptor, diffId, ...(origins.length === 0 ? {} : { origins }) };
    return { created, below, layer: { ...layer, open: (signal) => store.open(descriptor, signal) } };
  };

  return {
    label: cacheFolder,
    async find(key, kind, signal) {
      signal.throwIfAborted();
      const record = await inFolder(folder, () => recordOf(key));
      return record?.kind === kind ? stepOf(record) : null;
    },
    async keep({ key, kind, created, below, parts, layer }, signal) {
      signal.throwIfAborted();
      const { mediaType, digest, size } = layer.descriptor;
      // What a registry's cache has stays there until somebody needs it.
      if ((await store.size(digest)) !== size) return;
      const record = { kind, created, below, parts, diffId: layer.diffId, descriptor: { mediaType, digest, size } };
      await inFolder(folder, async () => {
        const bytes = encodeRecord(record, key);
        if ((await use.hold(pathOf(key))) && readFileSync(pathOf(key)).equals(bytes)) return;
        const temporary = join(workFolder, `step-${written++}`);
        makeFolder(folder, 0o700);
        writeFileSync(temporary, bytes);
        await use.enter(() => renameSync(temporary, pathOf(key)));
      });
    },
    async finish(signal) {
      signal.throwIfAborted();
    },
  };
}

/** Failures of the disk as STORE_FAILED. */
async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TsbuildError) throw cause;
    throw new TsbuildError('STORE_FAILED', `cannot use the steps in ${folder}: ${(cause as Error).message}`, { cause });
  }
}
