import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DiskStore, diskStore } from '../../../src/blob/disk-store.ts';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import { sha256Of } from '../../helpers/test-image.ts';

const never = new AbortController().signal;
let root: string;
let store: DiskStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
  store = diskStore(join(root, 'store'), join(root, 'tmp'));
});
afterEach(() => rm(root, { recursive: true }));

const bytes = Buffer.from('some bytes');
const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };
const pathOf = (digest: typeof descriptor.digest) => join(root, 'store', 'blobs', 'sha256', hexOf(digest));

async function put(): Promise<void> {
  const upload = await store.begin(never);
  await upload.write(bytes.subarray(0, 4));
  await upload.write(bytes.subarray(4));
  await upload.commit(descriptor);
}

test('a blob is there after its commit, not before', async () => {
  const upload = await store.begin(never);
  await upload.write(bytes);
  expect(await store.has(descriptor.digest, never)).toBe(false);
  await upload.commit(descriptor);
  expect(await store.has(descriptor.digest, never)).toBe(true);
  expect(await sha256Of(await store.open(descriptor, never))).toBe(descriptor.digest);
  expect(await readdir(join(root, 'tmp'))).toEqual([]);
});

test('an upload that is given up leaves nothing', async () => {
  const upload = await store.begin(never);
  await upload.write(bytes);
  await upload.abort();
  expect(await readdir(join(root, 'tmp'))).toEqual([]);
  expect(await store.has(descriptor.digest, never)).toBe(false);
});

test('the same blob may be stored twice at once', async () => {
  await Promise.all([put(), put(), put()]);
  expect(await sha256Of(await store.open(descriptor, never))).toBe(descriptor.digest);
});

test('a blob that is not there is BLOB_NOT_FOUND', async () => {
  await expect(store.open(descriptor, never)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  expect(await store.getBytes(descriptor.digest)).toBeNull();
});

describe.each([
  ['longer', 'some bytes!'],
  ['shorter', 'some'],
  ['other', 'SOME BYTES'],
  ['empty', ''],
])('a blob on the disk that is %s', (_, damaged) => {
  beforeEach(async () => {
    await put();
    await writeFile(pathOf(descriptor.digest), damaged);
  });
  test('fails the stream and is removed', async () => {
    await expect(sha256Of(await store.open(descriptor, never))).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
    expect(await store.has(descriptor.digest, never)).toBe(false);
  });
  test('is not given as bytes and is removed', async () => {
    await expect(store.getBytes(descriptor.digest)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
    expect(await store.has(descriptor.digest, never)).toBe(false);
  });
});

test('small documents are stored and read as bytes', async () => {
  expect(await store.putBytes(bytes)).toBe(descriptor.digest);
  expect(await store.putBytes(bytes)).toBe(descriptor.digest);
  expect(await store.getBytes(descriptor.digest)).toEqual(bytes);
});

test('a large blob streams whole', async () => {
  const large = Buffer.alloc(5_000_001, 'abc');
  const upload = await store.begin(never);
  await upload.write(large);
  const d = { mediaType: 'x/y', digest: digestOf(large), size: large.length };
  await upload.commit(d);
  expect(await sha256Of(await store.open(d, never))).toBe(d.digest);
});

test('a stream that is not read to its end closes its file', async () => {
  await put();
  const open = async () => (await readdir('/proc/self/fd')).length;
  const before = await open();
  for (let i = 0; i < 20; i++) (await store.open(descriptor, never)).destroy();
  await expect.poll(open).toBeLessThan(before + 5);
});

test('an abort ends a stream', async () => {
  await put();
  const controller = new AbortController();
  const stream = await store.open(descriptor, controller.signal);
  controller.abort(new Error('stop'));
  await expect(sha256Of(stream)).rejects.toThrow('stop');
});

test('a folder that cannot be one is STORE_FAILED', async () => {
  await writeFile(join(root, 'file'), '');
  const broken = diskStore(join(root, 'file'), join(root, 'file', 'tmp'));
  await expect(broken.begin(never)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  await expect(broken.putBytes(bytes)).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('the files are laid out as in an OCI image layout', async () => {
  await put();
  expect((await stat(pathOf(descriptor.digest))).size).toBe(bytes.length);
  const [first] = execFileSync('sha256sum', [pathOf(descriptor.digest)], { encoding: 'utf8' }).split(' ');
  expect(first).toBe(hexOf(descriptor.digest));
});
