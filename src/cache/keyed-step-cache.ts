/** A cache with one image for each step, whose tag is the step's key: Kaniko's --cache-repo. */
import { limiter } from '../async/limiter.ts';
import { bytesLayer } from '../blob/bytes-layer.ts';
import { TsbuildError } from '../errors.ts';
import { hexOf } from '../image/digest.ts';
import { sharedWork } from '../registry/shared-work.ts';
import { type CacheEntry, decodeEntry, encodeEntry } from './cache-entry.ts';
import type { CachePlace } from './cache-place.ts';
import { placedStep } from './placed-step.ts';
import type { CacheKey, FoundStep, MadeStep, StepCache } from './step-cache.ts';

export interface KeyedStepCacheOptions {
  readonly place: CachePlace;
  /** How long an entry counts after it was put there; none does with 0 or less. Kaniko --cache-ttl. */
  readonly ttlMs: number;
  /** `read`: Kaniko --no-push-cache. */
  readonly access: 'read' | 'read and write';
  now(): Date;
}

/** As many sockets as a registry may be asked with. */
const LOOK_UPS_AT_ONCE = 32;
const WRITES_AT_ONCE = 8;

interface Known {
  readonly step: FoundStep;
  readonly kind: CacheEntry['kind'];
}

export function keyedStepCache({ place, ttlMs, access, now }: KeyedStepCacheOptions): StepCache {
  const known = sharedWork<Known | null>('results');
  const kept = sharedWork<void>('results');
  const lookUps = limiter(LOOK_UPS_AT_ONCE);
  const writes = limiter(WRITES_AT_ONCE);

  const lookUp = async (key: CacheKey, signal: AbortSignal): Promise<Known | null> => {
    signal.throwIfAborted();
    const manifest = await place.manifest(hexOf(key), signal);
    if (manifest === null) return null;
    const entry = entryOf(manifest, key, place);
    if (Date.parse(entry.kept) + ttlMs < now().getTime() || ttlMs <= 0) return null;
    if (!(await place.hasBlob(entry.descriptor, signal))) return null;
    return { step: placedStep(place, entry, manifest.origin), kind: entry.kind };
  };

  const find = (key: CacheKey, signal: AbortSignal): Promise<Known | null> =>
    known.get(key, (shared) => lookUps.run(() => lookUp(key, shared)), signal);

  const write = async (step: MadeStep, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    const { config, manifest } = encodeEntry(step, now());
    await Promise.all([place.putBlob(step.layer, signal), place.putBlob(bytesLayer(config), signal)]);
    await place.putManifest(manifest, hexOf(step.key), signal);
  };

  /** What cannot be read is written anew: some registries say no to whoever asks for what is not there yet. */
  const isThere = async ({ key, layer, below }: MadeStep, signal: AbortSignal): Promise<boolean> => {
    try {
      const found = await find(key, signal);
      // An entry that did not answer, since it was made on something else, makes room for what does.
      return found !== null && found.step.below === below && found.step.layer.descriptor.digest === layer.descriptor.digest;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TsbuildError) return false;
      throw error;
    }
  };

  return {
    label: place.label,
    async find(key, kind, signal) {
      const found = await find(key, signal);
      return found?.kind === kind ? found.step : null;
    },
    async keep(step, signal) {
      signal.throwIfAborted();
      if (access === 'read' || (await isThere(step, signal))) return;
      await kept.get(step.key, (shared) => writes.run(() => write(step, shared)), signal);
    },
    async finish(signal) {
      signal.throwIfAborted();
    },
  };
}

function entryOf(
  manifest: { readonly bytes: Uint8Array; readonly contentType: string | null },
  key: CacheKey,
  { label }: CachePlace,
): CacheEntry {
  try {
    return decodeEntry(manifest.bytes, manifest.contentType, key);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError('IMAGE_INVALID', `an entry of ${label} cannot be used: ${error.message}`, { cause: error });
  }
}
