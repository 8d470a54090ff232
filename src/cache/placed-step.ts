/** A step whose layer is in a cache's place, and is fetched when somebody opens it. */
import type { Digest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import type { CachePlace } from './cache-place.ts';
import type { FoundStep } from './step-cache.ts';

export interface StepThere {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly created: string;
  readonly below: Digest;
}

/** `origin`: the repository that it can be mounted from, `host/path`; null: none. */
export function placedStep(place: CachePlace, { descriptor, diffId, created, below }: StepThere, origin: string | null): FoundStep {
  const open = (signal: AbortSignal): ReturnType<FoundStep['layer']['open']> => place.open(descriptor, signal);
  return { created, below, layer: { descriptor, diffId, ...(origin === null ? {} : { origins: [origin] }), open } };
}
