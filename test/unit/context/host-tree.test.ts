import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes/byte-path.ts';
import { contextTree, hostTree } from '../../../src/context/host-tree.ts';
import { readXattrs, setXattr } from '../../../src/sys/xattr.ts';

const isRoot = process.getuid?.() === 0;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-hé-'));
});
afterEach(() => {
  execFileSync('chmod', ['-R', 'u+rwX', root]);
  rmSync(root, { recursive: true });
});

const at = (...parts: string[]): string => join(root, ...parts);
const tree = () => contextTree(bytesOf(root));

test('the root is a folder, what is missing is undefined, and a missing root is empty', () => {
  expect(tree().lstat('')?.node).toEqual({ type: 'dir' });
  expect(tree().lstat('nope')).toBeUndefined();
  expect(tree().list('nope')).toEqual([]);
  expect(contextTree('/nonexistent-folder').lstat('')).toBeUndefined();
});

test('files have size, mode with special bits, and time to the nanosecond', () => {
  writeFileSync(at('f'), 'hello');
  chmodSync(at('f'), 0o6751);
  execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', at('f')]);
  const { meta, node } = tree().lstat('f')!;
  const { dev, ino, mtimeNs, ctimeNs } = lstatSync(at('f'), { bigint: true });
  expect(node).toMatchObject({ type: 'file', size: 5, content: { at: 'host', path: Buffer.from(at('f')), inode: Number(ino) } });
  expect(node).toMatchObject({ content: { stamp: { device: dev, inode: ino, mtimeNs, ctimeNs } } });
  expect(meta).toEqual({ mode: 0o6751, uid: 0, gid: 0, mtimeNs: 981173106123456789n });
});

test('names are bytes: not UTF-8, newlines, blanks and 255 of them', () => {
  const odd = [
    Buffer.from('x\xff', 'latin1'),
    Buffer.from('new\nline'),
    Buffer.from(' '),
    Buffer.from('ü'),
    Buffer.from('n'.repeat(255)),
    Buffer.from('back\\slash'),
  ];
  for (const name of odd) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'x');
  const names = odd.map((name) => name.toString('latin1')).sort();
  expect(tree().list('')).toEqual(names);
  for (const name of names) expect(tree().lstat(name)?.node.type).toBe('file');
});

test('names are in byte order, not in that of a language', () => {
  for (const name of ['b', 'B', 'a', '_', 'é', 'a-', 'a.']) writeFileSync(at(name), '');
  expect(tree().list('')).toEqual(['B', '_', 'a', 'a-', 'a.', 'b', '\xc3\xa9']);
});

test('symlinks are seen, not followed, and keep the bytes of their targets', () => {
  mkdirSync(at('d'));
  writeFileSync(at('d/f'), '');
  symlinkSync('d', at('l'));
  symlinkSync('loop', at('loop'));
  symlinkSync(Buffer.from('t\xfe', 'latin1'), at('odd'));
  expect(tree().lstat('l')?.node).toEqual({ type: 'symlink', target: 'd' });
  expect(tree().lstat('odd')?.node).toEqual({ type: 'symlink', target: 't\xfe' });
  expect(tree().lstat('loop')?.node.type).toBe('symlink');
  expect([tree().lstat('l/f'), tree().lstat('loop/x'), tree().list('l')]).toEqual([undefined, undefined, []]);
});

test('names of one file share a key, and only they have one', () => {
  writeFileSync(at('a'), '');
  linkSync(at('a'), at('b'));
  writeFileSync(at('c'), '');
  const found = tree();
  expect(found.lstat('a')?.link).toBe(found.lstat('b')?.link);
  expect(found.lstat('a')?.link).toMatch(/^\d+:\d+$/);
  expect(found.lstat('c')).not.toHaveProperty('link');
  expect(found.lstat('')).not.toHaveProperty('link');
});

test('fifos are there and sockets are not', async () => {
  execFileSync('mkfifo', [at('p')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at('s'), resolve));
  expect(existsSync(at('s'))).toBe(true);
  expect(tree().list('')).toEqual(['p']);
  expect(tree().lstat('s')).toBeUndefined();
  expect(tree().lstat('p')?.node).toEqual({ type: 'fifo' });
  await new Promise((resolve) => server.close(resolve));
});

test.skipIf(!isRoot)(`devices have their numbers${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  execFileSync('mknod', [at('c'), 'c', '1', '3']);
  execFileSync('mknod', [at('b'), 'b', '259', '70000']);
  expect(tree().lstat('c')?.node).toEqual({ type: 'char', major: 1, minor: 3 });
  expect(tree().lstat('b')?.node).toEqual({ type: 'block', major: 259, minor: 70000 });
});

describe('owners and xattrs', () => {
  test('of a context are 0:0 and none; of another folder they are kept', () => {
    writeFileSync(at('f'), '');
    if (isRoot) chownSync(at('f'), 12, 34);
    setXattr(at('f'), 'user.k', Buffer.from([0, 255]));
    const { uid, gid } = lstatSync(at('f'));
    expect(tree().lstat('f')?.meta).toMatchObject({ uid: 0, gid: 0 });
    expect(tree().lstat('f')?.meta).not.toHaveProperty('xattrs');
    const kept = hostTree(bytesOf(root), { owners: 'as-found', xattrs: readXattrs }).lstat('f');
    expect(kept?.meta).toMatchObject({ uid, gid });
    expect([...(kept?.meta.xattrs ?? [])]).toEqual([['user.k', Buffer.from([0, 255])]]);
  });
});

/** What an ordinary user may not read. Root may read everything, so these run as another user where the suite runs as root. */
describe('what cannot be read', () => {
  test.skipIf(isRoot)(`fails when it is needed${isRoot ? ' (skipped: needs not root; see the next test)' : ''}`, async () => {
    mkdirSync(at('d'));
    writeFileSync(at('d/f'), '');
    writeFileSync(at('secret'), '');
    chmodSync(at('secret'), 0);
    chmodSync(at('d'), 0);
    const found = tree();
    expect(found.list('')).toEqual(['d', 'secret']);
    expect(() => found.list('d')).toThrowError(expect.objectContaining({ code: 'CONTEXT_READ', message: 'cannot read "d": EACCES' }));
    const { node } = found.lstat('secret')!;
    const content = node.type === 'file' && node.content.at === 'deferred' ? node.content : undefined;
    await expect(content?.locate(new AbortController().signal)).rejects.toMatchObject({
      code: 'CONTEXT_READ',
      message: 'cannot read "secret": EACCES',
    });
  });

  test.skipIf(!isRoot)(`fails for the user nobody as well${isRoot ? '' : ' (skipped: needs root)'}`, async () => {
    mkdirSync(at('d'));
    writeFileSync(at('secret'), '');
    chmodSync(root, 0o755);
    chmodSync(at('secret'), 0o600);
    chmodSync(at('d'), 0o700);
    const before = process.geteuid!();
    process.setegid!(65534);
    process.seteuid!(65534);
    try {
      const found = tree();
      expect(() => found.list('d')).toThrowError(expect.objectContaining({ code: 'CONTEXT_READ' }));
      const { node } = found.lstat('secret')!;
      const content = node.type === 'file' && node.content.at === 'deferred' ? node.content : undefined;
      await expect(content?.locate(new AbortController().signal)).rejects.toMatchObject({
        code: 'CONTEXT_READ',
        hint: expect.stringContaining('.dockerignore'),
      });
    } finally {
      process.seteuid!(before);
      process.setegid!(0);
    }
  });
});
