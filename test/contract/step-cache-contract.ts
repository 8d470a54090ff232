/** What every cache of steps has to do, whatever it is made of. */
import { setMaxListeners } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CachedKind, CacheKey, MadeStep, StepCache } from '../../src/cache/step-cache.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { Layer } from '../../src/image/image.ts';
import { type TestLayer, testLayer } from '../helpers/test-image.ts';

/** One place that keeps steps: a repository, a folder. */
export interface StepCachePlace extends AsyncDisposable {
  /** The cache as one build has it. Nothing but the place is shared with other builds. */
  open(): Promise<StepCache>;
}

export function stepCacheContract(name: string, place: () => Promise<StepCachePlace>): void {
  describe(`steps kept by ${name}`, () => {
    let opened: StepCachePlace;
    const never = new AbortController().signal;
    setMaxListeners(0, never);
    beforeAll(async () => {
      opened = await place();
    });
    afterAll(async () => {
      await opened?.[Symbol.asyncDispose]();
    });

    /** A whole build that makes these steps. */
    const build = async (...steps: readonly MadeStep[]): Promise<void> => {
      const cache = await opened.open();
      await Promise.all(steps.map((step) => cache.keep(step, never)));
      await cache.finish(never);
    };

    test('are not there before they were kept', async () => {
      const cache = await opened.open();
      for (const kind of ['run', 'copy', 'workdir'] as const) expect(await cache.find(newKey(), kind, never)).toBeNull();
    });

    test.each(['run', 'copy', 'workdir'] as const)('come back to a later build with all that the image needs: %s', async (kind) => {
      const step = await madeStep({ kind });
      await build(step);
      const found = await (await opened.open()).find(step.key, kind, never);
      expect(found).toMatchObject({ created: step.created, below: step.below, layer: { diffId: step.layer.diffId } });
      const { digest, size, mediaType } = found?.layer.descriptor ?? {};
      expect({ digest, size, mediaType }).toEqual(step.layer.descriptor);
      expect(await bytesOf(found?.layer)).toEqual(step.bytes);
      // As often as one likes.
      expect(await bytesOf(found?.layer)).toEqual(step.bytes);
    });

    test('come back to the build that kept them', async () => {
      const step = await madeStep({});
      const cache = await opened.open();
      expect(await cache.find(step.key, 'run', never)).toBeNull();
      await cache.keep(step, never);
      await cache.finish(never);
      expect(await (await opened.open()).find(step.key, 'run', never)).not.toBeNull();
    });

    test('are found when many are asked for at once', async () => {
      const steps = await Promise.all(Array.from({ length: 30 }, () => madeStep({ kind: 'copy' })));
      await build(...steps);
      const cache = await opened.open();
      const found = await Promise.all(steps.flatMap(({ key }) => [cache.find(key, 'copy', never), cache.find(newKey(), 'copy', never)]));
      expect(found.map((one) => one?.layer.diffId ?? null)).toEqual(steps.flatMap(({ layer }) => [layer.diffId, null]));
    });

    test('may have one layer in common', async () => {
      const first = await madeStep({});
      const second = { ...first, key: newKey() };
      await build(first, second);
      const cache = await opened.open();
      for (const { key } of [first, second]) expect((await cache.find(key, 'run', never))?.layer.diffId).toBe(first.layer.diffId);
    });

    test('stay when a later build that found them keeps them again', async () => {
      const step = await madeStep({});
      await build(step);
      const cache = await opened.open();
      const found = await cache.find(step.key, 'run', never);
      if (found === null) throw new Error('not found');
      await cache.keep({ ...step, ...found }, never);
      await cache.keep({ ...step, ...found }, never);
      await cache.finish(never);
      expect(await bytesOf((await (await opened.open()).find(step.key, 'run', never))?.layer)).toEqual(step.bytes);
    });

    test('are there whole or not at all when their layer cannot be read', async () => {
      const step = await madeStep({});
      const broken = { ...step, layer: { ...step.layer, open: () => Promise.reject(new Error('the disk is gone')) } };
      const cache = await opened.open();
      const kept = await Promise.allSettled([cache.keep(broken, never)]);
      const finished = await Promise.allSettled([cache.finish(never)]);
      expect([...kept, ...finished].map(({ status }) => status)).toContain('rejected');
      expect(await (await opened.open()).find(step.key, 'run', never)).toBeNull();
    });

    test('are given up with the reason of the signal', async () => {
      const cache = await opened.open();
      const reason = new Error('stopped');
      const aborted = AbortSignal.abort(reason);
      await expect(cache.find(newKey(), 'run', aborted)).rejects.toBe(reason);
      await expect(cache.keep(await madeStep({}), aborted)).rejects.toBe(reason);
      await expect(cache.finish(aborted)).rejects.toBe(reason);
    });

    test('can be kept by several builds at once', async () => {
      const steps = await Promise.all([madeStep({}), madeStep({}), madeStep({}), madeStep({})]);
      await Promise.all(steps.map((step) => build(step)));
      const cache = await opened.open();
      const found = await Promise.all(steps.map(({ key }) => cache.find(key, 'run', never)));
      // A cache that is written as one may keep only what the last build told it.
      expect(found.filter((one) => one !== null).length).toBeGreaterThan(0);
      for (const one of found) if (one !== null) await bytesOf(one.layer);
    });

    test('of no build at all are no failure', async () => {
      const step = await madeStep({});
      await build(step);
      await (await opened.open()).finish(never);
      expect(await (await opened.open()).find(step.key, 'run', never)).not.toBeNull();
    });
  });
}

let keys = 0;

export function newKey(): CacheKey {
  return digestOf(`key ${process.pid} ${performance.timeOrigin} ${++keys}`);
}

export interface TestStep extends MadeStep {
  readonly layer: TestLayer;
  readonly bytes: Buffer;
}

export async function madeStep(options: { readonly kind?: CachedKind; readonly serves?: MadeStep['serves'] }): Promise<TestStep> {
  const layer = await testLayer();
  return {
    key: newKey(),
    kind: options.kind ?? 'run',
    parts: { command: digestOf('echo') },
    serves: options.serves ?? 'image',
    layer,
    bytes: layer.bytes,
    created: '2026-03-04T05:06:07.890Z',
    below: digestOf('below'),
  };
}

export async function bytesOf(layer: Layer | undefined): Promise<Buffer> {
  if (layer === undefined) throw new Error('there is no layer');
  const chunks: Buffer[] = [];
  for await (const chunk of await layer.open(new AbortController().signal)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
