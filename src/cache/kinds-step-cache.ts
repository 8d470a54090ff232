/** A cache for some kinds of steps only: the others always run. Kaniko's --cache-run-layers, --cache-copy-layers. */
import type { CachedKind, StepCache } from './step-cache.ts';

export function kindsStepCache(cache: StepCache, kinds: ReadonlySet<CachedKind>): StepCache {
  return {
    label: cache.label,
    find: async (key, kind, signal) => (kinds.has(kind) ? cache.find(key, kind, signal) : null),
    keep: async (step, signal) => (kinds.has(step.kind) ? cache.keep(step, signal) : undefined),
    finish: (signal) => cache.finish(signal),
  };
}
