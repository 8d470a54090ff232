import { expect, test } from 'vitest';
import { oncePerKey } from '../../../src/async/once-per-key.ts';

test('work of a key is done once, whether it is asked for meanwhile or afterwards', async () => {
  let count = 0;
  const once = oncePerKey<number>();
  const work = async (): Promise<number> => {
    await Promise.resolve();
    return ++count;
  };
  expect(await Promise.all([once.get('a', work), once.get('a', work)])).toEqual([1, 1]);
  expect(await once.get('a', work)).toBe(1);
  expect(await once.get('b', work)).toBe(2);
});

test('all who wait get the failure, and the next one tries again', async () => {
  const once = oncePerKey<string>();
  const failing = (): Promise<string> => Promise.reject(new Error('no'));
  const results = await Promise.allSettled([once.get('a', failing), once.get('a', failing)]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(once.pending('a')).toBeUndefined();
  expect(await once.get('a', () => Promise.resolve('yes'))).toBe('yes');
});

test('work under way can be had without starting any', async () => {
  const once = oncePerKey<string>();
  expect(once.pending('a')).toBeUndefined();
  const started = once.get('a', () => Promise.resolve('x'));
  expect(once.pending('a')).toBe(started);
  await started;
});
