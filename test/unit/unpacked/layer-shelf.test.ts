import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheUse } from '../../../src/blob/cache-use.ts';
import { diskStore } from '../../../src/blob/disk-store.ts';
import { hexOf } from '../../../src/image/digest.ts';
import { treeBytes } from '../../../src/sys/tree-bytes.ts';
import { folderLibrary } from '../../../src/unpacked/folder-library.ts';
import { layerShelf } from '../../../src/unpacked/layer-shelf.ts';
import { type TestLayer, testLayer } from '../../helpers/test-image.ts';

const { signal } = new AbortController();
let cacheFolder: string;
let to: string;
let layer: TestLayer;

beforeEach(async () => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'tsbuild-shelf-'));
  to = join(cacheFolder, 'to');
  for (const folder of ['work', 'to']) mkdirSync(join(cacheFolder, folder));
  layer = await testLayer({ name: 'file', bytes: 50_000 });
  await library().material(layer, 'folder', signal);
});
afterEach(() => rmSync(cacheFolder, { recursive: true }));

function library() {
  const workFolder = join(cacheFolder, 'work');
  const owners = process.getuid?.() === 0 ? 'apply' : 'skip';
  const use = cacheUse(cacheFolder, 0);
  return folderLibrary({ cacheFolder, workFolder, style: 'none', owners, store: diskStore(cacheFolder, workFolder, use), use });
}

const name = (): string => hexOf(layer.diffId);
const index = (): string => join(cacheFolder, 'indexes', name());
const folder = (): string => join(cacheFolder, 'layers', 'none', name());
const list = () => layerShelf(cacheFolder).list();
const check = () => layerShelf(cacheFolder).check(name(), signal);

test('a layer is as large as its files on the disk, about, and nobody walks through them', async () => {
  const [{ bytes } = { bytes: 0 }] = await list();
  const walked = await treeBytes(folder());
  expect(bytes).toBeGreaterThan(50_000);
  expect(Math.abs(bytes - walked)).toBeLessThan(20_000);
  // Noted when it was made, so more files change nothing.
  writeFileSync(join(folder(), 'more'), Buffer.alloc(100_000));
  expect((await list())[0]?.bytes).toBe(bytes);
});

test('one whose size nobody noted, or not in digits, is walked once', async () => {
  for (const damage of [() => rmSync(`${folder()}.size`), () => writeFileSync(`${folder()}.size`, 'much')]) {
    damage();
    const [found] = await list();
    expect(found?.bytes).toBeGreaterThan(50_000);
    expect(existsSync(`${folder()}.size`)).toBe(true);
    expect((await list())[0]?.bytes).toBe(found?.bytes);
  }
});

test('to look at a layer is a use', async () => {
  utimesSync(index(), 1000, 1000);
  await library().material(layer, 'index', signal);
  expect(Date.now() - ((await list())[0]?.lastUsedMs ?? 0)).toBeLessThan(60_000);
});

test('all of it goes together', () => {
  expect(layerShelf(cacheFolder).evict(name(), to)).toBe(true);
  expect(readdirSync(join(cacheFolder, 'indexes'))).toEqual([]);
  expect(readdirSync(join(cacheFolder, 'layers', 'none'))).toEqual([]);
  expect(layerShelf(cacheFolder).lastUsedMs(name())).toBeNull();
});

test('one whose root nobody may write to goes, too', () => {
  chmodSync(folder(), 0o555);
  layerShelf(cacheFolder).evict(name(), to);
  expect(existsSync(folder())).toBe(false);
});

test('a folder without an index is a thing, and damaged', async () => {
  rmSync(index());
  expect((await list()).map((thing) => thing.name)).toEqual([name()]);
  expect(await check()).toBe('it has no index');
});

test('what is no layer is no thing', async () => {
  writeFileSync(join(cacheFolder, 'layers', 'device-key'), '');
  writeFileSync(join(cacheFolder, 'indexes', 'other'), '');
  mkdirSync(join(cacheFolder, 'layers', 'none', 'other'));
  expect(await list()).toHaveLength(1);
});

test('a sound layer is sound, and one that is gone is not damaged', async () => {
  expect(await check()).toBeNull();
  layerShelf(cacheFolder).evict(name(), to);
  expect(await check()).toBeNull();
});

test.each<[says: string, damage: () => void]>([
  ['its index is damaged, or of another version of tsbuild', () => truncateSync(index(), 40)],
  ['of its unpacked files, /file is missing', () => rmSync(join(folder(), 'file'))],
  ['of its unpacked files, /file has 10 bytes instead of 50000', () => truncateSync(join(folder(), 'file'), 10)],
  [
    'of its unpacked files, /file is no file',
    () => {
      rmSync(join(folder(), 'file'));
      symlinkSync('/etc/passwd', join(folder(), 'file'));
    },
  ],
])('a damaged one says: %s', async (says, damage) => {
  damage();
  expect(await check()).toBe(says);
});
