import { describe, expect, test } from 'vitest';
import { RegistryError } from '../../../src/registry/registry-error.ts';
import { parseRetryAfter, retry } from '../../../src/registry/retry.ts';

const policy = { attempts: 4, firstDelayMs: 1, maxDelayMs: 3 };
const context = (signal = new AbortController().signal) => ({ policy, signal, debug: () => undefined });
const failure = (retryable: boolean, retryAfterMs?: number) =>
  new RegistryError('REGISTRY_FAILED', 'no', { status: 503, method: 'GET', url: 'http://u:p@h/p?sig=1', retryable, retryAfterMs });

function failing(times: number, error: unknown) {
  const state = { calls: 0 };
  const task = async (): Promise<string> => {
    if (state.calls++ < times) throw error;
    return 'done';
  };
  return { state, task };
}

test('what may pass is tried again until it works', async () => {
  const { state, task } = failing(3, failure(true));
  expect(await retry(task, context())).toBe('done');
  expect(state.calls).toBe(4);
});

test('the last failure is thrown when the attempts are used up', async () => {
  const { state, task } = failing(9, failure(true));
  await expect(retry(task, context())).rejects.toBeInstanceOf(RegistryError);
  expect(state.calls).toBe(4);
});

test.each([
  ['failures that stay', failure(false)],
  ['bugs', new TypeError('bug')],
  ['waits longer than a minute', failure(true, 61_000)],
])('%s are not tried again', async (_, error) => {
  const { state, task } = failing(9, error);
  await expect(retry(task, context())).rejects.toBe(error);
  expect(state.calls).toBe(1);
});

test("the registry's own wish is waited for", async () => {
  const { task } = failing(1, failure(true, 120));
  const start = performance.now();
  await retry(task, context());
  expect(performance.now() - start).toBeGreaterThan(115);
});

test('an abort ends the waiting with its reason', async () => {
  const controller = new AbortController();
  const { task } = failing(9, failure(true, 30_000));
  const result = retry(task, context(controller.signal));
  const reason = new Error('stop');
  setTimeout(() => controller.abort(reason), 10);
  await expect(result).rejects.toBe(reason);
});

test('the URL of an error has no password and no query', () => {
  expect(failure(true).url).toBe('http://h/p');
});

describe('Retry-After', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  test.each([
    [null, undefined],
    ['7', 7000],
    ['Wed, 21 Oct 2026 07:28:05 GMT', 5000],
    ['Wed, 21 Oct 2026 07:00:00 GMT', 0],
    ['soon', undefined],
  ])('%s is %s ms', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});
