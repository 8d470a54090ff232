import { expect, test } from 'vitest';
import { CACHE_LIMITS, type CacheLimits, forgivingStepCache } from '../../../src/cache/forgiving-step-cache.ts';
import type { StepCache } from '../../../src/cache/step-cache.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { madeStep, newKey } from '../../contract/step-cache-contract.ts';

const never = new AbortController().signal;

/** A cache that does as the test says, within a wrapper whose warnings and limits are the test's. */
function forgiven(does: Partial<StepCache>, limits: Partial<CacheLimits> = {}) {
  const warnings: string[] = [];
  const inner: StepCache = {
    label: 'r.example/cache',
    find: () => Promise.resolve(null),
    keep: () => Promise.resolve(),
    finish: () => Promise.resolve(),
    ...does,
  };
  const cache = forgivingStepCache(inner, { warn: (message) => warnings.push(message), limits: { ...CACHE_LIMITS, ...limits } });
  return { cache, warnings };
}

const fails =
  (code: ConstructorParameters<typeof TsbuildError>[0], message = 'it is down') =>
  () =>
    Promise.reject(new TsbuildError(code, message, { hint: 'log in' }));
const counted = (count: () => void, work: () => Promise<never>) => () => {
  count();
  return work();
};
const hangs = () => new Promise<never>(() => undefined);

test('look-ups that fail are misses with one warning, and the cache is not asked again after three', async () => {
  let asked = 0;
  const { cache, warnings } = forgiven({ find: counted(() => void asked++, fails('REGISTRY_FAILED')) });
  for (let i = 0; i < 6; i++) expect(await cache.find(newKey(), 'run', never)).toBeNull();
  expect(asked).toBe(3);
  expect(warnings).toEqual(['no steps are taken from the cache r.example/cache: it is down (log in)']);
});

test('a cache that cannot be asked is not told either', async () => {
  let told = 0;
  const { cache, warnings } = forgiven({ find: fails('REGISTRY_FAILED'), keep: async () => void told++, finish: async () => void told++ });
  for (let i = 0; i < 3; i++) await cache.find(newKey(), 'run', never);
  await cache.keep(await madeStep({}), never);
  await cache.finish(never);
  expect(told).toBe(0);
  expect(warnings).toHaveLength(1);
});

test('a cache that denies reading is still told: some registries deny what is not there yet', async () => {
  let told = 0;
  const { cache } = forgiven({ find: fails('REGISTRY_DENIED'), keep: async () => void told++ });
  await cache.find(newKey(), 'run', never);
  await cache.keep(await madeStep({}), never);
  expect(told).toBe(1);
});

test('damaged entries are misses with one warning, and the others are still asked for', async () => {
  let asked = 0;
  const { cache, warnings } = forgiven({ find: counted(() => void asked++, fails('IMAGE_INVALID', 'an entry is damaged')) });
  for (let i = 0; i < 6; i++) expect(await cache.find(newKey(), 'run', never)).toBeNull();
  expect(asked).toBe(6);
  expect(warnings).toEqual(['an entry is damaged (log in); what is damaged in the cache counts as missing']);
});

test('look-ups that hang cost the time limit once, however many there are', async () => {
  const { cache, warnings } = forgiven({ find: hangs }, { lookUpMs: 300 });
  const begin = performance.now();
  expect(await Promise.all(Array.from({ length: 20 }, () => cache.find(newKey(), 'run', never)))).toEqual(Array(20).fill(null));
  expect(await cache.find(newKey(), 'run', never)).toBeNull();
  expect(performance.now() - begin).toBeLessThan(2000);
  expect(warnings).toEqual(['no steps are taken from the cache r.example/cache: it took longer than 0.3 s']);
});

test('steps that cannot be kept are one warning, and after three no more are tried', async () => {
  let tried = 0;
  const { cache, warnings } = forgiven({ keep: counted(() => void tried++, fails('REGISTRY_FAILED')) });
  for (let i = 0; i < 6; i++) await cache.keep(await madeStep({}), never);
  expect(tried).toBe(3);
  expect(warnings).toEqual(['steps are not kept in the cache r.example/cache: it is down (log in)']);
});

test('a cache that may not be written to is tried once', async () => {
  let tried = 0;
  const { cache, warnings } = forgiven({ keep: counted(() => void tried++, fails('REGISTRY_DENIED', 'forbidden')) });
  for (let i = 0; i < 4; i++) await cache.keep(await madeStep({}), never);
  expect(tried).toBe(1);
  expect(warnings).toEqual(['steps are not kept in the cache r.example/cache: forbidden (log in)']);
  expect(await cache.find(newKey(), 'run', never)).toBeNull();
});

test('keeping that hangs is waited for so long after the image is there, and then given up', async () => {
  const { cache, warnings } = forgiven({ keep: hangs }, { finishMs: 200 });
  const kept = cache.keep(await madeStep({}), never);
  const begin = performance.now();
  await cache.finish(never);
  await kept;
  expect(performance.now() - begin).toBeLessThan(2000);
  expect(warnings).toEqual(['steps are not kept in the cache r.example/cache: it took longer than 0.2 s']);
});

test('a list that cannot be written is a warning', async () => {
  const failing = forgiven({ finish: fails('OUTPUT_FAILED', 'the disk is full') });
  await failing.cache.finish(never);
  expect(failing.warnings).toEqual(['steps are not kept in the cache r.example/cache: the disk is full (log in)']);
  const hanging = forgiven({ finish: hangs }, { finishMs: 200 });
  await hanging.cache.finish(never);
  expect(hanging.warnings).toEqual(['steps are not kept in the cache r.example/cache: it took longer than 0.2 s']);
});

test('the signal of the build ends all of it with its reason and without a warning', async () => {
  const { cache, warnings } = forgiven({ find: hangs, keep: hangs, finish: hangs });
  const stop = new AbortController();
  const reason = new Error('stopped');
  const step = await madeStep({});
  const work = [cache.find(newKey(), 'run', stop.signal), cache.keep(step, stop.signal), cache.finish(stop.signal)];
  stop.abort(reason);
  for (const one of await Promise.allSettled(work)) expect(one).toEqual({ status: 'rejected', reason });
  expect(warnings).toEqual([]);
});
