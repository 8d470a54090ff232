import { describe, expect, test } from 'vitest';
import { TsbuildError } from '../../../src/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { ImageSink } from '../../../src/output/image-sink.ts';
import { type FakeWorld, fakeWorld, gate, untilAborted } from '../../helpers/fake-ports.ts';

const failed = { status: { kind: 'code', code: 1 } } as const;

const disposals = (world: FakeWorld): readonly string[] => world.log.filter((line) => line.startsWith('dispose'));

const states = (world: FakeWorld): Readonly<Record<string, string>> =>
  Object.fromEntries(world.events.flatMap((event) => (event.type === 'step-end' ? [[event.id, event.state]] : [])));

const TWO_STAGES = 'FROM scratch AS one\nRUN one\n\nFROM scratch AS two\nRUN two\nFROM one\nCOPY --from=two / /\n';

test('a failing stage takes the others down, and the build fails with its error at its lines', async () => {
  const started = gate();
  let aborted: unknown;
  const world = fakeWorld({
    dockerfile: TWO_STAGES,
    async run(command, _, signal) {
      if (command === 'two') {
        await started.passed;
        return failed;
      }
      started.open();
      await untilAborted(signal).catch((reason: unknown) => {
        aborted = reason;
        throw reason;
      });
      return undefined;
    },
  });
  const error = await world.build().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'RUN_FAILED', at: { file: 'Dockerfile', startLine: 5, endLine: 5 } });
  expect(aborted).toBe(error);
  expect(world.log).not.toContain('write');
});

test('the step that failed is told as failed, those that went down with it as cancelled', async () => {
  const started = gate();
  const world = fakeWorld({
    dockerfile: TWO_STAGES,
    async run(command, _, signal) {
      if (command !== 'two') {
        started.open();
        return untilAborted(signal);
      }
      await started.passed;
      return failed;
    },
  });
  await expect(world.build()).rejects.toMatchObject({ code: 'RUN_FAILED' });
  expect(states(world)).toEqual({ '0.0': 'cancelled', '1.0': 'failed' });
});

test('the first of two failures is the one that counts, though the second stage stands above it', async () => {
  const second = gate();
  const world = fakeWorld({
    dockerfile: TWO_STAGES,
    async run(command) {
      if (command === 'two') {
        setImmediate(second.open);
        return { status: { kind: 'code', code: 2 } };
      }
      await second.passed;
      return { status: { kind: 'code', code: 1 } };
    },
  });
  await expect(world.build()).rejects.toThrow(/exit code 2/);
});

test('the build rejects only when the stages that were taken down have come to rest', async () => {
  let resting = false;
  const started = gate();
  const world = fakeWorld({
    dockerfile: 'FROM scratch AS one\nRUN one\nFROM scratch\nRUN two\nCOPY --from=one / /\n',
    async run(command, _, signal) {
      if (command === 'two') {
        await started.passed;
        return failed;
      }
      started.open();
      await untilAborted(signal).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 30));
      resting = true;
      throw signal.reason;
    },
  });
  await expect(world.build()).rejects.toThrow(/exit code 1/);
  expect(resting).toBe(true);
});

test('a RUN that waited for its place is not run after a failure', async () => {
  const world = fakeWorld({ dockerfile: TWO_STAGES, parallelRuns: 1, run: () => failed });
  await expect(world.build()).rejects.toMatchObject({ at: { startLine: 2 } });
  expect(world.log.filter((line) => line.startsWith('run '))).toEqual(['run one']);
});

describe('rootfs and context are disposed of, in that order', () => {
  const dockerfile = 'FROM scratch AS one\nRUN one\nFROM one\nRUN two\n';
  const bothThen = ['dispose rootfs 2', 'dispose rootfs 1', 'dispose context'];

  test('after success, when the image has been written', async () => {
    const world = fakeWorld({ dockerfile });
    await world.build();
    expect(disposals(world)).toEqual(bothThen);
    expect(world.log.indexOf('write')).toBeLessThan(world.log.indexOf('dispose rootfs 2'));
  });

  test('after a failure', async () => {
    const world = fakeWorld({ dockerfile, run: (command) => (command === 'two' ? failed : undefined) });
    await expect(world.build()).rejects.toThrow();
    expect(disposals(world)).toEqual(bothThen);
  });

  test('after an abort, which is what the build rejects with', async () => {
    const controller = new AbortController();
    const reason = new Error('the user has had enough');
    const world = fakeWorld({
      dockerfile,
      run(command, _, signal) {
        if (command !== 'two') return undefined;
        setTimeout(() => controller.abort(reason), 50);
        return untilAborted(signal);
      },
    });
    await expect(world.build(controller.signal)).rejects.toBe(reason);
    expect(disposals(world)).toEqual(bothThen);
    expect(states(world)).toEqual({ '0.0': 'done', '1.0': 'cancelled' });
  });

  test('after an abort that a step answers with an error of its own making', async () => {
    const controller = new AbortController();
    const reason = new Error('the user has had enough');
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN x\n',
      async run(_, __, signal) {
        setImmediate(() => controller.abort(reason));
        await untilAborted(signal).catch(() => undefined);
        throw new DOMException('This operation was aborted', 'AbortError');
      },
    });
    await expect(world.build(controller.signal)).rejects.toBe(reason);
  });
});

test('a build that is aborted before it begins does nothing', async () => {
  const reason = new Error('never mind');
  const world = fakeWorld({ dockerfile: 'FROM scratch\nCOPY f /\n', context: { f: '' } });
  await expect(world.build(AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(world.log).toEqual([]);
});

test('the context is disposed of when a base image cannot be had', async () => {
  const world = fakeWorld({ dockerfile: 'FROM missing\n' });
  await expect(world.build()).rejects.toMatchObject({ code: 'REGISTRY_FAILED', at: { startLine: 1 } });
  expect(disposals(world)).toEqual(['dispose context']);
});

test('a rootfs that cannot be disposed of does not hide why the build failed', async () => {
  const base = fakeWorld({ dockerfile: 'FROM scratch\nRUN x\n' });
  const inner = await base.ports.backend();
  const world = fakeWorld({
    dockerfile: 'FROM scratch\nRUN x\n',
    ports: {
      backend: () =>
        Promise.resolve({
          ...inner,
          async open(layers, signal) {
            const rootfs = await inner.open(layers, signal);
            return {
              ...rootfs,
              run: () => Promise.resolve({ kind: 'code', code: 7 } as const),
              [Symbol.asyncDispose]: () => Promise.reject(new Error('busy')),
            };
          },
        }),
    },
  });
  await expect(world.build()).rejects.toThrow(/exit code 7/);
  expect(world.events).toContainEqual({ type: 'warning', message: 'the build could not clean up: busy' });
  expect(disposals(world)).toEqual(['dispose context']);
});

function sinkWith(parts: Partial<ImageSink>): ImageSink {
  return {
    label: 'a sink',
    check: () => Promise.resolve(),
    offer: () => undefined,
    write: () => Promise.resolve({ where: 'x', digest: digestOf(Buffer.from('x')) }),
    ...parts,
  };
}

test('a destination that cannot be written ends the build at once, though a base image is long in coming', async () => {
  const refusal = new TsbuildError('OUTPUT_FAILED', 'no room');
  const world = fakeWorld({
    dockerfile: 'FROM slow\nRUN x\n',
    ports: {
      sinks: [sinkWith({ check: () => Promise.reject(refusal) })],
      images: { resolve: (_ref, _platform, signal) => untilAborted(signal) },
    },
  });
  await expect(world.build()).rejects.toBe(refusal);
  expect(world.log).toEqual(['open context', 'dispose context']);
});

test('a destination that fails stops the writing to the others', async () => {
  const refusal = new TsbuildError('OUTPUT_FAILED', 'no room');
  let stopped: unknown;
  const slow = sinkWith({
    write: (_, signal) =>
      untilAborted(signal).catch((reason: unknown) => {
        stopped = reason;
        throw reason;
      }),
  });
  const world = fakeWorld({
    dockerfile: 'FROM scratch\nENV A=1\n',
    ports: { sinks: [slow, sinkWith({ write: () => Promise.reject(refusal) })] },
  });
  await expect(world.build()).rejects.toBe(refusal);
  expect(stopped).toBe(refusal);
  expect(world.events.filter(({ type }) => type === 'published')).toEqual([]);
});

test('each destination is told when all have the image', async () => {
  const world = fakeWorld({ dockerfile: 'FROM scratch\nENV A=1\n' });
  const { published } = await world.build();
  expect(world.events.at(-1)).toEqual({ type: 'published', where: 'memory', digest: published[0]?.digest });
});

test('a damaged layer of a base is told at the FROM that wants it, and no read goes on behind the failure', async () => {
  let reading = 0;
  const base = fakeWorld({ dockerfile: '', images: { base: { layers: [{ a: '' }, { b: '' }] } } });
  const damaged = new TsbuildError('BLOB_DIGEST_MISMATCH', 'damaged');
  let first = true;
  const world = fakeWorld({
    dockerfile: '# a comment\nFROM base\nCOPY f /\n',
    context: { f: '' },
    ports: {
      images: base.ports.images,
      layers: {
        ...base.ports.layers,
        async material(_layer, _need, signal) {
          if (first) {
            first = false;
            throw damaged;
          }
          reading++;
          await untilAborted(signal).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 20));
          reading--;
          throw signal.reason;
        },
      },
    },
  });
  await expect(world.build()).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', at: { startLine: 2 } });
  expect(reading).toBe(0);
});

test('a backend that does not work here ends the build before any step', async () => {
  const why = new TsbuildError('BACKEND_UNAVAILABLE', 'RUN cannot be executed here');
  const world = fakeWorld({
    dockerfile: 'FROM scratch\nCOPY f /\nRUN x\n',
    context: { f: '' },
    ports: { backend: () => Promise.reject(why) },
  });
  await expect(world.build()).rejects.toBe(why);
  expect(world.events.filter(({ type }) => type === 'step-start')).toEqual([]);
});
