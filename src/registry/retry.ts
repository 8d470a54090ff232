/** Trying again what may work a little later: exponential waits with jitter, or what the registry asks for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from './registry-error.ts';

export interface RetryPolicy {
  /** With the first one. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, firstDelayMs: 250, maxDelayMs: 10_000 };

/** A registry that wants longer waits than this is not waited for. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface RetryContext {
  readonly policy: RetryPolicy;
  readonly signal: AbortSignal;
  readonly debug: (message: string) => void;
}

/** Only RegistryErrors that say so are tried again; the last failure is thrown. */
export async function retry<T>(task: () => Promise<T>, context: RetryContext): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await task();
    } catch (error) {
      await waitToRetry(error, attempt, context);
    }
  }
}

/** Waits before attempt `attempt + 1`; throws `error` when there is to be none. */
export async function waitToRetry(error: unknown, attempt: number, { policy, signal, debug }: RetryContext): Promise<void> {
  signal.throwIfAborted();
  if (!(error instanceof RegistryError) || !error.retryable || attempt >= policy.attempts) throw error;
  const wished = error.retryAfterMs;
  if (wished !== undefined && wished > MAX_RETRY_AFTER_MS) throw error;
  const backoff = Math.min(policy.firstDelayMs * 2 ** (attempt - 1), policy.maxDelayMs);
  // Half fixed, half random: builds that failed together do not come back together.
  const delay = wished ?? backoff / 2 + Math.random() * (backoff / 2);
  debug(`${error.message}; trying again in ${Math.round(delay)} ms (attempt ${attempt + 1} of ${policy.attempts})`);
  try {
    await sleep(delay, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}

/** Seconds or an HTTP date. Undefined when absent or neither. RFC 9110, 10.2.3. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
