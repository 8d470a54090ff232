import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CacheMount, CacheMountRequest } from '../../../src/cache-mounts/cache-mounts.ts';
import { folderCacheMounts } from '../../../src/cache-mounts/folder-cache-mounts.ts';
import { bundle, bundleFolder } from '../../contract/backend-bundle.ts';
import { startProgram } from '../../helpers/child-program.ts';
import { gate } from '../../helpers/fake-ports.ts';

const { signal } = new AbortController();
const isRoot = process.getuid?.() === 0;
// Only root may give folders away.
const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const shared: CacheMountRequest = { id: 'x', sharing: 'shared', mode: 0o755, ...own, seed: null };
const locked: CacheMountRequest = { ...shared, sharing: 'locked' };
const alone: CacheMountRequest = { ...shared, sharing: 'private' };
/** Longer than a waiting open sleeps between two looks. */
const A_WHILE = 150;

let bundles: string;
let hold: string;
let folder: string;
let umask: number;

beforeAll(() => {
  bundles = bundleFolder();
  hold = bundle(bundles, new URL('hold-cache.ts', import.meta.url), 'hold.mjs');
});
afterAll(() => rmSync(bundles, { recursive: true }));
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'tsbuild-test-')), 'mounts');
});
// Not rmSync: a test makes a name that is not UTF-8.
afterEach(() => void execFileSync('rm', ['-rf', join(folder, '..')]));

const open = (request: CacheMountRequest, fill: ((folder: string) => Promise<void>) | null = null): Promise<CacheMount> =>
  folderCacheMounts(folder).open(request, fill, signal);

const state = (work: Promise<unknown>): Promise<string> => Promise.race([work.then(() => 'open'), sleep(A_WHILE).then(() => 'waiting')]);

describe('sharing', () => {
  test('shared mounts have one folder at the same time', async () => {
    using one = await open(shared);
    using two = await open(shared);
    expect(two.hostPath).toBe(one.hostPath);
  });

  test('what was written is there the next time', async () => {
    const first = await open(shared);
    writeFileSync(join(first.hostPath, 'f'), 'kept');
    first[Symbol.dispose]();
    using second = await open(locked);
    expect(readFileSync(join(second.hostPath, 'f'), 'utf8')).toBe('kept');
  });

  test('locked waits for locked', async () => {
    const first = await open(locked);
    const second = open(locked);
    expect(await state(second)).toBe('waiting');
    first[Symbol.dispose]();
    using got = await second;
    expect(got.hostPath).toBe(first.hostPath);
  });

  test('locked waits for all shared ones, and shared for locked', async () => {
    const one = await open(shared);
    const two = await open(shared);
    const waiting = open(locked);
    one[Symbol.dispose]();
    expect(await state(waiting)).toBe('waiting');
    two[Symbol.dispose]();
    const exclusive = await waiting;
    const after = open(shared);
    expect(await state(after)).toBe('waiting');
    exclusive[Symbol.dispose]();
    using got = await after;
    expect(got.hostPath).toBe(one.hostPath);
  });

  test('private gets another folder while the first is in use, and the first again afterwards', async () => {
    const one = await open(alone);
    writeFileSync(join(one.hostPath, 'f'), '');
    const two = await open(alone);
    using three = await open(alone);
    expect(new Set([one, two, three].map(({ hostPath }) => hostPath)).size).toBe(3);
    expect(readdirSync(two.hostPath)).toEqual([]);
    one[Symbol.dispose]();
    two[Symbol.dispose]();
    using again = await open(alone);
    expect(again.hostPath).toBe(one.hostPath);
  });

  test('a wait ends with the reason of an abort, and leaves no lock behind', async () => {
    const first = await open(locked);
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = folderCacheMounts(folder).open(locked, null, controller.signal);
    setTimeout(() => controller.abort(reason), 10);
    await expect(waiting).rejects.toBe(reason);
    first[Symbol.dispose]();
    using next = await open(locked);
    expect(next.hostPath).toBe(first.hostPath);
  });
});

describe('which folder', () => {
  test.each([
    ['id', { id: 'y' }],
    ['mode', { mode: 0o700 }],
    ['seed', { seed: 'image /etc' }],
  ] satisfies [string, Partial<CacheMountRequest>][])('another %s is another folder', async (_, other) => {
    using one = await open(shared);
    using two = await open({ ...shared, ...other });
    expect(two.hostPath).not.toBe(one.hostPath);
  });

  test.skipIf(!isRoot).each([
    ['uid', { uid: 4 }],
    ['gid', { gid: 4 }],
  ])('another %s is another folder (needs root)', async (_, other) => {
    using one = await open(shared);
    using two = await open({ ...shared, ...other });
    expect(two.hostPath).not.toBe(one.hostPath);
  });

  test('an id may hold anything, and leads nowhere else', async () => {
    for (const id of ['../../x', '/', 'a\0b', 'ü'.repeat(300)]) {
      using one = await open({ ...shared, id });
      expect(one.hostPath.startsWith(`${folder}/`)).toBe(true);
      expect(existsSync(one.hostPath)).toBe(true);
    }
    expect(readdirSync(join(folder, '..'))).toEqual(['mounts']);
  });
});

describe('a new folder', () => {
  beforeEach(() => {
    umask = process.umask(0o077);
  });
  afterEach(() => void process.umask(umask));

  test.each(['shared', 'locked', 'private'] as const)('has the mode that was asked for, whatever the umask: %s', async (sharing) => {
    using made = await open({ ...shared, sharing, mode: 0o1777 });
    expect(statSync(made.hostPath).mode & 0o7777).toBe(0o1777);
  });

  test.skipIf(!isRoot)('has the owner that was asked for, and setgid bits survive that (needs root)', async () => {
    using made = await open({ ...shared, uid: 12, gid: 34, mode: 0o2770 });
    expect(statSync(made.hostPath)).toMatchObject({ uid: 12, gid: 34 });
    expect(statSync(made.hostPath).mode & 0o7777).toBe(0o2770);
  });

  test('is filled once, though many open it together', async () => {
    let fills = 0;
    const fill = async (into: string): Promise<void> => {
      fills++;
      await sleep(20);
      writeFileSync(join(into, 'seed'), 'first');
    };
    const mounts = await Promise.all([1, 2, 3].map(() => open(shared, fill)));
    expect(mounts.map(({ hostPath }) => readFileSync(join(hostPath, 'seed'), 'utf8'))).toEqual(['first', 'first', 'first']);
    for (const mount of mounts) mount[Symbol.dispose]();
    writeFileSync(join(mounts[0]?.hostPath ?? '', 'seed'), 'changed');
    using again = await open(shared, fill);
    expect(fills).toBe(1);
    expect(readFileSync(join(again.hostPath, 'seed'), 'utf8')).toBe('changed');
  });

  test.each(['locked', 'private'] as const)('whose filling fails is not there, and the next one fills it: %s', async (sharing) => {
    const request = { ...shared, sharing };
    const failing = (into: string): Promise<void> => {
      writeFileSync(join(into, 'half'), '');
      return Promise.reject(new Error('no seed'));
    };
    await expect(open(request, failing)).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('no seed') });
    using next = await open(request, (into) => Promise.resolve(writeFileSync(join(into, 'whole'), '')));
    expect(readdirSync(next.hostPath)).toEqual(['whole']);
  });

  test('shows nothing of a filling that was killed, whatever its files are called', async () => {
    const filling = gate();
    const begun = gate();
    let fresh = '';
    const first = open(shared, async (into) => {
      fresh = into;
      begun.open();
      await filling.passed;
      throw new Error('given up');
    });
    await begun.passed;
    // As a build that died in the middle would leave it.
    writeFileSync(Buffer.concat([Buffer.from(`${fresh}/`), Buffer.from([0xff])]), 'half');
    mkdirSync(join(fresh, 'deep', 'er'), { recursive: true });
    filling.open();
    await expect(first).rejects.toThrow('given up');
    using next = await open(shared);
    expect(readdirSync(next.hostPath)).toEqual([]);
  });
});

test('a process that is killed gives its lock back', async () => {
  const holder = await startProgram(hold, [folder, JSON.stringify(locked)]);
  const waiting = open(locked);
  expect(await state(waiting)).toBe('waiting');
  await holder.kill();
  using got = await waiting;
  expect(got.hostPath).toBe(holder.line);
});

test('another process with a private mount keeps its folder to itself', async () => {
  await using holder = await startProgram(hold, [folder, JSON.stringify(alone)]);
  using mine = await open(alone);
  expect(mine.hostPath).not.toBe(holder.line);
});

test('a folder that cannot be made is STORE_FAILED', async () => {
  writeFileSync(folder, 'in the way');
  await expect(open(shared)).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('"x"') });
});
