import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DiskStore, diskStore } from '../../../src/blob/disk-store.ts';
import { type ReadThrough, readThrough } from '../../../src/blob/read-through.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { sha256Of } from '../../helpers/test-image.ts';

const never = new AbortController().signal;
const bytes = randomBytes(2_500_000);
const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };
let root: string;
let store: DiskStore;
let through: ReadThrough;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
  store = diskStore(join(root, 'store'), join(root, 'tmp'));
  through = readThrough(store);
});
afterEach(() => rm(root, { recursive: true }));

/** A source that gives its second half when told to. */
function source() {
  const state = { fetches: 0, aborted: false };
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const fetch = (signal: AbortSignal): Promise<Readable> => {
    state.fetches++;
    signal.addEventListener('abort', () => {
      state.aborted = true;
    });
    const chunks = async function* () {
      yield bytes.subarray(0, 1_000_000);
      await released;
      signal.throwIfAborted();
      yield bytes.subarray(1_000_000);
    };
    return Promise.resolve(Readable.from(chunks(), { objectMode: false }));
  };
  return { state, fetch, release };
}

test('a blob is fetched once, and then comes from the store', async () => {
  const { state, fetch, release } = source();
  release();
  expect(await sha256Of(await through.open(descriptor, fetch, never))).toBe(descriptor.digest);
  expect(await sha256Of(await through.open(descriptor, fetch, never))).toBe(descriptor.digest);
  expect(state.fetches).toBe(1);
  expect(await store.has(descriptor.digest, never)).toBe(true);
  expect(await readdir(join(root, 'tmp'))).toEqual([]);
});

test('many readers share one fetch, each from the first byte, also those who come later', async () => {
  const { state, fetch, release } = source();
  const first = await through.open(descriptor, fetch, never);
  await new Promise((resolve) => first.once('readable', resolve));
  const second = await through.open(descriptor, fetch, never);
  const both = Promise.all([sha256Of(first), sha256Of(second)]);
  release();
  expect(await both).toEqual([descriptor.digest, descriptor.digest]);
  expect(state.fetches).toBe(1);
});

test('a reader that stops reading does not hold up the others', async () => {
  const { fetch, release } = source();
  const idle = await through.open(descriptor, fetch, never);
  const eager = await through.open(descriptor, fetch, never);
  release();
  expect(await sha256Of(eager)).toBe(descriptor.digest);
  expect(await sha256Of(idle)).toBe(descriptor.digest);
});

test('a fetch goes on for the readers that stay, and is given up when the last one leaves', async () => {
  const { state, fetch, release } = source();
  const first = await through.open(descriptor, fetch, never);
  const second = await through.open(descriptor, fetch, never);
  first.destroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(state.aborted).toBe(false);
  second.destroy();
  await expect.poll(() => state.aborted).toBe(true);
  release();
  await expect.poll(() => readdir(join(root, 'tmp'))).toEqual([]);
  expect(await store.has(descriptor.digest, never)).toBe(false);
  const again = source();
  again.release();
  expect(await sha256Of(await through.open(descriptor, again.fetch, never))).toBe(descriptor.digest);
});

test('a fetch that fails in the middle fails all its readers, and the next one fetches anew', async () => {
  const failure = new Error('broken');
  const fetch = () => {
    const chunks = async function* () {
      yield bytes.subarray(0, 1000);
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw failure;
    };
    return Promise.resolve(Readable.from(chunks(), { objectMode: false }));
  };
  const readers = await Promise.all([through.open(descriptor, fetch, never), through.open(descriptor, fetch, never)]);
  for (const result of await Promise.allSettled(readers.map(sha256Of)))
    expect(result).toMatchObject({ status: 'rejected', reason: failure });
  expect(await store.has(descriptor.digest, never)).toBe(false);
  const { fetch: good, release } = source();
  release();
  expect(await sha256Of(await through.open(descriptor, good, never))).toBe(descriptor.digest);
});

test('a fetch that cannot begin fails all who wait for it', async () => {
  let count = 0;
  const fetch = async () => {
    count++;
    await new Promise((resolve) => setTimeout(resolve, 30));
    throw new Error('no');
  };
  const results = await Promise.allSettled([through.open(descriptor, fetch, never), through.open(descriptor, fetch, never)]);
  expect(results.map((r) => r.status)).toEqual(['rejected', 'rejected']);
  expect(count).toBe(1);
});

test('an abort ends the waiting for a fetch that hangs, and the fetch', async () => {
  let aborted = false;
  const fetch = (signal: AbortSignal) =>
    new Promise<Readable>((_, reject) => {
      signal.addEventListener('abort', () => {
        aborted = true;
        reject(signal.reason as Error);
      });
    });
  const controller = new AbortController();
  const opening = through.open(descriptor, fetch, controller.signal);
  const reason = new Error('stop');
  setTimeout(() => controller.abort(reason), 20);
  await expect(opening).rejects.toBe(reason);
  expect(aborted).toBe(true);
});

test('an abort ends a reader with its reason', async () => {
  const { fetch } = source();
  const controller = new AbortController();
  const stream = await through.open(descriptor, fetch, controller.signal);
  const reason = new Error('stop');
  setTimeout(() => controller.abort(reason), 20);
  await expect(sha256Of(stream)).rejects.toBe(reason);
});
