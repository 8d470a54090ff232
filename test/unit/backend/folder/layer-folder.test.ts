/** Hostile layers over a plain folder, what is out of the build's reach, the folder of a command, and clearing. */
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { kernelOwnership } from '../../../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import type { LayerFolder } from '../../../../src/backend/folder/parts.ts';
import type { RawMember } from '../../layer/raw-tar.ts';
import { dir, emptyFolder, file, hardLink, isRoot, layerOf, linesOfFolder, never, opaque, symlink, whiteout } from './folder-fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-folder-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let home: string;
let root: string;
let folder: LayerFolder;

const lay = (...members: readonly RawMember[]): Promise<void> => folder.lay(layerOf(home, ...members), never);

beforeEach(() => {
  home = mkdtempSync(join(scratch, 'test-'));
  root = emptyFolder(home, 'root');
  mkdirSync(join(home, 'host'));
  writeFileSync(join(home, 'host/secret'), 'untouched');
  folder = layerFolder({ root, kept: ['work', 'var/run/token', 'etc/hosts'], ownership: kernelOwnership() });
});

function expectHostUntouched(): void {
  expect(readdirSync(join(home, 'host')), 'SOMETHING WAS WRITTEN OUTSIDE THE ROOTFS').toEqual(['secret']);
  expect(readFileSync(join(home, 'host/secret'), 'utf8'), 'A FILE OUTSIDE THE ROOTFS WAS CHANGED').toBe('untouched');
  expect(lstatSync(join(home, 'host/secret')).nlink, 'A FILE OUTSIDE THE ROOTFS WAS LINKED').toBe(1);
}

describe.skipIf(!isRoot)('a symlink of the rootfs that leads out of it', () => {
  beforeEach(() => {
    symlinkSync(join(home, 'host'), join(root, 'out'));
    symlinkSync('../host', join(root, 'up'));
  });

  test.each<readonly [string, () => readonly RawMember[]]>([
    ['to put a file', () => [file('out/secret', 'x'), file('up/new', 'x')]],
    ['to put a folder', () => [dir('out/new'), dir('up/secret')]],
    ['to remove a file', () => [whiteout('out/secret'), whiteout('up/secret')]],
    ['to empty a folder', () => [opaque('out'), opaque('up')]],
    ['to change the folder', () => [dir('out', { mode: '0000000\0', uid: '0000007\0' })]],
    ['through a symlink of the layer', () => [symlink('l', '/out'), file('l/secret', 'x'), whiteout('l/secret')]],
  ])('is not followed %s', async (_, members) => {
    await lay(...members());
    expectHostUntouched();
  });

  test('is not followed to make a hard link', async () => {
    await expect(lay(hardLink('h', 'out/secret'))).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    await expect(lay(symlink('l', '/up'), hardLink('h', 'l/secret'))).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expectHostUntouched();
  });

  test('is what changes and clearing see, not where it leads', async () => {
    await folder.mark(never);
    rmSync(join(root, 'up'));
    symlinkSync(join(home, 'host'), join(root, 'up'));
    const paths: string[] = [];
    for await (const entry of folder.changes(never)) paths.push(entry.path);
    expect(paths).toEqual(['up']);
    await folder.clear(never);
    expect(readdirSync(root)).toEqual([]);
    expectHostUntouched();
  });
});

describe.skipIf(!isRoot)('names', () => {
  test('may have 255 bytes and be no UTF-8, not more', async () => {
    const name = '\xff'.repeat(85);
    await lay(file(name, 'x'));
    expect(linesOfFolder(root)).toEqual([`file 644 0:0 ${name} "x"`]);
    expect(readdirSync(root, 'buffer')[0]).toEqual(Buffer.alloc(85, 0xff));
  });

  test('may go as deep as a path is long', async () => {
    const path = Array.from({ length: 45 }, () => 'd').join('/');
    await lay(file(path, 'x'));
    await folder.mark(never);
    await folder.clear(never);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe.skipIf(!isRoot)('what is kept', () => {
  beforeEach(() => {
    for (const path of ['work', 'var/run/token', 'etc']) mkdirSync(join(root, path), { recursive: true });
    for (const path of ['work/context', 'var/run/token/ca', 'var/run/other', 'etc/hosts', 'etc/passwd'])
      writeFileSync(join(root, path), 'mine');
  });
  const mine = (): string[] => ['work/context', 'var/run/token/ca', 'etc/hosts'].map((path) => readFileSync(join(root, path), 'utf8'));

  test.each<readonly [string, readonly RawMember[]]>([
    ['put there', [file('work/context', 'x'), file('etc/hosts', 'x'), dir('var/run/token', { mode: '0000000\0' })]],
    ['put in its place', [file('work', 'x'), symlink('var', 'other'), file('etc', 'x')]],
    ['removed', [whiteout('work'), whiteout('var'), whiteout('etc/hosts')]],
    ['removed with its folder', [opaque(''), opaque('var/run'), opaque('work')]],
    ['reached by a symlink of the layer', [symlink('l', 'work'), file('l/context', 'x'), whiteout('l/context'), opaque('l')]],
    ['linked to', [file('etc/hosts', 'x'), hardLink('h', 'etc/hosts')]],
  ])('stays when it is %s by a layer', async (_, members) => {
    const before = lstatSync(join(root, 'var/run/token')).mode;
    await lay(...members);
    expect(mine()).toEqual(['mine', 'mine', 'mine']);
    expect(lstatSync(join(root, 'var/run/token')).mode).toBe(before);
    expect(lstatSync(join(root, 'etc/hosts')).nlink).toBe(1);
  });

  test('is no file for further names of the layer, which get what the layer says', async () => {
    await lay(file('etc/hosts', 'x'), hardLink('h', 'etc/hosts'));
    expect(readFileSync(join(root, 'h'), 'utf8')).toBe('x');
    await expect(lay(hardLink('again', 'etc/hosts'))).rejects.toMatchObject({
      code: 'BACKEND_FAILED',
      message: expect.stringContaining('etc/hosts'),
    });
    expect(readdirSync(root).filter((name) => name.startsWith('.tsbuild'))).toEqual([]);
  });

  test('leaves the rest of its folder to the layer', async () => {
    await lay(whiteout('var'), dir('etc', { mode: '0000711\0' }), file('etc/passwd', 'x'));
    expect(existsSync(join(root, 'var/run/other'))).toBe(false);
    expect(lstatSync(join(root, 'etc')).mode & 0o7777).toBe(0o711);
    expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toBe('x');
  });

  test('stays when the folder is cleared, and only that', async () => {
    await folder.clear(never);
    expect(linesOfFolder(root, { owners: 'no' }).map((line) => line.split(' ')[2])).toEqual([
      'etc',
      'etc/hosts',
      'var',
      'var/run',
      'var/run/token',
      'var/run/token/ca',
      'work',
      'work/context',
    ]);
  });

  test('may be the folder of a command when it is there', () => {
    expect(folder.workingFolder('/work')).toBe(join(root, 'work'));
    expect(() => folder.workingFolder('/work/new')).toThrow(
      expect.objectContaining({ code: 'BACKEND_FAILED', message: expect.stringContaining(`out of the build's reach`) }),
    );
    expect(existsSync(join(root, 'work/new'))).toBe(false);
  });
});

describe.skipIf(!isRoot)('the folder of a command', () => {
  test('is made where it is missing, as part of the changes', async () => {
    await folder.mark(never);
    const before = process.umask(0o077);
    try {
      expect(folder.workingFolder('/new/deep')).toBe(join(root, 'new/deep'));
    } finally {
      process.umask(before);
    }
    expect(linesOfFolder(root)).toEqual(['dir 755 0:0 new', 'dir 755 0:0 new/deep']);
    const paths: string[] = [];
    for await (const entry of folder.changes(never)) paths.push(entry.path);
    expect(paths).toEqual(['new', 'new/deep']);
  });

  test.each([
    ['/l/x', '../../../real', 'real/x'],
    ['/l', '/real', 'real'],
    ['/l', '../host', 'host'],
  ])('%s is found through a symlink to %s inside the rootfs', async (cwd, target, expected) => {
    await lay(dir('real'), dir('host'), symlink('l', target));
    expect(folder.workingFolder(cwd)).toBe(join(root, expected));
    expectHostUntouched();
  });

  test.each([
    ['/f', /ENOTDIR/],
    ['/f/x', /ENOTDIR/],
    ['/dangling', /EEXIST/],
    ['/loop', /ELOOP/],
  ])('%s is refused, with the reason', async (cwd, why) => {
    await lay(file('f', ''), symlink('dangling', 'nowhere'), symlink('loop', 'loop'));
    expect(() => folder.workingFolder(cwd)).toThrow(
      expect.objectContaining({ code: 'BACKEND_FAILED', message: expect.stringMatching(why) }),
    );
    expect(() => folder.workingFolder(cwd)).toThrow(`cannot make the working directory ${cwd}: `);
  });
});
