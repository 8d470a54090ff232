import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeTree } from '../../../src/sys/remove-tree.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-remove-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('folders that are nested deeper than a path may be long are removed', async () => {
  const top = join(folder, 'deep');
  mkdirSync(top);
  // A shell goes down step by step, as a RUN would: no path from the root could name the last folder.
  execFileSync(
    'sh',
    ['-c', 'n=$(printf %085d 0); i=0; while [ $i -lt 60 ]; do mkdir $n && cd -P $n || exit 1; i=$((i+1)); done; : > file'],
    { cwd: top },
  );
  await removeTree(top);
  expect(existsSync(top)).toBe(false);
});

test('names that are no UTF-8 are removed, and what a symlink points to is not', async () => {
  const top = join(folder, 'top');
  mkdirSync(top);
  writeFileSync(join(folder, 'kept'), '');
  symlinkSync(folder, join(top, 'link'));
  writeFileSync(Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xff, 0xfe])]), '');
  await removeTree(top);
  expect([existsSync(top), existsSync(join(folder, 'kept'))]).toEqual([false, true]);
});

test('a folder without permissions is removed by its owner', async () => {
  const top = join(folder, 'top');
  mkdirSync(join(top, 'closed', 'inside'), { recursive: true });
  chmodSync(join(top, 'closed'), 0);
  await removeTree(top);
  expect(existsSync(top)).toBe(false);
});

test('a folder that its owner may list and not write to is removed, as one that it closed to itself is', async () => {
  const top = join(folder, 'top');
  mkdirSync(join(top, 'fixed', 'inside'), { recursive: true });
  writeFileSync(join(top, 'fixed', 'inside', 'file'), '');
  writeFileSync(join(top, 'fixed', 'file'), '');
  for (const name of ['fixed/inside', 'fixed']) chmodSync(join(top, name), 0o555);
  await removeTree(top);
  expect(existsSync(top)).toBe(false);
});

test('a file is removed, and what is not there is no error', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await removeTree(file);
  await removeTree(file);
  expect(existsSync(file)).toBe(false);
});
