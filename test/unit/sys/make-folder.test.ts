/** Witness: the file system of this machine, procfs included. */
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeFolder } from '../../../src/sys/make-folder.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'tsbuild-make-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('makeFolder', () => {
  test('makes every missing part, with the mode', () => {
    makeFolder(join(base, 'a/b/c'), 0o700);
    for (const part of ['a', 'a/b', 'a/b/c']) expect(statSync(join(base, part)).mode & 0o7777).toBe(0o700);
  });

  test('leaves a folder that exists as it is, also behind a symlink', () => {
    makeFolder(join(base, 'a'), 0o711);
    symlinkSync('a', join(base, 'link'));
    makeFolder(join(base, 'a'), 0o700);
    makeFolder(join(base, 'link'), 0o700);
    makeFolder('/');
    expect(statSync(join(base, 'a')).mode & 0o7777).toBe(0o711);
  });

  test.each(['/proc/x', '/proc/x/y/z'])('ends with ENOENT for %s, where nothing can be made', (path) => {
    expect(() => makeFolder(path)).toThrow(/ENOENT|EACCES/);
  });

  test('throws for a file or a dangling symlink in the way', () => {
    writeFileSync(join(base, 'file'), '');
    symlinkSync('nowhere', join(base, 'dangling'));
    expect(() => makeFolder(join(base, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(base, 'file/below'))).toThrow('ENOTDIR');
    expect(() => makeFolder(join(base, 'dangling'))).toThrow('EEXIST');
  });
});
