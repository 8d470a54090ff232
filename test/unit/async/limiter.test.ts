import { expect, test } from 'vitest';
import { limiter } from '../../../src/async/limiter.ts';
import { gate } from '../../helpers/fake-ports.ts';

test('so many tasks run at once as are allowed, in the order they came', async () => {
  const begun: number[] = [];
  const gates = [0, 1, 2, 3].map(() => gate());
  const limit = limiter(2);
  const all = gates.map(({ passed }, i) =>
    limit.run(() => {
      begun.push(i);
      return passed;
    }),
  );
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  await turn();
  expect(begun).toEqual([0, 1]);
  gates[1]?.open();
  await turn();
  expect(begun).toEqual([0, 1, 2]);
  gates[0]?.open();
  await turn();
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const { open } of gates) open();
  await Promise.all(all);
});

test('a task that fails, even at once, gives its place back and its failure to its own caller', async () => {
  const limit = limiter(1);
  const results = await Promise.allSettled([
    limit.run(() => Promise.reject(new Error('rejected'))),
    limit.run(() => {
      throw new Error('thrown');
    }),
    limit.run(() => Promise.resolve('done')),
  ]);
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason as Error).message))).toEqual([
    'rejected',
    'thrown',
    'done',
  ]);
});

test('a task that comes when a place has just been handed on does not squeeze in', async () => {
  let now = 0;
  let most = 0;
  const limit = limiter(1);
  const task = async (): Promise<void> => {
    most = Math.max(most, ++now);
    await Promise.resolve();
    now--;
  };
  await Promise.all([limit.run(task).then(() => limit.run(task)), limit.run(task), limit.run(task)]);
  expect(most).toBe(1);
});
