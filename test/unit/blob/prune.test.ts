import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheUse, withoutUsers } from '../../../src/blob/cache-use.ts';
import { diskStore } from '../../../src/blob/disk-store.ts';
import { type PruneWish, prune } from '../../../src/blob/prune.ts';
import { fileShelf, type Shelf, type ShelfKind } from '../../../src/blob/shelf.ts';
import { folderCacheMounts } from '../../../src/cache-mounts/folder-cache-mounts.ts';
import { mountShelf } from '../../../src/cache-mounts/mount-shelf.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { tryLock } from '../../../src/sys/flock.ts';
import { oldestBuild, openWorkFolder, type WorkFolder } from '../../../src/unpacked/work-folder.ts';

const { signal } = new AbortController();
const HOUR_MS = 3_600_000;
let cacheFolder: string;
let work: WorkFolder;
let warnings: string[];

const fail = (message: string): void => void warnings.push(message);
const openWork = (): Promise<WorkFolder> => openWorkFolder(join(cacheFolder, 'work'), fail);

beforeEach(async () => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'tsbuild-prune-'));
  warnings = [];
  work = await openWork();
});
afterEach(async () => {
  await work[Symbol.asyncDispose]();
  rmSync(cacheFolder, { recursive: true });
});

const folderOf = (kind: ShelfKind): string => join(cacheFolder, kind);

/** A thing of `bytes` bytes, last used so long ago. */
function put(kind: ShelfKind, name: string, bytes: number, ageMs: number): string {
  const path = join(folderOf(kind), name);
  mkdirSync(folderOf(kind), { recursive: true });
  writeFileSync(path, Buffer.alloc(bytes));
  const then = new Date(Date.now() - ageMs);
  utimesSync(path, then, then);
  return path;
}

const shelfOf = (kind: ShelfKind): Shelf => fileShelf({ kind, folder: folderOf(kind), names: /^[a-z]+$/, check: async () => null });

const run = (wish: PruneWish, shelves: readonly Shelf[] = [shelfOf('blob'), shelfOf('step')], kinds?: readonly ShelfKind[]) =>
  prune({
    cacheFolder,
    workFolder: work.path,
    shelves,
    oldestBuild: () => oldestBuild(join(cacheFolder, 'work'), work.path),
    wish,
    ...(kinds === undefined ? {} : { kinds }),
    warn: fail,
    signal,
  });

test('what was least recently used goes first, whatever it is, until the rest fits', async () => {
  put('blob', 'old', 100, 3 * HOUR_MS);
  put('step', 'older', 100, 4 * HOUR_MS);
  put('step', 'young', 100, HOUR_MS);
  put('blob', 'youngest', 100, 0);
  const { evicted, leftBytes } = await run({ kind: 'size', maxBytes: 250 });
  expect(evicted.map(({ name }) => name)).toEqual(['older', 'old']);
  expect(leftBytes).toBe(200);
  expect([...readdirSync(folderOf('blob')), ...readdirSync(folderOf('step'))]).toEqual(['youngest', 'young']);
  expect(readdirSync(work.path)).toEqual(['lock']);
});

test('nothing goes from a folder that fits, and files that are no things stay', async () => {
  put('blob', 'one', 100, HOUR_MS);
  put('blob', 'No Thing', 100, HOUR_MS);
  expect(await run({ kind: 'size', maxBytes: 100 })).toEqual({ evicted: [], inUse: [], leftBytes: 100 });
  await run({ kind: 'all' });
  expect(readdirSync(folderOf('blob'))).toEqual(['No Thing']);
});

test('what has not been used for long goes', async () => {
  put('blob', 'old', 1, 2 * HOUR_MS);
  put('blob', 'young', 1, 0);
  await run({ kind: 'unused', sinceMs: Date.now() - HOUR_MS });
  expect(readdirSync(folderOf('blob'))).toEqual(['young']);
});

test('kinds that are not meant stay, and still count', async () => {
  put('blob', 'old', 100, 2 * HOUR_MS);
  put('step', 'young', 10, 0);
  const { leftBytes } = await run({ kind: 'size', maxBytes: 0 }, undefined, ['step']);
  expect(leftBytes).toBe(100);
});

test('what a living build has used stays, and what it has not used goes', async () => {
  put('blob', 'used', 1, 2 * HOUR_MS);
  put('blob', 'unused', 1, 2 * HOUR_MS);
  const build = await openWork();
  expect(await cacheUse(cacheFolder, build.startedMs).hold(join(folderOf('blob'), 'used'))).toBe(true);
  const { inUse } = await run({ kind: 'all' });
  expect(inUse.map(({ name }) => name)).toEqual(['used']);
  expect(readdirSync(folderOf('blob'))).toEqual(['used']);
  await build[Symbol.asyncDispose]();
  await run({ kind: 'all' });
  expect(readdirSync(folderOf('blob'))).toEqual([]);
});

test('a use counts from the beginning of the build on, also when the clock has been set back since', async () => {
  const path = put('blob', 'used', 1, 2 * HOUR_MS);
  const build = await openWork();
  const lock = join(build.path, 'lock');
  const future = new Date(Date.now() + 24 * HOUR_MS);
  utimesSync(lock, future, future);
  await cacheUse(cacheFolder, future.getTime()).hold(path);
  expect((await run({ kind: 'all' })).inUse).toHaveLength(1);
  await build[Symbol.asyncDispose]();
});

test('what is used between the listing and the eviction stays', async () => {
  const path = put('blob', 'late', 1, 2 * HOUR_MS);
  const build = await openWork();
  const plain = shelfOf('blob');
  const shelf: Shelf = {
    ...plain,
    async list() {
      const listed = await plain.list();
      await cacheUse(cacheFolder, build.startedMs).hold(path);
      return listed;
    },
  };
  expect((await run({ kind: 'all' }, [shelf])).evicted).toEqual([]);
  expect(existsSync(path)).toBe(true);
  await build[Symbol.asyncDispose]();
});

test('nobody begins a use while things are evicted, and nothing is evicted while somebody enters', async () => {
  const use = cacheUse(cacheFolder, 0);
  const path = put('blob', 'thing', 1, 0);
  const lock = openSync(join(cacheFolder, 'gc.lock'), 'a');
  const order: string[] = [];
  expect(tryLock(lock, 'exclusive')).toBe(true);
  const held = use.hold(path).then(() => order.push('held'));
  await sleep(30);
  order.push('evicted');
  closeSync(lock);
  await held;
  const shared = openSync(join(cacheFolder, 'gc.lock'), 'a');
  expect(tryLock(shared, 'shared')).toBe(true);
  // Users do not wait for each other.
  await use.hold(path);
  const alone = withoutUsers(cacheFolder, () => order.push('alone'));
  await sleep(30);
  order.push('entered');
  closeSync(shared);
  await alone;
  expect(order).toEqual(['evicted', 'held', 'entered', 'alone']);
});

test('what is not there cannot be held', async () => {
  expect(await cacheUse(cacheFolder, 0).hold(join(cacheFolder, 'nothing'))).toBe(false);
});

test('what cannot be moved is told, and stays', async () => {
  put('blob', 'stuck', 1, HOUR_MS);
  const shelf: Shelf = {
    ...shelfOf('blob'),
    evict() {
      throw new Error('EIO');
    },
  };
  expect(await run({ kind: 'all' }, [shelf])).toEqual({ evicted: [], inUse: [], leftBytes: 1 });
  expect(warnings).toEqual(['the blob stuck cannot be removed from the cache: EIO']);
});

test('what is of no use without what went goes, too', async () => {
  put('blob', 'blob', 100, 2 * HOUR_MS);
  put('step', 'step', 1, 0);
  const steps: Shelf = { ...shelfOf('step'), useless: () => (existsSync(join(folderOf('blob'), 'blob')) ? [] : ['step']) };
  expect((await run({ kind: 'size', maxBytes: 50 }, [shelfOf('blob'), steps])).evicted.map(({ name }) => name)).toEqual(['blob', 'step']);
});

test('an hour old blob that a store has given out cannot be evicted until the build ends', async () => {
  const build = await openWork();
  const store = diskStore(cacheFolder, build.path, cacheUse(cacheFolder, build.startedMs));
  const [held, opened, size] = [Buffer.from('held'), Buffer.from('opened'), Buffer.from('size')];
  const blobs = join(cacheFolder, 'blobs', 'sha256');
  const other = digestOf('other');
  for (const bytes of [held, opened, size, Buffer.from('other')]) await store.putBytes(bytes);
  for (const name of readdirSync(blobs)) utimesSync(join(blobs, name), 1000, 1000);
  await store.has(digestOf(held), signal);
  await store.getBytes(digestOf(opened));
  await store.size(digestOf(size));
  const shelf = fileShelf({ kind: 'blob', folder: blobs, names: /./, check: async () => null });
  expect((await run({ kind: 'all' }, [shelf])).evicted.map(({ name }) => `sha256:${name}`)).toEqual([other]);
  await build[Symbol.asyncDispose]();
});

test('cache mounts go last, and one that a RUN has never goes', async () => {
  const mounts = join(cacheFolder, 'mounts');
  const request = { id: 'a "name"', sharing: 'shared', mode: 0o755, uid: 0, gid: 0, seed: null } as const;
  const mount = await folderCacheMounts(mounts, 'skip').open(request, null, signal);
  writeFileSync(join(mount.hostPath, 'file'), Buffer.alloc(10_000));
  utimesSync(`${mount.hostPath}.lock`, 1000, 1000);
  put('blob', 'young', 100, 0);
  const shelves = [mountShelf(mounts, 'exact'), shelfOf('blob')];
  expect((await run({ kind: 'size', maxBytes: 0 }, shelves)).evicted.map(({ name }) => name)).toEqual(['young']);
  expect(existsSync(join(mount.hostPath, 'file'))).toBe(true);
  mount[Symbol.dispose]();
  const [listed] = await mountShelf(mounts, 'exact').list();
  expect(listed).toMatchObject({ kind: 'mount', label: 'a "name"' });
  expect(listed?.bytes).toBeGreaterThanOrEqual(10_000);
  // A use ends when it ends.
  expect(Date.now() - (listed?.lastUsedMs ?? 0)).toBeLessThan(HOUR_MS);
  expect((await run({ kind: 'size', maxBytes: 0 }, shelves)).evicted.map(({ kind }) => kind)).toEqual(['mount']);
  const again = await folderCacheMounts(mounts, 'skip').open(request, null, signal);
  expect(readdirSync(again.hostPath)).toEqual([]);
  again[Symbol.dispose]();
});
