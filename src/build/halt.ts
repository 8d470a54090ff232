/** Works that go on together and end together: the first failure stops the others, and nothing goes on behind it. */
import { setMaxListeners } from 'node:events';

export interface Halt {
  /** Aborted by the user or by the first failure; its reason is what came first. */
  readonly signal: AbortSignal;
  stop(failure: unknown): void;
}

/** One that stops with `outer`, but never stops `outer`. */
export function haltWithin(outer: AbortSignal): Halt {
  const failure = new AbortController();
  const signal = AbortSignal.any([outer, failure.signal]);
  // Each layer on the move listens to it, and an image may have a hundred.
  setMaxListeners(0, signal);
  return { signal, stop: (error) => failure.abort(error) };
}

/** Like Promise.all, but the first failure stops the others, and all have settled when this rejects with it. */
export async function allOrStop<const T extends readonly Promise<unknown>[]>(
  work: T,
  halt: Halt,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  for (const one of work) one.catch((error: unknown) => halt.stop(error));
  await Promise.allSettled(work);
  halt.signal.throwIfAborted();
  return (await Promise.all(work)) as { -readonly [K in keyof T]: Awaited<T[K]> };
}
