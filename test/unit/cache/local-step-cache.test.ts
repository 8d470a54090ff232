import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheUse } from '../../../src/blob/cache-use.ts';
import { type DiskStore, diskStore } from '../../../src/blob/disk-store.ts';
import { stepShelf } from '../../../src/cache/cache-shelves.ts';
import { localStepCache } from '../../../src/cache/local-step-cache.ts';
import { type Places, places } from '../../../src/cache/places.ts';
import type { MadeStep, StepCache } from '../../../src/cache/step-cache.ts';
import { decodeRecord, encodeRecord } from '../../../src/cache/step-record.ts';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import { testLayer } from '../../helpers/test-image.ts';

const { signal } = new AbortController();
let cacheFolder: string;
let workFolder: string;
let store: DiskStore;
let known: Places;
let cache: StepCache;
let step: MadeStep;

beforeEach(async () => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'tsbuild-steps-'));
  workFolder = join(cacheFolder, 'work');
  mkdirSync(workFolder);
  const use = cacheUse(cacheFolder, 0);
  store = diskStore(cacheFolder, workFolder, use);
  known = places({ cacheFolder, workFolder });
  cache = localStepCache({ cacheFolder, workFolder, store, use, places: known });
  const layer = await testLayer();
  await store.putBytes(layer.bytes);
  step = {
    key: digestOf('key'),
    kind: 'run',
    parts: { command: digestOf('x') },
    serves: 'image',
    layer,
    created: '2026-01-02T03:04:05.678Z',
    below: digestOf('below'),
  };
});
afterEach(() => rmSync(cacheFolder, { recursive: true }));

const recordPath = (): string => join(cacheFolder, 'steps', hexOf(step.key));
const blobPath = (): string => join(cacheFolder, 'blobs', 'sha256', hexOf(step.layer.descriptor.digest));
const find = () => cache.find(step.key, 'run', signal);

test('a step whose layer is only in a registry leaves no record, and is not fetched for one', async () => {
  rmSync(blobPath());
  await cache.keep({ ...step, layer: { ...step.layer, open: () => Promise.reject(new Error('fetched')) } }, signal);
  expect(await find()).toBeNull();
  expect(existsSync(recordPath())).toBe(false);
});

test('a found step can be mounted from where its layer was delivered', async () => {
  await cache.keep(step, signal);
  expect((await find())?.layer.origins).toBeUndefined();
  known.delivered(step.layer.descriptor.digest, 'registry.example/team/app');
  expect((await find())?.layer.origins).toEqual(['registry.example/team/app']);
});

test('a step is found by its kind only, and stays when it is asked for by another', async () => {
  await cache.keep(step, signal);
  expect(await cache.find(step.key, 'copy', signal)).toBeNull();
  expect(await find()).not.toBeNull();
});

test('a use of a step is a use of its record and of its blob', async () => {
  await cache.keep(step, signal);
  for (const path of [recordPath(), blobPath()]) utimesSync(path, 1000, 1000);
  await find();
  for (const path of [recordPath(), blobPath()]) expect(Date.now() - lstatSync(path).mtimeMs).toBeLessThan(60_000);
});

describe('a record is a miss and goes when', () => {
  const record = (): Buffer => readFileSync(recordPath());
  const rewritten = (change: (json: Record<string, unknown>) => object): void => {
    const json = JSON.parse(record().toString().split('\n')[1] ?? '') as Record<string, unknown>;
    const body = JSON.stringify(change(json));
    writeFileSync(recordPath(), `${digestOf(body)}\n${body}`);
  };
  const layerOf = (json: Record<string, unknown>) => json['layer'] as object;

  test.each<[what: string, damage: () => void]>([
    ['its blob is gone', () => rmSync(blobPath())],
    ['its blob was cut', () => truncateSync(blobPath(), 10)],
    ['it is empty', () => writeFileSync(recordPath(), '')],
    ['it was cut', () => truncateSync(recordPath(), 100)],
    ['one bit of it is another', () => writeFileSync(recordPath(), record().toString().replace('"diffId":"sha256:', '"diffId":"sha256;'))],
    ['it is huge', () => truncateSync(recordPath(), 300_000)],
    ['it is of another version', () => rewritten((json) => ({ ...json, version: 2 }))],
    ['it is that of another key', () => rewritten((json) => ({ ...json, key: digestOf('other') }))],
    ['it has no kind', () => rewritten(({ kind: _, ...json }) => json)],
    ['its date is none', () => rewritten((json) => ({ ...json, created: 'yesterday' }))],
    ['its diff id is none', () => rewritten((json) => ({ ...json, diffId: '../../etc/passwd' }))],
    ["its layer's digest is a path", () => rewritten((json) => ({ ...json, layer: { ...layerOf(json), digest: 'sha256:../../x' } }))],
    ['its layer has no size', () => rewritten((json) => ({ ...json, layer: { ...layerOf(json), size: -1 } }))],
    ['its layer is of no known type', () => rewritten((json) => ({ ...json, layer: { ...layerOf(json), mediaType: 'text/html' } }))],
    ['it has no layer', () => rewritten((json) => ({ ...json, layer: null }))],
    ['its parts are no digests', () => rewritten((json) => ({ ...json, parts: { command: 'echo secret' } }))],
    ['it is a list', () => rewritten(() => [])],
  ])('%s', async (_, damage) => {
    await cache.keep(step, signal);
    damage();
    expect(await find()).toBeNull();
    expect(existsSync(recordPath())).toBe(false);
    await store.putBytes(await bytesOfLayer());
    await cache.keep(step, signal);
    expect((await find())?.layer.diffId).toBe(step.layer.diffId);
  });
});

async function bytesOfLayer(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await step.layer.open(signal)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('what keeps a folder from being read is STORE_FAILED', async () => {
  mkdirSync(recordPath(), { recursive: true });
  await expect(find()).rejects.toMatchObject({ code: 'STORE_FAILED' });
});

test('records hold digests only', () => {
  const { descriptor, diffId } = step.layer;
  const record = { kind: step.kind, created: step.created, below: step.below, parts: step.parts, diffId, descriptor };
  expect(decodeRecord(encodeRecord(record, step.key), step.key)).toEqual(record);
});

test('a record without a blob is of no use, one with a blob is', async () => {
  await cache.keep(step, signal);
  const shelf = stepShelf(cacheFolder);
  expect(shelf.useless()).toEqual([]);
  rmSync(blobPath());
  expect(shelf.useless()).toEqual([hexOf(step.key)]);
});

describe('places of a blob', () => {
  const digest = digestOf('blob');
  const path = (): string => join(cacheFolder, 'places', hexOf(digest));

  test('are the latest few, the last one first', () => {
    for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 3]) known.delivered(digest, `registry.example/app/${n}`);
    expect(known.of(digest)).toEqual([3, 8, 7, 6, 5, 4].map((n) => `registry.example/app/${n}`));
    expect(readdirSync(workFolder)).toEqual([]);
  });

  test.each(['', '{}', '["a b"]', '["registry.example/app:tag"]', '[1]', `["${'a'.repeat(5000)}"]`, '["../x"]', '["https://x.example/y"]'])(
    'are none when the file says %s',
    (text) => {
      mkdirSync(join(cacheFolder, 'places'));
      writeFileSync(path(), text);
      expect(known.of(digest)).toEqual([]);
      known.delivered(digest, 'registry.example/app');
      expect(known.of(digest)).toEqual(['registry.example/app']);
    },
  );

  test('cannot be kept where nothing can be written, which fails nothing', () => {
    writeFileSync(join(cacheFolder, 'places'), '');
    known.delivered(digest, 'registry.example/app');
    expect(known.of(digest)).toEqual([]);
  });
});
