import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import type { LayerEntry } from '../../../src/layer/entry.ts';
import type { LayerIndex } from '../../../src/layer/layer-index.ts';
import { mergeLayers } from '../../../src/layer/merge-layers.ts';
import { packEntries } from '../../../src/layer/pack.ts';
import { stackTree } from '../../../src/layer/stack-tree.ts';
import { type RawMember, rawTar } from './raw-tar.ts';
import { feed, gather } from './read-all.ts';

/** Names as in a tar: `x/` is a folder, `a -> b` a symlink, `a => b` a hard link, else a file with its layer's number as owner and content. */
function layer(number: number, ...names: readonly string[]): LayerIndex {
  const builder = createIndexBuilder((path) => ({ at: 'memory', bytes: Buffer.from(`${number}:${path}`) }));
  feed(builder, rawTar(...names.map((name) => member(number, name))));
  return builder.index();
}

function member(number: number, name: string): RawMember {
  const uid = `000000${number}\0`;
  const link = /^(.*) (-|=)> (.*)$/.exec(name);
  if (link !== null) return { name: link[1] as string, flag: link[2] === '-' ? '2' : '1', target: link[3] as string, uid };
  return name.endsWith('/') ? { name, flag: '5', uid } : { name, content: `${number}:${name}`, uid };
}

function shown(entry: LayerEntry): string {
  if (entry.kind !== 'put') return `${entry.kind} ${entry.path}`;
  const { path, node, meta } = entry;
  const slash = node.type === 'dir' ? '/' : '';
  const target = node.type === 'symlink' ? ` -> ${node.target}` : node.type === 'hardlink' ? ` => ${node.target}` : '';
  return `${path}${slash}${target} ${meta.uid}`;
}

function merged(base: readonly LayerIndex[], layers: readonly LayerIndex[]): readonly string[] {
  return [...mergeLayers(base, layers)].map(shown);
}

describe('what two steps change becomes one layer', () => {
  const BASE = [layer(1, 'a/', 'a/x', 'a/y', 'b/', 'b/c', 'f')];

  test.each<readonly [string, readonly (readonly string[])[], readonly string[]]>([
    ['nothing', [], []],
    ['files of both', [['a/z'], ['n']], ['a/z 2', 'n 3']],
    ['the later one of the same name', [['n', 'a/x'], ['n']], ['a/x 2', 'n 3']],
    ['no file that a later step removes', [['n', 'm'], ['.wh.n']], ['m 2']],
    ['a whiteout where the base has the file', [['a/x'], ['a/.wh.x']], ['remove a/x']],
    ['no whiteout for what only an earlier step made', [['d/', 'd/e'], ['.wh.d']], []],
    ['no whiteouts below a removed folder', [['b/.wh.c'], ['.wh.b']], ['remove b']],
    ['a folder of the base left as it is', [['a/.wh.x'], ['a/.wh.y']], ['remove a/x', 'remove a/y']],
    ['a folder with the metadata that a step gives it', [['a/'], ['a/z']], ['a/ 2', 'a/z 3']],
    ['a folder removed and made again', [['.wh.b'], ['b/', 'b/n']], ['b/ 3', 'opaque b', 'b/n 3']],
    ['a folder removed and made again by one step', [['.wh.b', 'b/', 'b/n']], ['b/ 2', 'opaque b', 'b/n 2']],
    ['an opaque folder whose owner is the base', [['b/.wh..wh..opq', 'b/n']], ['opaque b', 'b/n 2']],
    ['a file again where the base has one', [['.wh.f'], ['f']], ['f 3']],
    ['a file in the place of a folder', [['.wh.b', 'b']], ['b 2']],
    [
      'a folder in the place of a file in the place of a folder',
      [
        ['.wh.b', 'b'],
        ['b/', 'b/n'],
      ],
      ['b/ 3', 'opaque b', 'b/n 3'],
    ],
    ['a folder in the place of a file', [['.wh.f', 'f/', 'f/n']], ['f/ 2', 'f/n 2']],
    ['folders that no layer describes', [['p/q/r']], ['p/ 0', 'p/q/ 0', 'p/q/r 2']],
    ['a folder that no layer describes and that became empty', [['p/q'], ['p/.wh.q']], ['p/ 0']],
    ['symlinks', [['l -> f'], ['m -> nowhere']], ['l -> f 2', 'm -> nowhere 3']],
    ['hard links', [['h', 'i => h', 'a/j => h']], ['a/j 2', 'h => a/j 2', 'i => a/j 2']],
    ['what is left of hard links', [['h', 'i => h', 'j => h'], ['.wh.h']], ['i 2', 'j => i 2']],
    [
      'hard links of two steps apart',
      [
        ['h', 'i => h'],
        ['h', 'k => h'],
      ],
      ['h 3', 'i 2', 'k => h 3'],
    ],
    ['all of the base hidden', [['.wh..wh..opq', 'n']], ['opaque ', 'n 2']],
    ['a hard link to a file of the base', [['k => f']], ['k 1']],
  ])('%s', (_, layers, expected) => {
    expect(
      merged(
        BASE,
        layers.map((names, i) => layer(i + 2, ...names)),
      ),
    ).toEqual(expected);
  });

  test('without a base there is nothing to hide', () => {
    expect(merged([], [layer(1, 'a/', 'a/x'), layer(2, 'a/.wh.x', 'b/.wh..wh..opq', '.wh..wh..opq')])).toEqual(['a/ 0', 'b/ 0']);
    expect(merged([], [layer(1, 'a/', 'a/x'), layer(2, 'a/.wh.x')])).toEqual(['a/ 1']);
  });

  test('folders that the layers do not touch are not looked into', () => {
    const base = layer(1, 'a/', 'a/x', 'untouched/', 'untouched/x');
    const asked: string[] = [];
    const puts = new Map(base.puts);
    const get = puts.get.bind(puts);
    puts.get = (path) => {
      asked.push(path);
      return get(path);
    };
    expect(merged([{ ...base, puts }], [layer(2, 'a/y')])).toEqual(['a/y 2']);
    expect(asked.filter((path) => path.startsWith('untouched'))).toEqual([]);
  });
});

/** All of a tree: path, type, owner, content, target, and who shares its file. */
function picture(layers: readonly LayerIndex[]): readonly string[] {
  const tree = stackTree(layers);
  const groups = new Map<string, string>();
  const look = (folder: string): string[] =>
    tree.list(folder).flatMap((name) => {
      const path = folder === '' ? name : `${folder}/${name}`;
      const entry = tree.lstat(path);
      if (entry === undefined) throw new Error(`${path} is listed`);
      const { node, meta, link } = entry;
      const content = node.type === 'file' && node.content.at === 'memory' ? Buffer.from(node.content.bytes).toString() : '';
      if (link !== undefined && !groups.has(link)) groups.set(link, path);
      // A file that lost its other names is alone.
      return [
        `${path} ${node.type} ${meta.uid} ${content}${node.type === 'symlink' ? node.target : ''} ${link === undefined ? path : groups.get(link)}`,
        ...(node.type === 'dir' ? look(path) : []),
      ];
    });
  return look('');
}

/** The index that a layer of these entries has, with the content that the entries have. */
async function indexOf(entries: readonly LayerEntry[]): Promise<LayerIndex> {
  const contents = new Map(entries.flatMap((e) => (e.kind === 'put' && e.node.type === 'file' ? [[e.path, e.node.content] as const] : [])));
  const links = new Map(entries.flatMap((e) => (e.kind === 'put' && e.node.type === 'hardlink' ? [[e.path, e.node.target] as const] : [])));
  const builder = createIndexBuilder((path) => contents.get(links.get(path) ?? path) ?? { at: 'memory', bytes: Buffer.alloc(0) });
  feed(builder, await gather(packEntries(entries, { mtime: 'seconds', signal: new AbortController().signal })));
  return builder.index();
}

const NAME = fc.constantFrom('a', 'b', 'c');
const PATH = fc.array(NAME, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const MEMBER = fc.oneof(
  { weight: 4, arbitrary: PATH },
  { weight: 3, arbitrary: PATH.map((path) => `${path}/`) },
  { weight: 2, arbitrary: PATH.map((path) => path.replace(/[^/]+$/, '.wh.$&')) },
  { weight: 1, arbitrary: PATH.map((path) => `${path}/.wh..wh..opq`) },
  { weight: 1, arbitrary: PATH.map((path) => `${path} -> x`) },
  { weight: 2, arbitrary: fc.tuple(PATH, PATH).map(([path, target]) => `${path} => ${target}`) },
);
const LAYER = fc.array(MEMBER, { maxLength: 8 });

/** What a step could have made: members that fit each other, hard links to files of their own layer. */
function possible(number: number, names: readonly string[]): LayerIndex {
  const fitting: string[] = [];
  for (const name of names) {
    try {
      const index = layer(number, ...fitting, name);
      if (index.lowerLinks === undefined) fitting.push(name);
    } catch {
      // A file where another member needs a folder.
    }
  }
  return layer(number, ...fitting);
}

test('whatever the layers are, the merged one makes the same file system of the base', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(LAYER, { maxLength: 2 }), fc.array(LAYER, { minLength: 1, maxLength: 4 }), async (lower, upper) => {
      const base = lower.map((names, i) => possible(i + 1, names));
      const layers = upper.map((names, i) => possible(i + 3, names));
      const one = await indexOf([...mergeLayers(base, layers)]);
      expect(picture([...base, one])).toEqual(picture([...base, ...layers]));
      for (const path of one.removes) expect(stackTree(base).lstat(path), `the base has ${path}`).toBeDefined();
    }),
    { numRuns: 1000 },
  );
});
