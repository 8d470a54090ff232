/** The caches of steps that the options ask for, as one: this machine's, the registry's, imported and exported ones. */
import { readdirSync } from 'node:fs';
import type { CacheUse } from '../blob/cache-use.ts';
import type { DiskStore } from '../blob/disk-store.ts';
import type { Ports } from '../build/ports.ts';
import { withInlineCache } from '../cache/cache-document.ts';
import type { CachePlace } from '../cache/cache-place.ts';
import { exportedStepCache } from '../cache/exported-step-cache.ts';
import { forgivingStepCache } from '../cache/forgiving-step-cache.ts';
import { importedStepCache } from '../cache/imported-step-cache.ts';
import { keyedStepCache } from '../cache/keyed-step-cache.ts';
import { kindsStepCache } from '../cache/kinds-step-cache.ts';
import { layoutPlace } from '../cache/layout-place.ts';
import { localStepCache, stepsFolder } from '../cache/local-step-cache.ts';
import type { Places } from '../cache/places.ts';
import { registryPlace } from '../cache/registry-place.ts';
import { stackedStepCache } from '../cache/stacked-step-cache.ts';
import type { StepCache } from '../cache/step-cache.ts';
import type { Digest } from '../image/digest.ts';
import { parseReference } from '../image/reference.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import type { CacheOptions, CachePlaceOption } from './options.ts';

/** Layers that caches gave and that were read: what may be wrong where a build meets a damaged layer. */
export interface ReadFromCaches {
  readonly opened: Set<Digest>;
  /** Those of them that could not be read to their end. */
  readonly failed: Set<Digest>;
  /** Found damaged, or suspected of it, by an earlier try of this build. */
  readonly refused: ReadonlySet<Digest>;
}

export interface StepCachesWorld extends ReadFromCaches {
  readonly cacheFolder: string;
  readonly workFolder: string;
  readonly store: DiskStore;
  readonly use: CacheUse;
  readonly places: Places;
  readonly client: RegistryClient;
  readonly warn: (message: string) => void;
  now(): Date;
}

export function stepCaches(options: CacheOptions, world: StepCachesWorld): Pick<Ports, 'cache' | 'earlierSteps' | 'inlineCache'> {
  const { steps, kinds, keyed, imports, exports, inline } = options;
  const forgiven = (cache: StepCache): StepCache => forgivingStepCache(cache, world);
  const place = (at: CachePlaceOption): CachePlace =>
    at.kind === 'layout' ? layoutPlace(at.folder) : registryPlace({ ...world, repository: parseReference(at.repository) });
  const exported = exports.map((one) => forgiven(exportedStepCache({ place: place(one), tag: one.tag, mode: one.mode })));
  const local = forgiven(localStepCache(world));
  const inlineCache = inline === 'written' ? withInlineCache : null;
  if (steps === 'run anew') {
    // As with Docker: later builds get what was made anew, not what was there before.
    return { cache: stackedStepCache([local, ...exported]), earlierSteps: 'none', inlineCache };
  }
  const remote = [
    ...(keyed === null ? [] : [forgiven(keyedStepCache({ ...keyed, place: place(keyed.place), now: world.now }))]),
    ...imports.map((one) => forgiven(importedStepCache({ place: place(one), name: one.name }))),
  ];
  const asked = suspiciousStepCache(stackedStepCache([local, ...remote]), world);
  return {
    cache: stackedStepCache([kindsStepCache(asked, new Set(kinds)), ...exported]),
    earlierSteps: remote.length === 0 && isEmpty(stepsFolder(world.cacheFolder)) ? 'none' : 'maybe',
    inlineCache,
  };
}

/** Gives nothing that is refused, and remembers what is read. */
function suspiciousStepCache(cache: StepCache, { opened, failed, refused }: ReadFromCaches): StepCache {
  return {
    ...cache,
    async find(key, kind, signal) {
      const found = await cache.find(key, kind, signal);
      if (found === null || refused.has(found.layer.descriptor.digest)) return null;
      const { layer } = found;
      const { digest } = layer.descriptor;
      const open: typeof layer.open = async (own) => {
        opened.add(digest);
        // What an abort cuts short has no fault of its own.
        const fail = (): void => void (own.aborted || failed.add(digest));
        try {
          return (await layer.open(own)).once('error', fail);
        } catch (error) {
          fail();
          throw error;
        }
      };
      return { ...found, layer: { ...layer, open } };
    },
  };
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    // Nothing can be found there, whatever the reason.
    return true;
  }
}
