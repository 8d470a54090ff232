import { expect, test } from 'vitest';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import type { LayerIndex } from '../../../src/layer/layer-index.ts';
import { stackTree } from '../../../src/layer/stack-tree.ts';
import type { FileTree } from '../../../src/layer/tree.ts';
import { type RawMember, rawTar } from './raw-tar.ts';
import { feed } from './read-all.ts';

/** Names as in a tar: `x/` is a folder, `a -> b` a symlink, `a => b` a hard link, else a file that holds its layer's number. */
function layer(number: number, ...names: readonly string[]): LayerIndex {
  const builder = createIndexBuilder((path) => ({ at: 'host', path: `/${number}/${path}` }));
  feed(builder, rawTar(...names.map((name) => member(number, name))));
  return builder.index();
}

function member(number: number, name: string): RawMember {
  const uid = `000000${number}\0`;
  const link = /^(.*) (-|=)> (.*)$/.exec(name);
  if (link !== null) return { name: link[1] as string, flag: link[2] === '-' ? '2' : '1', target: link[3] as string, uid };
  return name.endsWith('/') ? { name, flag: '5', uid } : { name, content: 'x'.repeat(number), uid };
}

/** Every path with the layer that it comes from (uid), folders with a slash. */
function files(tree: FileTree, folder = ''): string[] {
  return tree.list(folder).flatMap((name) => {
    const path = folder === '' ? name : `${folder}/${name}`;
    const entry = tree.lstat(path);
    expect(entry, `${path} is listed`).toBeDefined();
    const isFolder = entry?.node.type === 'dir';
    return [`${path}${isFolder ? '/' : ''} ${entry?.meta.uid}`, ...(isFolder ? files(tree, path) : [])];
  });
}

test('no layer is an empty root', () => {
  expect(files(stackTree([]))).toEqual([]);
  expect(stackTree([]).lstat('')?.node.type).toBe('dir');
  expect(stackTree([]).list('nowhere')).toEqual([]);
});

test('higher layers add and replace; folders take the metadata of the highest that has an entry for them', () => {
  expect(files(stackTree([layer(1, 'a/', 'a/x', 'a/y', 'b'), layer(2, 'a/', 'a/y', 'a/z')]))).toEqual([
    'a/ 2',
    'a/x 1',
    'a/y 2',
    'a/z 2',
    'b 1',
  ]);
});

test('implied folders keep the metadata of lower layers', () => {
  expect(files(stackTree([layer(1, 'a/', 'a/x'), layer(2, 'a/y')]))).toEqual(['a/ 1', 'a/x 1', 'a/y 2']);
});

test('a folder that no layer describes is 0755 and root', () => {
  expect(stackTree([layer(1, 'a/b/c')]).lstat('a/b')).toMatchObject({ meta: { mode: 0o755, uid: 0, gid: 0 }, node: { type: 'dir' } });
});

test('a whiteout hides a lower file, or a folder with all below it', () => {
  expect(files(stackTree([layer(1, 'a/', 'a/x', 'b/', 'b/c/', 'b/c/d'), layer(2, 'a/.wh.x', '.wh.b')]))).toEqual(['a/ 1']);
});

test.each([
  ['before', ['.wh.a', 'a/', 'a/new']],
  ['after', ['a/', 'a/new', '.wh.a']],
])('a whiteout %s what the same layer puts hides only lower layers', (_, names) => {
  expect(files(stackTree([layer(1, 'a/', 'a/old'), layer(2, ...names)]))).toEqual(['a/ 2', 'a/new 2']);
});

test.each([
  ['before', ['a/', 'a/.wh..wh..opq', 'a/new']],
  ['after', ['a/', 'a/new', 'a/.wh..wh..opq']],
])('an opaque mark %s what the same layer puts hides only lower layers', (_, names) => {
  expect(files(stackTree([layer(1, 'a/', 'a/old/', 'a/old/x', 'b'), layer(2, ...names)]))).toEqual(['a/ 2', 'a/new 2', 'b 1']);
});

test('an opaque mark hides what is in a folder but not the folder itself', () => {
  expect(files(stackTree([layer(1, 'a/', 'a/old'), layer(2, 'a/.wh..wh..opq')]))).toEqual(['a/ 1']);
});

test('an opaque root hides everything below', () => {
  expect(files(stackTree([layer(1, 'a', 'b'), layer(2, '.wh..wh..opq', 'c')]))).toEqual(['c 2']);
});

test('a removed path may come back in a third layer, without what it had before', () => {
  expect(files(stackTree([layer(1, 'a/', 'a/x'), layer(2, '.wh.a'), layer(3, 'a/y')]))).toEqual(['a/ 0', 'a/y 3']);
});

test('a file or symlink replaces a folder with all below it, and a folder replaces a file', () => {
  const lower = layer(1, 'a/', 'a/x', 'b/', 'b/y', 'f');
  expect(files(stackTree([lower, layer(2, 'a', 'b -> a', 'f/', 'f/z')]))).toEqual(['a 2', 'b 2', 'f/ 2', 'f/z 2']);
  expect(stackTree([lower, layer(2, 'a')]).lstat('a/x')).toBeUndefined();
  expect(files(stackTree([lower, layer(2, 'a'), layer(3, 'a/w')]))).toEqual(['a/ 0', 'a/w 3', 'b/ 1', 'b/y 1', 'f 1']);
});

test('nothing is found below a symlink', () => {
  expect(stackTree([layer(1, 'real/', 'real/x', 'link -> real')]).lstat('link/x')).toBeUndefined();
});

test('a whiteout of something that is not there changes nothing', () => {
  expect(files(stackTree([layer(1, 'a'), layer(2, '.wh.b', 'c/.wh.d')]))).toEqual(['a 1', 'c/ 0']);
});

test('lists are in byte order, each name once', () => {
  expect(stackTree([layer(1, 'b', 'a', '\xff'), layer(2, 'B', 'a', '\xc3\xa9')]).list('')).toEqual(['B', 'a', 'b', '\xc3\xa9', '\xff']);
});

test('hard links of different layers never share a key', () => {
  const tree = stackTree([layer(1, 'a', 'b => a'), layer(2, 'c', 'd => c')]);
  const key = (path: string) => tree.lstat(path)?.link;
  expect(key('a')).toBe(key('b'));
  expect(key('c')).toBe(key('d'));
  expect(key('a')).not.toBe(key('c'));
});

test('a hard link to a file of a lower layer is that file', () => {
  const tree = stackTree([layer(1, 'usr/', 'usr/perl', 'other'), layer(2, 'other'), layer(3, 'perl5 => usr/perl')]);
  expect(tree.lstat('perl5')?.node).toMatchObject({ type: 'file', size: 1, content: { path: '/1/usr/perl' } });
  expect(tree.lstat('perl5')?.link).toBe(tree.lstat('usr/perl')?.link);
  expect(tree.lstat('perl5')?.link).toBeDefined();
  expect(tree.lstat('other')?.link).toBeUndefined();
  expect(tree.list('')).toEqual(['other', 'perl5', 'usr']);
});

test('a hard link to a file of a lower layer is that file below an opaque root, too', () => {
  expect(files(stackTree([layer(1, 'b'), layer(2, '.wh..wh..opq', 'a => b')]))).toEqual(['a 1']);
});

test('a hard link to a file that was removed, is a folder or never was does not exist', () => {
  const tree = stackTree([layer(1, 'a', 'd/', 'd/x'), layer(2, '.wh.a'), layer(3, 'l1 => a', 'l2 => d', 'l3 => nothing', 'l4 => d/x')]);
  expect(files(tree)).toEqual(['d/ 1', 'd/x 1', 'l4 1']);
  expect(tree.lstat('l1')).toBeUndefined();
});

test('a tree does not change when a layer is put on top of its layers', () => {
  const lower = layer(1, 'a/', 'a/x');
  const before = stackTree([lower]);
  const list = before.list('a');
  const after = stackTree([lower, layer(2, 'a/y', 'a/.wh.x')]);
  expect(after.list('a')).toEqual(['y']);
  expect(before.list('a')).toEqual(['x']);
  expect(before.list('a')).toBe(list);
});
