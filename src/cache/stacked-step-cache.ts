/** Several caches as one: the first that knows a step answers, and all are told of each. */
import type { StepCache } from './step-cache.ts';

/** In the order in which they are asked; each forgives its own failures. What one has, the others get by `keep`. */
export function stackedStepCache(caches: readonly StepCache[]): StepCache {
  return {
    label: caches.length === 0 ? 'no cache' : caches.map(({ label }) => label).join(', '),
    async find(key, kind, signal) {
      signal.throwIfAborted();
      for (const cache of caches) {
        const found = await cache.find(key, kind, signal);
        if (found !== null) return found;
      }
      return null;
    },
    async keep(step, signal) {
      signal.throwIfAborted();
      await allEnded(caches.map((cache) => cache.keep(step, signal)));
    },
    async finish(signal) {
      signal.throwIfAborted();
      await allEnded(caches.map((cache) => cache.finish(signal)));
    },
  };
}

/** What fails in one does not stop the others. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
