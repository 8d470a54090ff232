/** All steps of a build as one image: BuildKit's --cache-to. Layers are on their way while the build goes on, their list comes last. */
import { limiter } from '../async/limiter.ts';
import { bytesLayer } from '../blob/bytes-layer.ts';
import { encodeDocument } from './cache-document.ts';
import type { CachePlace } from './cache-place.ts';
import type { CacheKey, MadeStep, StepCache } from './step-cache.ts';

export interface ExportedStepCacheOptions {
  readonly place: CachePlace;
  readonly tag: string;
  /** `min`: only layers of the image itself. `max`: also those of the stages that it copies from. */
  readonly mode: 'min' | 'max';
}

const WRITES_AT_ONCE = 8;

/** Finds nothing. An export replaces the one before; a build without steps leaves that as it is. */
export function exportedStepCache({ place, tag, mode }: ExportedStepCacheOptions): StepCache {
  const writes = limiter(WRITES_AT_ONCE);
  const steps = new Map<CacheKey, { readonly step: MadeStep; readonly written: Promise<void> }>();

  return {
    label: `${place.label}:${tag}`,
    async find(_key, _kind, signal) {
      signal.throwIfAborted();
      return null;
    },
    async keep(step, signal) {
      signal.throwIfAborted();
      if (mode === 'min' && step.serves !== 'image') return;
      const known = steps.get(step.key);
      if (known !== undefined) return known.written;
      const written = writes.run(() => place.putBlob(step.layer, signal));
      steps.set(step.key, { step, written });
      await written;
    },
    async finish(signal) {
      signal.throwIfAborted();
      const all = [...steps.values()];
      const results = await Promise.allSettled(all.map(({ written }) => written));
      // Whoever kept a step heard of its failure; the others are a cache, too.
      const whole = all.filter((_, i) => results[i]?.status === 'fulfilled').map(({ step }) => step);
      if (whole.length === 0) return;
      const { config, manifest } = encodeDocument(whole);
      await place.putBlob(bytesLayer(config), signal);
      await place.putManifest(manifest, tag, signal);
    },
  };
}
