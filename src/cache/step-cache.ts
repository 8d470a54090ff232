/**
 * What earlier builds made of steps: a layer by the key of all that it depends on. Caches only ever save time: whoever gives
 * one to a build wraps it so that its failures are warnings and misses.
 */
import type { Digest } from '../image/digest.ts';
import type { Layer } from '../image/image.ts';

/** sha256 over everything that a step's layer depends on, with the version of the way it is made. */
export type CacheKey = Digest;

export type CachedKind = 'run' | 'copy' | 'workdir';

/** What a key was made of, by name, each value as its sha256: tells two keys apart for people, without telling values. */
export type KeyParts = Readonly<Record<string, Digest>>;

export interface FoundStep {
  /** Its blob exists; nothing of it has been fetched before `open` is called. */
  readonly layer: Layer;
  /** RFC 3339: when the step ran. */
  readonly created: string;
  /**
   * Names the layers that the step found below it, as far as its key does not: two runs of one command make two layers. What was
   * made on one of them is no answer for the other.
   */
  readonly below: Digest;
}

export interface MadeStep extends FoundStep {
  readonly key: CacheKey;
  readonly kind: CachedKind;
  readonly parts: KeyParts;
  /** `image`: the layer is one of the image's own. `other`: of a stage that is only copied from. */
  readonly serves: 'image' | 'other';
}

export interface StepCache {
  /** For messages. */
  readonly label: string;
  /** Null: a miss. Called for all steps of a build at once. */
  find(key: CacheKey, kind: CachedKind, signal: AbortSignal): Promise<FoundStep | null>;
  /** Told of each step of the build, found or made, once its layer is sealed. The layer's blob can be opened until the build ends. */
  keep(step: MadeStep, signal: AbortSignal): Promise<void>;
  /** Told once, when the image has been published: for caches that are written as one. */
  finish(signal: AbortSignal): Promise<void>;
}
