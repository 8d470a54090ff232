import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCacheAt, openCacheFolder } from '../../../src/unpacked/cache-folder.ts';

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'tsbuild-cache-folder-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

test('nobody but its owner gets into the folders of the cache, whatever the umask was', () => {
  const folders = openCacheFolder(join(parent, 'cache'));
  for (const folder of Object.values(folders)) expect(statSync(folder).mode & 0o777, folder).toBe(0o700);
});

test('folders that are open to others are closed, the cache folder itself keeps its mode', () => {
  const cache = join(parent, 'cache');
  mkdirSync(join(cache, 'layers'), { recursive: true });
  chmodSync(join(cache, 'layers'), 0o755);
  chmodSync(cache, 0o755);
  expect(statSync(openCacheFolder(cache).layers).mode & 0o777).toBe(0o700);
  expect(statSync(cache).mode & 0o777).toBe(0o755);
});

test('a file in its place is STORE_FAILED and names --cache-dir', () => {
  writeFileSync(join(parent, 'cache'), '');
  expect(() => openCacheFolder(join(parent, 'cache'))).toThrowError(
    expect.objectContaining({ code: 'STORE_FAILED', hint: expect.stringContaining('--cache-dir') as unknown }) as Error,
  );
});

/** Nobody, root included, makes a folder there. */
const READ_ONLY = '/sys/tsbuild/cache';

test('where the usual place cannot be written, the other one is used and the reason told', () => {
  const told: string[] = [];
  const instead = join(parent, 'instead');
  const { path, folders } = openCacheAt({ asked: null, usual: join(parent, 'usual'), instead }, (message) => told.push(message));
  expect([path, told]).toEqual([join(parent, 'usual'), []]);
  expect(folders.layers).toBe(join(parent, 'usual/layers'));
  chmodSync(parent, 0o1777);
  const second = openCacheAt({ asked: null, usual: READ_ONLY, instead }, (message) => told.push(message));
  expect(second.path).toBe(instead);
  expect(statSync(instead).mode & 0o777).toBe(0o700);
  expect(told).toEqual([
    expect.stringMatching(new RegExp(`the cache folder ${READ_ONLY} cannot be written \\(E\\w+\\), so ${instead} is used`)),
  ]);
});

test('the other place is not trusted when somebody else may write to it, or has laid a link there', () => {
  const open = (instead: string) => () => openCacheAt({ asked: null, usual: READ_ONLY, instead }, () => undefined);
  const fault = expect.objectContaining({
    code: 'STORE_FAILED',
    message: expect.stringContaining('others may write to it') as string,
  }) as Error;
  mkdirSync(join(parent, 'open'));
  chmodSync(join(parent, 'open'), 0o777);
  expect(open(join(parent, 'open'))).toThrowError(fault);
  mkdirSync(join(parent, 'target'), { mode: 0o700 });
  symlinkSync('target', join(parent, 'link'));
  expect(open(join(parent, 'link'))).toThrowError(fault);
  expect(readdirSync(join(parent, 'target'))).toEqual([]);
});
