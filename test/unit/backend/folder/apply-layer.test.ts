/** Layers laid over each other in a plain folder: the tree that all rungs agree on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { kernelOwnership } from '../../../../src/backend/folder/kernel-ownership.ts';
import { layerFolder } from '../../../../src/backend/folder/layer-folder.ts';
import { stackTree } from '../../../../src/layer/stack-tree.ts';
import type { RawMember } from '../../layer/raw-tar.ts';
import {
  dir,
  emptyFolder,
  fifo,
  file,
  hardLink,
  isRoot,
  layerOf,
  linesOfFolder,
  linesOfTree,
  never,
  opaque,
  symlink,
  whiteout,
} from './folder-fixture.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-apply-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let home: string;
let root: string;
beforeEach(() => {
  home = mkdtempSync(join(scratch, 'test-'));
  root = emptyFolder(home, 'root');
});

async function expectSameTree(...stack: readonly (readonly (RawMember | Buffer)[])[]): Promise<string[]> {
  const layers = stack.map((members) => layerOf(home, ...members));
  const folder = layerFolder({ root, kept: [], ownership: kernelOwnership() });
  for (const layer of layers) await folder.lay(layer, never);
  const lines = linesOfFolder(root, { times: 'all' });
  expect(lines).toEqual(linesOfTree(stackTree(layers.map((layer) => layer.index)), { times: 'all' }));
  return linesOfFolder(root, { owners: 'no' }).map((line) => line.replace(/^(\w+) \d+/, '$1'));
}

const lower = [dir('d', { mode: '0001777\0' }), file('d/a', 'a'), file('d/b', 'b'), dir('d/sub'), file('d/sub/c', 'c'), symlink('l', 'd')];

describe.skipIf(!isRoot)('a layer over others', () => {
  test.each<readonly [string, readonly RawMember[], readonly string[]]>([
    ['removes what a whiteout names', [whiteout('d/a')], ['dir d', 'file d/b "b"', 'dir d/sub', 'file d/sub/c "c"', 'symlink l -> d']],
    ['removes a folder with all below it', [whiteout('d')], ['symlink l -> d']],
    ['keeps what it puts and removes, the whiteout first', [whiteout('d/a'), file('d/a', 'x')], ['file d/a "x"']],
    ['keeps what it puts and removes, the whiteout last', [file('d/a', 'x'), whiteout('d/a')], ['file d/a "x"']],
    [
      'keeps of a folder that it removes only what it puts there',
      [file('d/x', 'x'), whiteout('d')],
      ['dir d', 'file d/x "x"', 'symlink l -> d'],
    ],
    [
      'empties an opaque folder but for its own files, the mark first',
      [opaque('d'), file('d/x', 'x')],
      ['dir d', 'file d/x "x"', 'symlink l -> d'],
    ],
    [
      'empties an opaque folder but for its own files, the mark last',
      [file('d/x', 'x'), opaque('d')],
      ['dir d', 'file d/x "x"', 'symlink l -> d'],
    ],
    ['empties an opaque root', [file('x', 'x'), opaque('')], ['file x "x"']],
    ['gives a lower file a further name below an opaque root', [hardLink('h', 'd/a'), opaque('')], ['file h "a"']],
    ['puts a file in the place of a folder', [file('d', 'x')], ['file d "x"', 'symlink l -> d']],
    ['puts a symlink in the place of a folder', [symlink('d', 'x')], ['symlink d -> x', 'symlink l -> d']],
    ['puts a folder in the place of a file', [dir('d/a')], ['dir d/a']],
    ['puts a folder in the place of a symlink', [file('l/x', 'x')], ['dir l', 'file l/x "x"']],
    ['gives a lower file a further name', [hardLink('h', 'd/a')], ['file d/a (d/a h) "a"', 'file h (d/a h) "a"']],
    ['gives a lower file that it removes a further name', [whiteout('d/a'), hardLink('h', 'd/a')], ['file h "a"']],
    ['gives a lower file that it replaces a further name', [hardLink('h', 'd/a'), file('d/a', 'x')], ['file d/a "x"', 'file h "a"']],
    ['gives a lower file whose folder it replaces a further name', [file('d', 'x'), hardLink('h', 'd/a')], ['file d "x"', 'file h "a"']],
    ['goes where its own symlinks lead', [symlink('s', '/d'), file('s/x', 'x'), whiteout('s/a')], ['file d/x "x"', 'symlink s -> /d']],
    ['puts fifos', [fifo('d/a')], ['fifo d/a']],
    ['puts a file, then a folder, as one folder over the lower one', [file('d', 'x'), dir('d')], ['dir d', 'file d/a "a"']],
    [
      'gives a file that it puts a folder in the place of later a further name',
      [file('d', 'x'), hardLink('h', 'd'), dir('d'), file('d/y', 'y')],
      ['file h "x"', 'file d/y "y"', 'file d/a "a"'],
    ],
    [
      'forgets what it put below a folder that it replaced and made anew',
      [file('d/n', 'x'), file('d', 'y'), dir('d'), file('d/z', 'z')],
      ['file d/z "z"', 'file d/a "a"'],
    ],
    [
      'makes a folder that it replaced and implied anew',
      [file('n/a', 'x'), file('n', 'y'), dir('n'), file('n/z', 'z')],
      ['dir n', 'file n/z "z"'],
    ],
    ['changes a folder', [dir('d', { mode: '0000700\0', uid: '0000007\0' })], ['dir d', 'file d/a "a"']],
  ])('%s', async (_, members, expected) => {
    expect(await expectSameTree(lower, members)).toEqual(expect.arrayContaining([...expected]));
  });
});
