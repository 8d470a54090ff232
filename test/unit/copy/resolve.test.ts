import { expect, test } from 'vitest';
import { resolvePath } from '../../../src/copy/resolve.ts';
import { memoryTree, symlink } from '../../helpers/memory-tree.ts';

const tree = memoryTree({
  'a/b/f': '1',
  abs: symlink('/a/b'),
  rel: symlink('a/./b/'),
  up: symlink('../../../a'),
  'a/back': symlink('..'),
  'a/chain': symlink('../abs/f'),
  dangling: symlink('x/../y/z'),
  toRoot: symlink('/'),
  loop: symlink('loop'),
  ping: symlink('pong'),
  pong: symlink('ping'),
});

test.each([
  ['', ''],
  ['/', ''],
  ['a/b/f', 'a/b/f'],
  ['/abs/f', 'a/b/f'],
  ['rel/f', 'a/b/f'],
  ['up/b', 'a/b'],
  ['a/back/a/b', 'a/b'],
  ['a/chain', 'a/b/f'],
  ['dangling', 'y/z'],
  ['dangling/more', 'y/z/more'],
  ['toRoot/abs', 'a/b'],
  ['no/such/thing', 'no/such/thing'],
  ['abs/../a', 'a'],
  ['../../abs', 'a/b'],
  ['a/b/f/below', 'a/b/f/below'],
])('%j leads to %j', (path, wanted) => expect(resolvePath(tree, path)).toBe(wanted));

test.each(['loop', 'ping/x'])('%j goes in circles and fails', (path) => {
  expect(() => resolvePath(tree, path)).toThrowError(
    expect.objectContaining({ code: 'COPY_FAILED', message: expect.stringContaining(`"/${path}"`) }),
  );
});

test('forty links are followed and one more is not', () => {
  const chain = (length: number) =>
    memoryTree({
      end: 'x',
      ...Object.fromEntries(Array.from({ length }, (_, i) => [`l${i}`, symlink(i + 1 < length ? `l${i + 1}` : 'end')])),
    });
  expect(resolvePath(chain(40), 'l0')).toBe('end');
  expect(() => resolvePath(chain(41), 'l0')).toThrowError(/too many/);
});
