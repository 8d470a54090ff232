import { expect, test } from 'vitest';
import { withOtherNames } from '../../../../src/backend/namespaces/other-names.ts';
import type { LayerIndex } from '../../../../src/layer/layer-index.ts';
import { stackTree } from '../../../../src/layer/stack-tree.ts';
import type { TreeEntry } from '../../../../src/layer/tree.ts';

const entry = (link?: string): TreeEntry => ({
  meta: { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n },
  node: { type: 'file', size: 1, content: { at: 'memory', bytes: Buffer.from('x') } },
  ...(link === undefined ? {} : { link }),
});
const layer = (puts: Record<string, TreeEntry>): LayerIndex => ({
  puts: new Map(Object.entries(puts)),
  removes: new Set(),
  opaques: new Set(),
  implied: new Set(),
});

test('a name that a layer leaves out is the same file as the name that it has', () => {
  const made = withOtherNames(layer({ new: entry(), alone: entry() }), new Map([['old', 'new']]));
  const tree = stackTree([layer({ old: entry() }), made]);
  expect(tree.lstat('old')?.link).toBeDefined();
  expect(tree.lstat('old')?.link).toBe(tree.lstat('new')?.link);
  expect(tree.lstat('alone')?.link).toBeUndefined();
});

test('further names join the hard links that the layer has', () => {
  const made = withOtherNames(
    layer({ a: entry('0'), b: entry('0') }),
    new Map([
      ['c', 'a'],
      ['d', 'a'],
    ]),
  );
  expect([...made.puts.values()].map(({ link }) => link)).toEqual(['0', '0', '0', '0']);
});

test('a name may be in a folder that the layer does not touch', () => {
  const folder: TreeEntry = { meta: { mode: 0o700, uid: 7, gid: 7, mtimeNs: 0n }, node: { type: 'dir' } };
  const made = withOtherNames(layer({ new: entry() }), new Map([['deep/er/old', 'new']]));
  const tree = stackTree([layer({ deep: folder, 'deep/er': folder, 'deep/er/old': entry() }), made]);
  expect(tree.lstat('deep/er/old')?.link).toBe(tree.lstat('new')?.link);
  expect(tree.lstat('deep/er')?.meta.mode).toBe(0o700);
});

test('a name whose file was ignored is passed over', () => {
  const made = withOtherNames(layer({ a: entry() }), new Map([['c', 'gone']]));
  expect([...made.puts.keys()]).toEqual(['a']);
});
