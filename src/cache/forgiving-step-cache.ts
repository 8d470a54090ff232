/**
 * A cache that may be down, slow, damaged or closed without harm to the build: what fails is a miss, or is not kept, and is
 * told once for each kind of trouble. Only the signal of the build still ends its work.
 */
import { setMaxListeners } from 'node:events';
import { type ErrorCode, TsbuildError } from '../errors.ts';
import type { MadeStep, StepCache } from './step-cache.ts';

export interface CacheLimits {
  /** For one look-up. They are made all at once, so a cache that does not answer costs a build this once. */
  readonly lookUpMs: number;
  /** After the image was published: for steps that are still on their way, besides their bytes, and then for their list. */
  readonly finishMs: number;
  /** A line that is slower than this is not waited for. */
  readonly bytesPerSecond: number;
  /** After so many failures the cache is not asked any more. */
  readonly failures: number;
}

export const CACHE_LIMITS: CacheLimits = { lookUpMs: 10_000, finishMs: 30_000, bytesPerSecond: 1 << 20, failures: 3 };

export interface ForgivingOptions {
  readonly warn: (message: string) => void;
  readonly limits?: CacheLimits;
}

/** Trouble of one entry says nothing of the others. */
const DAMAGE: readonly ErrorCode[] = ['IMAGE_INVALID', 'BLOB_DIGEST_MISMATCH', 'BLOB_NOT_FOUND'];

/** `find` and `keep` throw nothing but the reason of the signal. `finish` waits for what `keep` began; nobody else has to. */
export function forgivingStepCache(cache: StepCache, { warn, limits = CACHE_LIMITS }: ForgivingOptions): StepCache {
  const reading = half(limits.failures);
  const writing = half(limits.failures);
  const pending = new Map<Promise<void>, MadeStep>();
  const told = new Set<string>();
  const tell = (kind: string, message: string): void => {
    if (!told.has(kind)) warn(message);
    told.add(kind);
  };

  const readFailed = (error: unknown): void => {
    if (isDamage(error)) {
      tell('damage', `${reasonOf(error)}; what is damaged in the cache counts as missing`);
      return;
    }
    tell('read', `no steps are taken from the cache ${cache.label}: ${reasonOf(error)}`);
    reading.failed(error);
    // Whoever may not read may still write: some registries say no to what is not there yet.
    if (reading.off() && !isDenied(error)) writing.stop();
  };
  const writeFailed = (error: unknown): void => {
    tell('write', `steps are not kept in the cache ${cache.label}: ${reasonOf(error)}`);
    writing.failed(error);
  };

  const write = async (work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    if (writing.off()) return;
    try {
      await unlessAborted(work, AbortSignal.any([signal, writing.signal]));
    } catch (error) {
      signal.throwIfAborted();
      if (!writing.off()) writeFailed(error);
    }
  };

  /** True: all steps that were begun have ended. */
  const join = async (signal: AbortSignal): Promise<void> => {
    if (pending.size === 0) return;
    const bytes = [...pending.values()].reduce((sum, { layer }) => sum + layer.descriptor.size, 0);
    const ms = limits.finishMs + (bytes / limits.bytesPerSecond) * 1000;
    const all = Promise.allSettled(pending.keys());
    try {
      await within(ms, async () => void (await all), signal);
    } catch (error) {
      signal.throwIfAborted();
      writeFailed(error);
    }
  };

  return {
    label: cache.label,
    async find(key, kind, signal) {
      signal.throwIfAborted();
      if (reading.off()) return null;
      try {
        return await within(limits.lookUpMs, (own) => cache.find(key, kind, own), AbortSignal.any([signal, reading.signal]));
      } catch (error) {
        signal.throwIfAborted();
        if (!reading.off()) readFailed(error);
        return null;
      }
    },
    async keep(step, signal) {
      const kept = write((own) => cache.keep(step, own), signal);
      pending.set(kept, step);
      try {
        await kept;
      } finally {
        pending.delete(kept);
      }
    },
    async finish(signal) {
      signal.throwIfAborted();
      await join(signal);
      await write((own) => within(limits.finishMs, (limited) => cache.finish(limited), own), signal);
    },
  };
}

interface Half {
  /** Aborts what is under way when this half is given up. */
  readonly signal: AbortSignal;
  off(): boolean;
  failed(error: unknown): void;
  stop(): void;
}

/** Asking or telling: given up after some failures, and at once after one that the next would only repeat. */
function half(mostFailures: number): Half {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let failures = 0;
  return {
    signal: stop.signal,
    off: () => stop.signal.aborted,
    failed(error) {
      failures++;
      if (failures >= mostFailures || error instanceof TooSlow || isDenied(error)) this.stop();
    },
    stop: () => stop.abort(new Error('this cache has been given up')),
  };
}

class TooSlow extends Error {}

/** Throws TooSlow when the time is over, whatever `work` makes of its signal. */
async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new TooSlow(`it took longer than ${Math.round(ms / 100) / 10} s`)), ms);
  try {
    return await unlessAborted(work, AbortSignal.any([signal, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

/** Rejects with the signal's reason as soon as it aborts: a disk that hangs listens to no signal. */
async function unlessAborted<T>(work: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(signal), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof TsbuildError && DAMAGE.includes(error.code);
}

function isDenied(error: unknown): boolean {
  return error instanceof TsbuildError && error.code === 'REGISTRY_DENIED';
}

function reasonOf(error: unknown): string {
  const hint = error instanceof TsbuildError && error.hint !== undefined ? ` (${error.hint})` : '';
  return `${error instanceof Error ? error.message : String(error)}${hint}`;
}
