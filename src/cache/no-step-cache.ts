/** For builds whose steps are all to run. */
import type { StepCache } from './step-cache.ts';

export function noStepCache(): StepCache {
  return {
    label: 'no cache',
    find: () => Promise.resolve(null),
    keep: () => Promise.resolve(),
    finish: () => Promise.resolve(),
  };
}
