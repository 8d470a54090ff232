import { describe, expect, test } from 'vitest';
import { joinPath } from '../../../src/bytes/byte-path.ts';
import { ignoredTree } from '../../../src/context/ignored-tree.ts';
import type { FileTree } from '../../../src/layer/tree.ts';
import { parseIgnoreFile } from '../../../src/patterns/ignore-patterns.ts';
import { dir, memoryTree, type TreeLiteral } from '../../helpers/memory-tree.ts';

const walk = (tree: FileTree, path = ''): string[] =>
  tree.list(path).flatMap((name) => [joinPath(path, name), ...walk(tree, joinPath(path, name))]);
const patterns = (...lines: string[]) => parseIgnoreFile(Buffer.from(lines.join('\n')), '.dockerignore');
const FILES: TreeLiteral = { 'a/b/c': '1', 'a/b/d': '2', 'a/e': '3', f: '4', 'n/m/x': '5', 'n/y.md': '6', empty: dir() };

describe('what is left', () => {
  test.each<[string[], string[]]>([
    [[], ['a', 'a/b', 'a/b/c', 'a/b/d', 'a/e', 'empty', 'f', 'n', 'n/m', 'n/m/x', 'n/y.md']],
    [['a'], ['empty', 'f', 'n', 'n/m', 'n/m/x', 'n/y.md']],
    [['*'], []],
    [
      ['*', '!a/b/d'],
      ['a', 'a/b', 'a/b/d'],
    ],
    [
      ['*', '!a', 'a/b'],
      ['a', 'a/e'],
    ],
    [
      ['**', '!**/*.md'],
      ['n', 'n/y.md'],
    ],
    [['*', '!nothing/here'], []],
    [
      ['a/b', '!a/b/nope', 'n', 'f', 'empty'],
      ['a', 'a/e'],
    ],
    [
      ['*/*', '!*/e'],
      ['a', 'a/e', 'empty', 'f', 'n'],
    ],
  ])('of %j', (lines, wanted) => expect(walk(ignoredTree(memoryTree(FILES), patterns(...lines)))).toEqual(wanted));
});

test('look-ups agree with listings', () => {
  const tree = ignoredTree(memoryTree(FILES), patterns('*', '!a/b/d'));
  expect(['', 'a', 'a/b', 'a/b/d'].map((path) => tree.lstat(path) !== undefined)).toEqual([true, true, true, true]);
  expect(['a/b/c', 'a/e', 'f', 'n', 'nope'].map((path) => tree.lstat(path))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect(tree.list('n')).toEqual([]);
});

test('a folder that only leads to something keeps its own metadata', () => {
  const tree = ignoredTree(memoryTree({ s: dir({ mode: 0o2710 }), 's/keep': '1' }), patterns('*', '!s/keep'));
  expect(tree.lstat('s')?.meta.mode).toBe(0o2710);
});

test('folders that cannot lead to anything are never read', () => {
  const listed: string[] = [];
  const base = memoryTree({ ...FILES, 'node_modules/x/y': '1' });
  const spy: FileTree = {
    lstat: (path) => base.lstat(path),
    list(path) {
      listed.push(path);
      return base.list(path);
    },
  };
  walk(ignoredTree(spy, patterns('*', '!*.md', '!a/b')));
  const folders = listed.filter((path) => base.lstat(path)?.node.type === 'dir');
  expect([...new Set(folders)].sort()).toEqual(['', 'a', 'a/b']);
});
