import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { contextFolder, type LocalContextOptions, localContext } from '../../../src/context/local-context.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-context-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const open = (options: Partial<LocalContextOptions> = {}) =>
  localContext({ context: root, dockerfilePath: null, ...options }).open(new AbortController().signal);

describe('the folder', () => {
  test('is a path or a dir:// URL, and may be a part of it', async () => {
    write({ 'sub/f': '1' });
    for (const context of [root, `${root}/`, `dir://${root}`, `dir://${root}/`])
      expect((await open({ context })).tree.list('')).toEqual(['sub']);
    expect((await open({ subPath: 'sub' })).tree.list('')).toEqual(['f']);
    expect((await open({ subPath: '/sub/' })).tree.list('')).toEqual(['f']);
  });

  test('may be reached through a symlink', async () => {
    write({ 'real/f': '1' });
    symlinkSync('real', join(root, 'link'));
    expect((await open({ context: join(root, 'link') })).tree.list('')).toEqual(['f']);
  });

  test('that is missing or a file fails with a hint', async () => {
    write({ file: 'x' });
    await expect(open({ context: join(root, 'nope') })).rejects.toMatchObject({
      code: 'CONTEXT_NOT_FOUND',
      message: expect.stringContaining('/nope" does not exist'),
      hint: expect.stringContaining('--context'),
    });
    await expect(open({ context: join(root, 'file') })).rejects.toMatchObject({
      code: 'CONTEXT_NOT_FOUND',
      message: expect.stringContaining('is a file'),
      hint: expect.stringContaining('--dockerfile'),
    });
    await expect(open({ context: join(root, 'file/x') })).rejects.toMatchObject({ code: 'CONTEXT_NOT_FOUND' });
  });

  test('cannot be left by the sub-path', () => {
    for (const subPath of ['..', '../x', 'a/../../b'])
      expect(() => contextFolder(root, subPath)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
    expect(contextFolder(root, '..a')).toBe(join(root, '..a'));
  });

  test.each(['git://host/repo', 's3://bucket/key', 'tar:///x.tar.gz', 'https://host/x', 'GS://b/k'])(
    '%s is not supported and named',
    (context) => {
      expect(() => contextFolder(context)).toThrowError(
        expect.objectContaining({
          code: 'NOT_SUPPORTED',
          message: expect.stringContaining(context.slice(0, context.indexOf(':')).toLowerCase()),
        }),
      );
    },
  );
});

describe('.dockerignore', () => {
  test('hides files and says by which line', async () => {
    write({ '.dockerignore': '# logs\n*.log\nsecret\n!keep.log', 'a.log': '', 'keep.log': '', 'secret/x': '', f: '' });
    const context = await open();
    expect(context.tree.list('')).toEqual(['.dockerignore', 'f', 'keep.log']);
    expect(context.hiddenBy('a.log')).toEqual({ file: '.dockerignore', line: 2, pattern: '*.log' });
    expect(context.hiddenBy('secret/x')).toEqual({ file: '.dockerignore', line: 3, pattern: 'secret' });
    expect(['f', 'keep.log', 'nope.log', ''].map((path) => context.hiddenBy(path))).toEqual([null, null, null, null]);
  });

  test('beside the Dockerfile, by its name, is used instead', async () => {
    write({ '.dockerignore': 'a', 'docker/Dev.dockerignore': 'b', 'docker/Dev': 'FROM scratch', a: '', b: '' });
    const context = await open({ dockerfilePath: join(root, 'docker/Dev') });
    expect(context.tree.list('')).toEqual(['.dockerignore', 'a', 'docker']);
    expect(context.hiddenBy('b')).toEqual({ file: 'docker/Dev.dockerignore', line: 1, pattern: 'b' });
    expect((await open({ dockerfilePath: join(root, 'docker/Prod') })).tree.list('')).toEqual(['.dockerignore', 'b', 'docker']);
  });

  test('beside a Dockerfile outside of the context is named by its whole path', async () => {
    write({ 'c/x': '', 'Dockerfile.dockerignore': 'x' });
    const context = await open({ context: join(root, 'c'), dockerfilePath: join(root, 'Dockerfile') });
    expect(context.hiddenBy('x')?.file).toBe(join(root, 'Dockerfile.dockerignore'));
  });

  test('that is empty beside the Dockerfile still replaces the other', async () => {
    write({ '.dockerignore': '*', 'Dockerfile.dockerignore': '', f: '' });
    expect((await open({ dockerfilePath: join(root, 'Dockerfile') })).tree.list('')).toContain('f');
  });

  test('may hide itself and the Dockerfile, and counts all the same', async () => {
    write({ '.dockerignore': '.dockerignore\nDockerfile\na', Dockerfile: 'FROM scratch', a: '', b: '' });
    expect((await open({ dockerfilePath: join(root, 'Dockerfile') })).tree.list('')).toEqual(['b']);
  });

  test('is that of the sub-path, not of the whole context', async () => {
    write({ '.dockerignore': '*', 'sub/f': '' });
    expect((await open({ subPath: 'sub' })).tree.list('')).toEqual(['f']);
  });

  test('that is malformed or cannot be read fails', async () => {
    write({ '.dockerignore': 'ok\n[' });
    await expect(open()).rejects.toMatchObject({ code: 'DOCKERIGNORE_SYNTAX', message: expect.stringContaining('.dockerignore:2') });
    rmSync(join(root, '.dockerignore'));
    mkdirSync(join(root, '.dockerignore'));
    await expect(open()).rejects.toMatchObject({ code: 'CONTEXT_READ', message: expect.stringContaining('EISDIR') });
  });
});

test('the label is the context as the user wrote it', () => {
  expect(localContext({ context: 'dir://x', dockerfilePath: null, label: 'dir://x' }).label).toBe('dir://x');
});
