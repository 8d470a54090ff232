import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCacheFolder } from '../../../src/unpacked/cache-folder.ts';

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
