/** The rules of Docker's COPY, one by one, as BuildKit was seen to follow them. */
import { describe, expect, test } from 'vitest';
import type { CopyInput, CopyRequest } from '../../../src/copy/copy.ts';
import { copyEntries } from '../../../src/copy/copy-entries.ts';
import { modeChange } from '../../../src/copy/mode.ts';
import type { TreeEntry } from '../../../src/layer/tree.ts';
import { device, dir, fifo, file, lines, memoryTree, symlink, type TreeLiteral } from '../../helpers/memory-tree.ts';

type Options = Partial<Omit<CopyRequest, 'inputs' | 'dest' | 'into'>> & { readonly hidden?: Readonly<Record<string, number>> };

async function run(source: TreeLiteral, sources: readonly string[], dest: string, into: TreeLiteral = {}, options: Options = {}) {
  const tree = memoryTree(source);
  const { hidden = {}, ...rest } = options;
  const inputs: CopyInput[] = sources.map((pattern) => ({
    kind: 'tree',
    tree,
    pattern,
    label: 'the context',
    hiddenBy: (path) => (hidden[path] === undefined ? null : { file: '.dockerignore', line: hidden[path], pattern: '*' }),
  }));
  return copyInputs(inputs, dest, into, rest);
}

function copyInputs(inputs: readonly CopyInput[], dest: string, into: TreeLiteral, options: Partial<CopyRequest>) {
  return copyEntries({
    inputs,
    dest,
    into: memoryTree(into),
    owner: null,
    mode: null,
    exclude: [],
    parents: false,
    link: false,
    xattrs: 'drop',
    archives: 'keep',
    nowNs: 5n,
    scratchFolder: '/nonexistent',
    signal: new AbortController().signal,
    ...options,
  });
}

const copied = async (...args: Parameters<typeof run>): Promise<string[]> => lines((await run(...args)).entries);
const error = (code: string, message: RegExp, hint?: RegExp) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(message),
    ...(hint ? { hint: expect.stringMatching(hint) } : {}),
  }) as Error;

const D: TreeLiteral = {
  'd/a.txt': 'a',
  'd/.hidden': 'h',
  'd/sub/c.txt': 'c',
  'd/sub/deep/e.txt': file('e', { mode: 0o600 }),
  'd/link': symlink('a.txt'),
  'top.txt': 'top',
};

describe('a folder', () => {
  test('gives its contents, not itself', async () => {
    expect(await copied({ 'd/f': '1', 'd/.h': '2' }, ['d'], '/x')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/.h "2"',
      'file 0644 0:0 x/f "1"',
    ]);
  });

  test('keeps its mode to itself: a dest that is made is 0755 and an existing one stays as it is', async () => {
    const source = { d: dir({ mode: 0o700, uid: 9 }), 'd/f': '1' };
    expect(await copied(source, ['d'], '/x')).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/f "1"']);
    expect(await copied(source, ['d'], '/x', { x: dir({ mode: 0o1777, uid: 3, gid: 4 }) })).toEqual([
      'dir 1777 3:4 x',
      'file 0644 0:0 x/f "1"',
    ]);
  });

  test('gives dest its time', async () => {
    const { entries } = await run({ d: dir({ mtimeNs: 77n }), 'd/f': '1' }, ['d'], '/x');
    expect(entries[0]).toMatchObject({ path: 'x', meta: { mtimeNs: 77n } });
  });

  test('brings the metadata of its sub-folders, also over existing ones', async () => {
    const source = { 'd/s': dir({ mode: 0o750, mtimeNs: 9n }), 'd/s/f': '1' };
    expect(await copied(source, ['d'], '/x', { 'x/s': dir({ mode: 0o711, uid: 4 }) })).toEqual([
      'dir 0755 0:0 x',
      'dir 0750 0:0 x/s',
      'file 0644 0:0 x/s/f "1"',
    ]);
  });

  test('that is empty still makes dest', async () => {
    expect(await copied({ e: dir() }, ['e'], '/a/b')).toEqual(['dir 0755 0:0 a', 'dir 0755 0:0 a/b']);
  });

  test.each(['.', './', '/', '', '../..', 'd/..'])('spelled %j is the root', async (pattern) => {
    expect(await copied({ f: '1' }, [pattern], '/')).toEqual(['file 0644 0:0 f "1"']);
  });

  test('keeps symlinks inside, also dangling ones', async () => {
    expect(await copied({ 'd/l': symlink('nowhere'), 'd/abs': symlink('/etc/passwd') }, ['d'], '/')).toEqual([
      'symlink 0777 0:0 abs -> /etc/passwd',
      'symlink 0777 0:0 l -> nowhere',
    ]);
  });

  test('onto an existing file fails', async () => {
    await expect(run(D, ['d'], '/x', { x: 'file' })).rejects.toEqual(error('COPY_FAILED', /"\/x" is a file/));
  });

  test('whose sub-folder meets a file or a symlink fails', async () => {
    await expect(run({ 'd/s/f': '1' }, ['d'], '/x', { 'x/s': 'file' })).rejects.toEqual(
      error('COPY_FAILED', /folder cannot be copied to "\/x\/s": a file is there/),
    );
    await expect(run({ 'd/s/f': '1' }, ['d'], '/x', { 'x/s': symlink('t'), 'x/t': dir() })).rejects.toEqual(
      error('COPY_FAILED', /a symbolic link is there/),
    );
  });

  test('whose file or symlink meets a folder fails', async () => {
    await expect(run({ 'd/f': '1' }, ['d'], '/x', { 'x/f/y': '2' })).rejects.toEqual(
      error('COPY_FAILED', /a file cannot be copied to "\/x\/f": a folder is there/),
    );
    await expect(run({ 'd/f': symlink('t') }, ['d'], '/x', { 'x/f/y': '2' })).rejects.toEqual(
      error('COPY_FAILED', /a symbolic link cannot be copied/),
    );
  });
});

describe('a file', () => {
  test('keeps its mode with setuid, its time and, between stages, its owner', async () => {
    const source = { f: file('1', { mode: 0o6755, uid: 7, gid: 8, mtimeNs: 123n }) };
    const { entries } = await run(source, ['f'], '/');
    expect(lines(entries)).toEqual(['file 6755 7:8 f "1"']);
    expect(entries[0]).toMatchObject({ meta: { mtimeNs: 123n } });
  });

  test.each<[string, TreeLiteral, string[]]>([
    ['/x', {}, ['file 0644 0:0 x "1"']],
    ['/x/', {}, ['dir 0755 0:0 x', 'file 0644 0:0 x/f "1"']],
    ['/x/.', {}, ['dir 0755 0:0 x', 'file 0644 0:0 x/f "1"']],
    ['/a/b', {}, ['dir 0755 0:0 a', 'file 0644 0:0 a/b "1"']],
    ['/', {}, ['file 0644 0:0 f "1"']],
    ['/x', { x: dir({ mode: 0o700 }) }, ['dir 0700 0:0 x', 'file 0644 0:0 x/f "1"']],
    ['/x', { x: 'old' }, ['file 0644 0:0 x "1"']],
    ['/a/../b', {}, ['file 0644 0:0 b "1"']],
    ['/../b', {}, ['file 0644 0:0 b "1"']],
  ])('to %s (row %#)', async (dest, into, wanted) => expect(await copied({ 'd/f': '1' }, ['d/f'], dest, into)).toEqual(wanted));

  test('carries existing folders above it, with their metadata', async () => {
    const into = { usr: dir({ mode: 0o751, uid: 1, gid: 2 }), 'usr/lib': dir() };
    expect(await copied({ f: '1' }, ['f'], '/usr/lib/x/')).toEqual([
      'dir 0755 0:0 usr',
      'dir 0755 0:0 usr/lib',
      'dir 0755 0:0 usr/lib/x',
      'file 0644 0:0 usr/lib/x/f "1"',
    ]);
    expect(await copied({ f: '1' }, ['f'], '/usr/lib/f', into)).toEqual([
      'dir 0751 1:2 usr',
      'dir 0755 0:0 usr/lib',
      'file 0644 0:0 usr/lib/f "1"',
    ]);
  });

  test('below a file fails', async () => {
    await expect(run({ f: '1' }, ['f'], '/x/y', { x: 'file' })).rejects.toEqual(
      error('COPY_FAILED', /"\/x" is a file, so nothing can be copied into it/),
    );
    await expect(run({ f: '1' }, ['f'], '/x/', { x: 'file' })).rejects.toEqual(error('COPY_FAILED', /"\/x" is a file/));
  });

  test('into a folder where its name is a folder fails', async () => {
    await expect(run({ f: '1' }, ['f'], '/x/', { 'x/f/y': '2' })).rejects.toEqual(error('COPY_FAILED', /a folder is there/));
  });

  test('replaces a symlink of its name in a folder', async () => {
    expect(await copied({ f: '1' }, ['f'], '/x/', { 'x/f': symlink('/etc/passwd'), 'etc/passwd': 'root' })).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/f "1"',
    ]);
  });

  test('with a name that is not UTF-8 keeps its bytes', async () => {
    const tree = memoryTree({});
    const odd: TreeEntry = file('1');
    const source = { lstat: (p: string) => (p === 'x\xff' ? odd : tree.lstat(p)), list: (p: string) => (p === '' ? ['x\xff'] : []) };
    const { entries } = await copyInputs([{ kind: 'tree', tree: source, pattern: 'x*', label: 'c' }], '/d/', {}, {});
    expect(entries.map((entry) => entry.path)).toEqual(['d', 'd/x\xff']);
  });
});

describe('symlinks on the way', () => {
  test('to the source are followed and the file keeps the name of the link', async () => {
    expect(await copied(D, ['d/link'], '/x/')).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/link "a"']);
    expect(await copied({ 'r/d/x': '1', abs: symlink('/r/d'), lx: symlink('/abs/x') }, ['abs', 'abs/x', 'lx'], '/o/')).toEqual([
      'dir 0755 0:0 o',
      'file 0644 0:0 o/lx "1"',
      'file 0644 0:0 o/x "1"',
    ]);
  });

  test('of the source cannot leave its root', async () => {
    expect(await copied({ l: symlink('../../../f'), f: '1' }, ['l'], '/x')).toEqual(['file 0644 0:0 x "1"']);
  });

  test('of dest lead to a folder', async () => {
    expect(await copied({ f: '1' }, ['f'], '/l/', { l: symlink('/real'), real: dir({ mode: 0o700 }) })).toEqual([
      'dir 0700 0:0 real',
      'file 0644 0:0 real/f "1"',
    ]);
    expect(await copied({ 'd/f': '1' }, ['d'], '/l', { l: symlink('/real'), real: dir({ mode: 0o700 }) })).toEqual([
      'dir 0700 0:0 real',
      'file 0644 0:0 real/f "1"',
    ]);
    expect(await copied({ f: '1' }, ['f'], '/etc/service/x', { 'etc/service': symlink('../srv/service'), srv: dir() })).toEqual([
      'dir 0755 0:0 srv',
      'dir 0755 0:0 srv/service',
      'file 0644 0:0 srv/service/x "1"',
    ]);
  });

  test('of dest lead to a file, which is written', async () => {
    expect(await copied({ f: '1' }, ['f'], '/l', { l: symlink('t/real'), 't/real': 'old' })).toEqual([
      'dir 0755 0:0 t',
      'file 0644 0:0 t/real "1"',
    ]);
  });

  test('of dest that lead nowhere are completed inside the root', async () => {
    expect(await copied({ f: '1' }, ['f'], '/l', { l: symlink('../../gone/x') })).toEqual([
      'dir 0755 0:0 gone',
      'file 0644 0:0 gone/x "1"',
    ]);
  });

  test('in a circle fail', async () => {
    await expect(run({ f: '1' }, ['f'], '/a/x', { a: symlink('b'), b: symlink('a') })).rejects.toEqual(
      error('COPY_FAILED', /too many symbolic links/),
    );
  });

  test('with --link are replaced by folders, and nothing of the stage is looked at', async () => {
    const into = { l: symlink('/real'), real: dir(), tmp: dir({ mode: 0o1777 }), x: 'file' };
    expect(await copied({ f: '1' }, ['f'], '/l/', into, { link: true })).toEqual(['dir 0755 0:0 l', 'file 0644 0:0 l/f "1"']);
    expect(await copied({ f: '1' }, ['f'], '/tmp/', into, { link: true })).toEqual(['dir 0755 0:0 tmp', 'file 0644 0:0 tmp/f "1"']);
    expect(await copied({ f: '1' }, ['f'], '/x/', into, { link: true })).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/f "1"']);
  });
});

describe('a source', () => {
  test('with dots that lead above the root stops at the root', async () => {
    expect(await copied({ f: '1', 'd/g': '2' }, ['../f', '/../../d', 'd/../../f'], '/x/')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/f "1"',
      'file 0644 0:0 x/g "2"',
    ]);
  });

  test('that is a file goes into dest when that is a folder or ends with a slash, else becomes dest', async () => {
    expect(await copied({ f: '1' }, ['f'], '/x', { x: dir({ mode: 0o711 }) })).toEqual(['dir 0711 0:0 x', 'file 0644 0:0 x/f "1"']);
    expect(await copied({ f: '1' }, ['f'], '/a/x/')).toEqual(['dir 0755 0:0 a', 'dir 0755 0:0 a/x', 'file 0644 0:0 a/x/f "1"']);
    expect(await copied({ f: '1' }, ['f'], '/a/x')).toEqual(['dir 0755 0:0 a', 'file 0644 0:0 a/x "1"']);
  });
});

describe('a source that is missing', () => {
  test.each<[string, RegExp, RegExp | undefined]>([
    ['top.tx', /^"top\.tx" is not in the context$/, /did you mean "top\.txt"\?/],
    ['d/sub/C.txt', /"d\/sub\/C\.txt" is not in/, /"d\/sub\/c\.txt"/],
    ['nosuch/x', /"nosuch\/x"/, /"nosuch" does not exist there either/],
    ['top.txt/x', /"top\.txt\/x"/, /"top\.txt" is not a folder/],
    ['zzz', /"zzz"/, undefined],
  ])('%s', async (source, message, hint) => {
    const failure = await run(D, [source], '/x').catch((e: unknown) => e);
    expect(failure).toEqual(error('COPY_SOURCE_NOT_FOUND', message));
    const said = (failure as { hint?: string }).hint;
    if (hint === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(hint);
  });

  test('below a symbolic link that leads out names the link', async () => {
    await expect(run({ out: symlink('/etc') }, ['out/passwd'], '/x')).rejects.toEqual(
      error('COPY_SOURCE_NOT_FOUND', /^"out\/passwd" is not in/, /^"out" is a symbolic link to "\/etc", which is not there$/),
    );
  });

  test('because .dockerignore hides it says which line', async () => {
    await expect(run({}, ['./a/b'], '/x', {}, { hidden: { 'a/b': 3 } })).rejects.toEqual(
      error('COPY_SOURCE_NOT_FOUND', /^"a\/b" is excluded by \.dockerignore:3 \(\*\)$/, /!a\/b/),
    );
  });

  test('behind a dangling link says where the link leads', async () => {
    await expect(run({ l: symlink('nowhere') }, ['l'], '/x')).rejects.toEqual(
      error('COPY_SOURCE_NOT_FOUND', /"l" is a symbolic link to "nowhere"/),
    );
  });

  test('is an error even when other sources exist', async () => {
    await expect(run(D, ['top.txt', 'nope'], '/x/')).rejects.toEqual(error('COPY_SOURCE_NOT_FOUND', /"nope"/));
  });
});

describe('wildcards', () => {
  test.each<[string, string[]]>([
    ['d/*.txt', ['a.txt']],
    ['d/**', ['.hidden', 'a.txt', 'c.txt', 'deep', 'deep/e.txt', 'link']],
    ['*/sub', ['c.txt', 'deep', 'deep/e.txt']],
    ['d/*/c.txt', ['c.txt']],
    ['d/.h*', ['.hidden']],
    ['d/[^a.]*', ['c.txt', 'deep', 'deep/e.txt', 'link']],
    ['*', ['.hidden', 'a.txt', 'link', 'sub', 'sub/c.txt', 'sub/deep', 'sub/deep/e.txt', 'top.txt']],
    ['/d/../d/a*', ['a.txt']],
    ['*.md', []],
  ])('%s', async (pattern, names) => {
    const { entries } = await run(D, [pattern], '/x/');
    expect(entries.map((entry) => entry.path)).toEqual(names.length === 0 ? [] : ['x', ...names.map((name) => `x/${name}`)]);
  });

  test('that match nothing copy nothing and are warned about', async () => {
    const { entries, warnings } = await run(D, ['*.md', 'top.txt'], '/x/');
    expect(lines(entries)).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/top.txt "top"']);
    expect(warnings).toEqual(['"*.md" matches nothing in the context: nothing is copied for it']);
  });

  test('do not cross folders, match leading dots, and take [!x] and {x} as they are written', async () => {
    const names = { '.h': '1', 'a/b': '2', '!c': '3', '{x}1': '4', x1: '5', d: '6' };
    const paths = async (pattern: string) => (await run(names, [pattern], '/o/')).entries.map((entry) => entry.path.slice(2)).slice(1);
    expect(await paths('?h')).toEqual(['.h']);
    expect(await paths('a*b')).toEqual([]);
    expect(await paths('[!d]*')).toEqual(['!c', 'd']);
    expect(await paths('{x}*')).toEqual(['{x}1']);
  });

  test('flatten the folders that they match', async () => {
    expect(await copied({ 'd/a/f': '1', 'd/b/f': '2', 'd/b/g': '3' }, ['d/*'], '/x/')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/f "2"',
      'file 0644 0:0 x/g "3"',
    ]);
  });

  test('that are malformed fail', async () => {
    await expect(run(D, ['d/[a'], '/x')).rejects.toEqual(error('COPY_FAILED', /"d\/\[a" is a malformed wildcard/));
  });

  test('look into a symlinked folder only before the first wildcard', async () => {
    expect(await copied({ 'r/x': '1', l: symlink('r') }, ['l/*'], '/o/')).toEqual(['dir 0755 0:0 o', 'file 0644 0:0 o/x "1"']);
    expect(await copied({ 'r/x': '1', l: symlink('r') }, ['[l]/x'], '/o/')).toEqual([]);
  });

  test('dereference what they match', async () => {
    expect(await copied({ 'r/x': '1', l: symlink('r'), m: symlink('r/x') }, ['[lm]'], '/o/')).toEqual([
      'dir 0755 0:0 o',
      'file 0644 0:0 o/m "1"',
      'file 0644 0:0 o/x "1"',
    ]);
    await expect(run({ l: symlink('gone') }, ['l*'], '/o/')).rejects.toEqual(error('COPY_SOURCE_NOT_FOUND', /"l" is a symbolic link/));
  });

  test('a class may cross folders, as in Go', async () => {
    expect(await copied({ 'a/c': '1' }, ['a[^b]c'], '/o/')).toEqual(['dir 0755 0:0 o', 'file 0644 0:0 o/c "1"']);
  });

  test('are escaped by a backslash or a class, unless a name has that backslash', async () => {
    const names = { 'a*b': '1', axb: '2', 'x\\y': '3', '[z]': '4' };
    expect(await copied(names, ['a\\*b'], '/o')).toEqual(['file 0644 0:0 o "1"']);
    expect(await copied(names, ['x\\y'], '/o')).toEqual(['file 0644 0:0 o "3"']);
    expect(await copied(names, ['[[]z]'], '/o')).toEqual(['file 0644 0:0 o "4"']);
  });
});

describe('several sources', () => {
  test('to one file name fail instead of leaving the last one', async () => {
    const names = { a: '1', b: '2' };
    await expect(run(names, ['a', 'b'], '/x')).rejects.toEqual(
      error('COPY_FAILED', /several files would be copied to the one file "\/x"/, /"\/x\/"/),
    );
    await expect(run(names, ['?'], '/x')).rejects.toEqual(error('COPY_FAILED', /several files/));
    await expect(run(names, ['a', 'b'], '/x', { x: 'old' })).rejects.toEqual(error('COPY_FAILED', /several files/));
  });

  test('to one name are fine when it is a folder or only one of them is there', async () => {
    expect(await copied({ a: '1', b: '2' }, ['a', 'b'], '/x', { x: dir() })).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/a "1"',
      'file 0644 0:0 x/b "2"',
    ]);
    expect(await copied({ a: '1' }, ['z*', 'a'], '/x')).toEqual(['file 0644 0:0 x "1"']);
  });

  test('that are folders are merged, the last one wins', async () => {
    expect(await copied({ 'a/f': '1', 'a/g': '2', 'b/f': '3' }, ['a', 'b'], '/x')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/f "3"',
      'file 0644 0:0 x/g "2"',
    ]);
  });
});

describe('hard links', () => {
  const twins = { 'o/a': file('1', {}, 'k'), 'o/b': file('1', {}, 'k'), 'o/d/c': file('1', {}, 'k') };

  test('are kept within one folder', async () => {
    expect(await copied(twins, ['o'], '/x')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/a "1"',
      'hardlink 0644 0:0 x/b -> x/a',
      'dir 0755 0:0 x/d',
      'hardlink 0644 0:0 x/d/c -> x/a',
    ]);
  });

  test('are lost between sources and between wildcard matches', async () => {
    expect(await copied(twins, ['o/a', 'o/b'], '/p/')).toEqual(['dir 0755 0:0 p', 'file 0644 0:0 p/a "1"', 'file 0644 0:0 p/b "1"']);
    expect(await copied(twins, ['o/[ab]'], '/p/')).toEqual(['dir 0755 0:0 p', 'file 0644 0:0 p/a "1"', 'file 0644 0:0 p/b "1"']);
  });

  test('survive when a later source overwrites the first name', async () => {
    expect(await copied({ ...twins, 'n/a': 'new' }, ['o', 'n'], '/x')).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/a "new"',
      'file 0644 0:0 x/b "1"',
      'dir 0755 0:0 x/d',
      'hardlink 0644 0:0 x/d/c -> x/b',
    ]);
  });
});

describe('special files', () => {
  test('of a context are left out of a folder with a warning and refused by name', async () => {
    const source = { 'd/p': fifo(), 'd/n': device('char', 1, 3), 'd/f': '1' };
    const { entries, warnings } = await run(source, ['d'], '/x');
    expect(lines(entries)).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/f "1"']);
    expect(warnings).toEqual([
      '"d/n" of the context is a char device and is not copied',
      '"d/p" of the context is a fifo and is not copied',
    ]);
    await expect(run(source, ['d/p'], '/x')).rejects.toEqual(error('COPY_FAILED', /"d\/p" is a fifo/));
  });

  test('of another stage are copied', async () => {
    const source = { 's/p': fifo(), 's/n': device('char', 1, 3), 's/b': device('block', 7, 99) };
    expect(await copied(source, ['s'], '/x', {}, { xattrs: 'keep' })).toEqual([
      'dir 0755 0:0 x',
      'block 0644 0:0 x/b 7,99',
      'char 0644 0:0 x/n 1,3',
      'fifo 0644 0:0 x/p',
    ]);
  });
});

test('xattrs are kept between stages and dropped from a context', async () => {
  const xattrs = new Map([['security.capability', Buffer.from([1, 0xff])]]);
  const source = { 'd/f': file('1', { xattrs }) };
  const kept = await run(source, ['d'], '/x', {}, { xattrs: 'keep', owner: { uid: 1, gid: 1 } });
  expect(kept.entries[1]).toMatchObject({ path: 'x/f', meta: { xattrs } });
  expect((await run(source, ['d'], '/x')).entries[1]).not.toHaveProperty('meta.xattrs');
});

describe('--chown', () => {
  test('reaches every copied thing and every folder that is made, but no existing one', async () => {
    const owner = { uid: 55, gid: 66 };
    expect(await copied({ 'd/l': symlink('x'), 'd/s/f': '1' }, ['d'], '/ex/a/b', { ex: dir({ uid: 3, gid: 3 }) }, { owner })).toEqual([
      'dir 0755 3:3 ex',
      'dir 0755 55:66 ex/a',
      'dir 0755 55:66 ex/a/b',
      'symlink 0777 55:66 ex/a/b/l -> x',
      'dir 0755 55:66 ex/a/b/s',
      'file 0644 55:66 ex/a/b/s/f "1"',
    ]);
  });
});

describe('--chmod', () => {
  test('octal reaches files, folders and made folders, these without the special bits; symlinks keep theirs', async () => {
    const mode = modeChange({ kind: 'octal', mode: 0o4701 });
    expect(await copied({ 'd/l': symlink('x'), 'd/s/f': '1' }, ['d'], '/a/b', {}, { mode })).toEqual([
      'dir 0701 0:0 a',
      'dir 0701 0:0 a/b',
      'symlink 0777 0:0 a/b/l -> x',
      'dir 4701 0:0 a/b/s',
      'file 4701 0:0 a/b/s/f "1"',
    ]);
  });

  test('symbolic reaches only what is copied', async () => {
    const mode = modeChange({ kind: 'symbolic', text: 'u+rw,g+r,o-x,o+w' });
    expect(await copied({ 'x/dir': dir({ mode: 0o124 }) }, ['x'], '/o', {}, { mode })).toEqual(['dir 0755 0:0 o', 'dir 0766 0:0 o/dir']);
  });

  test('leaves existing folders alone', async () => {
    const mode = modeChange({ kind: 'octal', mode: 0o600 });
    expect(await copied({ f: '1' }, ['f'], '/x/', { x: dir({ mode: 0o750 }) }, { mode })).toEqual([
      'dir 0750 0:0 x',
      'file 0600 0:0 x/f "1"',
    ]);
  });
});

describe('--exclude', () => {
  test('patterns begin at each copied folder', async () => {
    expect(await copied(D, ['d'], '/x', {}, { exclude: ['*.txt', 'sub/deep'] })).toEqual([
      'dir 0755 0:0 x',
      'file 0644 0:0 x/.hidden "h"',
      'symlink 0777 0:0 x/link -> a.txt',
      'dir 0755 0:0 x/sub',
      'file 0644 0:0 x/sub/c.txt "c"',
    ]);
    expect((await run(D, ['.'], '/x', {}, { exclude: ['**/*.txt'] })).entries.map((e) => e.path)).toEqual([
      'x',
      'x/d',
      'x/d/.hidden',
      'x/d/link',
      'x/d/sub',
      'x/d/sub/deep',
    ]);
  });

  test('takes back with an exclamation mark, and makes the folders above', async () => {
    const source = { 'd/s': dir({ mode: 0o710 }), 'd/s/a': '1', 'd/s/b': '2', 'd/t/c': '3' };
    expect(await copied(source, ['d'], '/x', {}, { exclude: ['*', '!s/b'] })).toEqual([
      'dir 0755 0:0 x',
      'dir 0710 0:0 x/s',
      'file 0644 0:0 x/s/b "2"',
    ]);
  });

  test('holds for files that a wildcard matches', async () => {
    expect(await copied({ 'home.txt': '1', 'home.md': '2' }, ['hom*'], '/m/', {}, { exclude: ['*.txt'] })).toEqual([
      'dir 0755 0:0 m',
      'file 0644 0:0 m/home.md "2"',
    ]);
  });

  test('does not leave out a file that is named as a source itself', async () => {
    expect(await copied({ 'home.txt': '1' }, ['home.txt'], '/m/', {}, { exclude: ['*.txt'] })).toEqual([
      'dir 0755 0:0 m',
      'file 0644 0:0 m/home.txt "1"',
    ]);
  });

  test('of everything still makes the folder for a folder', async () => {
    expect(await copied({ 'd1/f': '1', 'd2/f': '2' }, ['d*'], '/6', {}, { exclude: ['*'] })).toEqual(['dir 0755 0:0 6']);
  });

  test('that is malformed fails', async () => {
    await expect(run(D, ['d'], '/x', {}, { exclude: ['[a'] })).rejects.toEqual(error('DOCKERIGNORE_SYNTAX', /--exclude/));
  });
});

describe('--parents', () => {
  const source: TreeLiteral = {
    ...D,
    src: dir({ mode: 0o700 }),
    'src/d': dir({ uid: 3, gid: 4 }),
    'src/d/f.txt': '1',
    'src/d/g.md': '2',
    'src/e/f.txt': '3',
  };

  test.each<[string, string[]]>([
    ['src/d/f.txt', ['dir 0755 0:0 x', 'dir 0700 0:0 x/src', 'dir 0755 3:4 x/src/d', 'file 0644 0:0 x/src/d/f.txt "1"']],
    ['/src/./d/f.txt', ['dir 0755 0:0 x', 'dir 0755 3:4 x/d', 'file 0644 0:0 x/d/f.txt "1"']],
    ['./src/./d', ['dir 0755 0:0 x', 'dir 0755 3:4 x/d', 'file 0644 0:0 x/d/f.txt "1"', 'file 0644 0:0 x/d/g.md "2"']],
    [
      'src/*/*.txt',
      [
        'dir 0755 0:0 x',
        'dir 0700 0:0 x/src',
        'dir 0755 3:4 x/src/d',
        'file 0644 0:0 x/src/d/f.txt "1"',
        'dir 0755 0:0 x/src/e',
        'file 0644 0:0 x/src/e/f.txt "3"',
      ],
    ],
    [
      's*/./**/f.txt',
      ['dir 0755 0:0 x', 'dir 0755 3:4 x/d', 'file 0644 0:0 x/d/f.txt "1"', 'dir 0755 0:0 x/e', 'file 0644 0:0 x/e/f.txt "3"'],
    ],
    [
      'src/d/.',
      ['dir 0755 0:0 x', 'dir 0700 0:0 x/src', 'dir 0755 3:4 x/src/d', 'file 0644 0:0 x/src/d/f.txt "1"', 'file 0644 0:0 x/src/d/g.md "2"'],
    ],
    ['d/link', ['dir 0755 0:0 x', 'dir 0755 0:0 x/d', 'symlink 0777 0:0 x/d/link -> a.txt']],
  ])('%s', async (pattern, wanted) => expect(await copied(source, [pattern], '/x/', {}, { parents: true })).toEqual(wanted));

  test('of the whole root copies everything', async () => {
    expect((await run(D, ['.'], '/x', {}, { parents: true })).entries).toHaveLength((await run(D, ['.'], '/x')).entries.length);
  });

  test('finds nothing behind a symlinked folder', async () => {
    await expect(run({ 'r/f': '1', l: symlink('r') }, ['l/f'], '/x/', {}, { parents: true })).rejects.toEqual(
      error('COPY_SOURCE_NOT_FOUND', /"l\/f"/),
    );
  });

  test('names what is missing, and only warns about wildcards', async () => {
    await expect(run(source, ['src/nope'], '/x/', {}, { parents: true })).rejects.toEqual(
      error('COPY_SOURCE_NOT_FOUND', /"src\/nope" is not in the context/),
    );
    const { entries, warnings } = await run(source, ['src/./z*'], '/x/', {}, { parents: true });
    expect(lines(entries)).toEqual(['dir 0755 0:0 x']);
    expect(warnings).toHaveLength(1);
  });

  test('excludes by the kept path', async () => {
    const names = { 'd/a.txt': '1', 'd/b.md': '2' };
    const both = await run(names, ['d/a.txt', 'd/b.md'], '/2/', {}, { parents: true, exclude: ['*.md'] });
    expect(both.entries.map((e) => e.path)).toEqual(['2', '2/d', '2/d/a.txt', '2/d/b.md']);
    const one = await run(names, ['d'], '/2/', {}, { parents: true, exclude: ['**/*.md'] });
    expect(one.entries.map((e) => e.path)).toEqual(['2', '2/d', '2/d/a.txt']);
  });

  test('takes --chmod and --chown for the folders too', async () => {
    const options = { parents: true, mode: modeChange({ kind: 'octal', mode: 0o600 }), owner: { uid: 1, gid: 2 } } as const;
    expect(await copied(source, ['src/d/f.txt'], '/3/', {}, options)).toEqual([
      'dir 0600 1:2 3',
      'dir 0600 1:2 3/src',
      'dir 0600 1:2 3/src/d',
      'file 0600 1:2 3/src/d/f.txt "1"',
    ]);
  });

  test('keeps owner and time of a folder that exists', async () => {
    const { entries } = await run(
      source,
      ['src/d/f.txt'],
      '/',
      { src: dir({ mode: 0o755, uid: 9, gid: 9, mtimeNs: 44n }) },
      { parents: true },
    );
    expect(entries[0]).toMatchObject({ path: 'src', meta: { mode: 0o700, uid: 9, mtimeNs: 44n } });
  });
});

describe('one file from nowhere', () => {
  const input = (name: string, text = 'x'): CopyInput => {
    const bytes = Buffer.from(text);
    return { kind: 'file', name, content: { at: 'memory', bytes }, size: bytes.length, mode: 0o644, mtimeNs: 7n };
  };

  test('is named by dest or, in a folder, by itself', async () => {
    expect(lines((await copyInputs([input('EOF')], '/a/b', {}, {})).entries)).toEqual(['dir 0755 0:0 a', 'file 0644 0:0 a/b "x"']);
    expect(lines((await copyInputs([input('F1'), input('F2')], '/hd/', {}, {})).entries)).toEqual([
      'dir 0755 0:0 hd',
      'file 0644 0:0 hd/F1 "x"',
      'file 0644 0:0 hd/F2 "x"',
    ]);
    await expect(copyInputs([input('F1'), input('F2')], '/hd', {}, {})).rejects.toEqual(error('COPY_FAILED', /several files/));
  });

  test('takes --chown and --chmod', async () => {
    const options = { owner: { uid: 1, gid: 2 }, mode: modeChange({ kind: 'symbolic', text: '+x' }) };
    expect(lines((await copyInputs([input('E')], '/e', {}, options)).entries)).toEqual(['file 0755 1:2 e "x"']);
  });
});

test('entries are in byte order, parents before children, each path once', async () => {
  const names = { 'a-b': '1', 'a/z': '2', 'a.b': '3', é: '4', B: '5', 'a/b/c': '6' };
  const { entries } = await run(names, ['.', 'a', 'a'], '/');
  const paths = entries.map((entry) => entry.path);
  expect(paths).toEqual([...new Set(paths)].sort());
});

test('an abort ends the copy with its reason', async () => {
  await expect(run(D, ['d'], '/x', {}, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
});
