import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openTemporaryFolder, openWorkFolder } from '../../../src/unpacked/work-folder.ts';
import { bundle, bundleFolder } from '../../contract/backend-bundle.ts';
import { startProgram } from '../../helpers/child-program.ts';

/** For builds that have nothing to warn of. */
const unexpected = (message: string): void => {
  throw new Error(message);
};

let bundles: string;
let hold: string;
let parent: string;

beforeAll(() => {
  bundles = bundleFolder();
  hold = bundle(bundles, new URL('hold-work-folder.ts', import.meta.url), 'hold.mjs');
});
afterAll(() => rmSync(bundles, { recursive: true }));
beforeEach(() => {
  parent = join(mkdtempSync(join(tmpdir(), 'tsbuild-test-')), 'work');
});
// Not rmSync: names that are not UTF-8 may be left by a test that fails.
afterEach(() => void execFileSync('rm', ['-rf', join(parent, '..')]));

/** What a killed build may leave: files and folders, with any name and mode. */
function litter(folder: string): void {
  mkdirSync(join(folder, 'rootfs', 'deep'), { recursive: true });
  writeFileSync(join(folder, 'blob-1'), 'x');
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/rootfs/`), Buffer.from([0xff, 0xfe])]), 'x');
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), 'x');
  mkdirSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xfe])]));
  mkdirSync(join(folder, 'rootfs', 'closed'), { mode: 0 });
}

test('two builds have folders of their own, that are gone afterwards with all that is in them', async () => {
  const one = await openWorkFolder(parent, unexpected);
  const two = await openWorkFolder(parent, unexpected);
  expect(one.path).not.toBe(two.path);
  litter(one.path);
  await one[Symbol.asyncDispose]();
  expect(existsSync(one.path)).toBe(false);
  expect(existsSync(two.path)).toBe(true);
  await two[Symbol.asyncDispose]();
  expect(readdirSync(parent)).toEqual([]);
});

test('the folder of a build that was killed is removed by the next one, whatever its files are called', async () => {
  const killed = await startProgram(hold, [parent]);
  litter(killed.line);
  await killed.kill();
  expect(existsSync(killed.line)).toBe(true);
  await using next = await openWorkFolder(parent, unexpected);
  expect(readdirSync(parent).map((name) => join(parent, name))).toEqual([next.path]);
});

test('the folder of a build that lives is left alone, in this process and in another one', async () => {
  await using other = await startProgram(hold, [parent]);
  await using own = await openWorkFolder(parent, unexpected);
  litter(other.line);
  await using next = await openWorkFolder(parent, unexpected);
  expect(existsSync(join(other.line, 'blob-1'))).toBe(true);
  expect(readdirSync(parent)).toHaveLength(3);
  expect(new Set([other.line, own.path, next.path]).size).toBe(3);
});

test('a removal that was itself killed is taken up again', async () => {
  const killed = await startProgram(hold, [parent]);
  await killed.kill();
  // The lock goes last: what is left still has it.
  expect(readdirSync(killed.line)).toEqual(['lock']);
  await using next = await openWorkFolder(parent, unexpected);
  expect(existsSync(killed.line)).toBe(false);
  expect(existsSync(next.path)).toBe(true);
});

test('builds that start together all get a folder', async () => {
  for (let i = 0; i < 3; i++) {
    const killed = await startProgram(hold, [parent]);
    litter(killed.line);
    await killed.kill();
  }
  const programs = await Promise.all([1, 2, 3, 4].map(() => startProgram(hold, [parent])));
  try {
    expect(readdirSync(parent).sort()).toEqual(programs.map(({ line }) => line.slice(parent.length + 1)).sort());
  } finally {
    await Promise.all(programs.map((program) => program.kill()));
  }
});

test('strange files beside the folders are left alone', async () => {
  mkdirSync(parent, { recursive: true });
  writeFileSync(join(parent, 'note'), 'x');
  mkdirSync(join(parent, 'folder'));
  await using own = await openWorkFolder(parent, unexpected);
  expect(readdirSync(parent)).toHaveLength(3);
  expect(existsSync(own.path)).toBe(true);
});

test('a parent that cannot be used is STORE_FAILED', async () => {
  mkdirSync(join(parent, '..'), { recursive: true });
  writeFileSync(parent, 'a file');
  await expect(openWorkFolder(parent, unexpected)).rejects.toMatchObject({
    code: 'STORE_FAILED',
    hint: expect.stringContaining('--cache-dir'),
  });
});

test('in a folder of everybody only what a killed build of this user left is removed', async () => {
  mkdirSync(parent, { mode: 0o1777 });
  const killed = await startProgram(hold, [parent, 'temporary']);
  litter(killed.line);
  await killed.kill();
  const running = await startProgram(hold, [parent, 'temporary']);
  mkdirSync(join(parent, 'tsbuild-build-other'));
  writeFileSync(join(parent, 'somebodys'), 'x');
  symlinkSync(killed.line, join(parent, 'tsbuild-build-link'));
  if (process.geteuid?.() === 0) {
    mkdirSync(join(parent, 'tsbuild-build-foreign'));
    writeFileSync(join(parent, 'tsbuild-build-foreign/lock'), '');
    chownSync(join(parent, 'tsbuild-build-foreign'), 65_534, 65_534);
  }
  const own = await openTemporaryFolder(parent, unexpected);
  expect(existsSync(killed.line)).toBe(false);
  expect(existsSync(running.line)).toBe(true);
  expect(statSync(own.path).mode & 0o777).toBe(0o700);
  await own[Symbol.asyncDispose]();
  await running.kill();
  const foreign = process.geteuid?.() === 0 ? ['tsbuild-build-foreign'] : [];
  const left = readdirSync(parent).filter((name) => join(parent, name) !== running.line);
  expect(left.sort()).toEqual([...foreign, 'somebodys', 'tsbuild-build-link', 'tsbuild-build-other'].sort());
});
