/** What must change the digest of a COPY's sources, and what must not: one sentence each. */
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes/byte-path.ts';
import { ignoredTree } from '../../../src/context/ignored-tree.ts';
import type { CopyInput } from '../../../src/copy/copy.ts';
import { type DigestOf, type DigestRequest, sourceDigest, treeDigest } from '../../../src/copy/source-digest.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { digestOf as digestOfBytes } from '../../../src/image/digest.ts';
import { parseIgnoreFile } from '../../../src/patterns/ignore-patterns.ts';
import { device, dir, fifo, file, memoryTree, symlink, type TreeLiteral } from '../../helpers/memory-tree.ts';

const inMemory: DigestOf = (content) => {
  if (content.at !== 'memory') throw new Error('these trees are in memory');
  return digestOfBytes(content.bytes);
};

/** Sources as COPY names them, and what the context holds. */
interface Copied extends Partial<Omit<DigestRequest, 'inputs' | 'signal'>> {
  readonly sources?: readonly string[];
  readonly files?: TreeLiteral;
  readonly ignore?: readonly string[];
  readonly loose?: Partial<Extract<CopyInput, { kind: 'file' }>> & { readonly text?: string };
}

async function digest({ sources = ['.'], files = {}, ignore = [], loose, ...rest }: Copied): Promise<string | null> {
  const tree = ignoredTree(memoryTree(files), parseIgnoreFile(Buffer.from(ignore.join('\n')), '.dockerignore'));
  const inputs: CopyInput[] = sources.map((pattern) => ({ kind: 'tree', tree, pattern, label: 'the context' }));
  if (loose !== undefined) {
    const bytes = Buffer.from(loose.text ?? 'text');
    const content = { at: 'memory', bytes } as const;
    inputs.push({ kind: 'file', name: 'name', content, size: bytes.length, mode: 0o644, mtimeNs: 1n, ...loose });
  }
  const signal = new AbortController().signal;
  return sourceDigest({ inputs, exclude: [], parents: false, xattrs: 'drop', signal, ...rest }, inMemory);
}

const D: TreeLiteral = { 'd/a': 'one', 'd/s/b': file('two', { mode: 0o755 }), 'd/l': symlink('a'), 'd/e': dir(), x: 'other' };
const SHARED: TreeLiteral = { 'd/a': file('one', {}, 'k'), 'd/b': file('one', {}, 'k') };
const xattrs = (value: string) => new Map([['user.x', Buffer.from(value)]]);

describe('another digest', () => {
  test.each<[string, Copied, Copied]>([
    ['other bytes of the same size', { files: D }, { files: { ...D, 'd/a': 'eno' } }],
    ['a longer file', { files: D }, { files: { ...D, 'd/a': 'one!' } }],
    ['an empty file', { files: D }, { files: { ...D, 'd/a': '' } }],
    ['a file less', { files: D }, { files: { 'd/s/b': 'two' } }],
    ['a file more', { files: D }, { files: { ...D, 'd/z': '' } }],
    ['an empty folder more', { files: D }, { files: { ...D, 'd/f': dir() } }],
    ['a renamed file', { files: { 'd/a': '1' } }, { files: { 'd/b': '1' } }],
    ['a renamed folder', { files: { 'd/s/a': '1' } }, { files: { 'd/t/a': '1' } }],
    ['two files that swap their names', { files: { 'd/a': '1', 'd/b': '2' } }, { files: { 'd/a': '2', 'd/b': '1' } }],
    ['a file that moves up', { files: { 'd/s/a': '1', 'd/b': '' } }, { files: { 'd/a': '1', 'd/s': dir(), 'd/b': '' } }],
    ['a byte that moves from the name to the content', { files: { ab: 'c' } }, { files: { a: 'bc' } }],
    ['content that moves to the next file', { files: { a: '12', b: '3' } }, { files: { a: '1', b: '23' } }],
    ['a name in other bytes', { files: { '\u00e9': '' } }, { files: { 'e\u0301': '' } }],
    ['a mode bit', { files: D }, { files: { ...D, 'd/a': file('one', { mode: 0o645 }) } }],
    ['setuid', { files: D }, { files: { ...D, 'd/a': file('one', { mode: 0o4644 }) } }],
    ['the mode of a folder', { files: D }, { files: { ...D, 'd/e': dir({ mode: 0o700 }) } }],
    ['the sticky bit of a folder', { files: D }, { files: { ...D, 'd/e': dir({ mode: 0o1755 }) } }],
    ['an owner', { files: D }, { files: { ...D, 'd/a': file('one', { uid: 1 }) } }],
    ['a group', { files: D }, { files: { ...D, 'd/a': file('one', { gid: 1 }) } }],
    ['the owner of a folder', { files: D }, { files: { ...D, 'd/e': dir({ uid: 1 }) } }],
    ['the owner of a symlink', { files: D }, { files: { ...D, 'd/l': symlink('a', { uid: 1 }) } }],
    ['the target of a symlink', { files: D }, { files: { ...D, 'd/l': symlink('s') } }],
    ['a symlink that becomes what it leads to', { files: D }, { files: { ...D, 'd/l': 'one' } }],
    ['a file that becomes a folder', { files: D }, { files: { ...D, 'd/a': dir() } }],
    ['a file that becomes a symlink to its own text', { files: { a: 'b' } }, { files: { a: symlink('b') } }],
    ['the source itself becoming a folder', { sources: ['a'], files: { a: '' } }, { sources: ['a'], files: { a: dir() } }],
    [
      'the source named a folder of one file instead of the file',
      { sources: ['s'], files: { 's/a': '' } },
      { sources: ['s/a'], files: { 's/a': '' } },
    ],
    ['a copy that becomes a hard link', { files: { ...SHARED, 'd/b': file('one') } }, { files: SHARED }],
    [
      'other files being one',
      { files: { ...SHARED, 'd/c': file('one') } },
      { files: { ...SHARED, 'd/b': file('one'), 'd/c': file('one', {}, 'k') } },
    ],
    ['two pairs that swap partners', pairs('k', 'k', 'm', 'm'), pairs('k', 'm', 'k', 'm')],
    ['a source by another name', { sources: ['a'], files: { a: '', b: '' } }, { sources: ['b'], files: { a: '', b: '' } }],
    ['sources in another order', { sources: ['a', 'b'], files: { a: '', b: '' } }, { sources: ['b', 'a'], files: { a: '', b: '' } }],
    ['one source more', { sources: ['a'], files: { a: '', b: '' } }, { sources: ['a', 'b'], files: { a: '', b: '' } }],
    ['the same source twice, of which a file is linked', { sources: ['d'], files: SHARED }, { sources: ['d', 'd'], files: SHARED }],
    [
      'a wildcard that takes one file more',
      { sources: ['*.js'], files: { 'a.js': '' } },
      { sources: ['*.js'], files: { 'a.js': '', 'b.js': '' } },
    ],
    ['a wildcard that takes a folder instead of a file', { sources: ['a*'], files: { 'a/f': '' } }, { sources: ['a*'], files: { a: '' } }],
    ['a link whose target has other bytes', linked('1'), linked('2')],
    ['a link that leads to a folder instead of a file', linked('1'), { sources: ['l'], files: { l: symlink('t'), 't/u': '1' } }],
    ['a file in a folder that a link leads to', inLinked('1'), inLinked('2')],
    ['a line in .dockerignore that hides something', { files: D }, { files: D, ignore: ['d/a'] }],
    ['a line in .dockerignore that takes something back', { files: D, ignore: ['d/*'] }, { files: D, ignore: ['d/*', '!d/a'] }],
    ['an --exclude that hides something', { files: D, sources: ['d'] }, { files: D, sources: ['d'], exclude: ['a'] }],
    ['a matched file that --exclude takes away', { files: D, sources: ['x*'] }, { files: D, sources: ['x*'], exclude: ['x'] }],
    ['--parents, which keeps the folder above', { sources: ['d/a'], files: D }, { sources: ['d/a'], files: D, parents: true }],
    ['the mode of a folder that --parents copies on the way', onTheWay(0o755), onTheWay(0o700)],
    ['another pivot of --parents', { sources: ['d/s/b'], files: D, parents: true }, { sources: ['d/./s/b'], files: D, parents: true }],
    ['an attribute that is kept', withXattr('1', 'keep'), withXattr('2', 'keep')],
    ['an attribute that goes', withXattr('1', 'keep'), { files: { a: '' }, xattrs: 'keep' }],
    ['a device of a stage', { files: { n: device('char', 1, 3) }, xattrs: 'keep' }, { files: { n: device('char', 1, 5) }, xattrs: 'keep' }],
    [
      'a block device in place of a character one',
      { files: { n: device('char', 1, 3) }, xattrs: 'keep' },
      { files: { n: device('block', 1, 3) }, xattrs: 'keep' },
    ],
    ['a fifo of a stage', { files: { a: '' }, xattrs: 'keep' }, { files: { a: '', p: fifo() }, xattrs: 'keep' }],
    ['the body of a heredoc', { loose: { text: 'a' } }, { loose: { text: 'b' } }],
    ['the name of a heredoc', { loose: { name: 'a' } }, { loose: { name: 'b' } }],
    ['the mode of a download', { loose: { mode: 0o600 } }, { loose: { mode: 0o644 } }],
    ['a heredoc in place of a file of the context', { sources: ['name'], files: { name: 'text' } }, { sources: [], loose: {} }],
  ])('for %s', async (_, before, after) => {
    const [was, is] = await Promise.all([digest(before), digest(after)]);
    expect(was).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(is).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(is).not.toBe(was);
  });
});

describe('the same digest', () => {
  const SINGLE: Copied = { sources: ['x'], files: D };
  test.each<[string, Copied, Copied]>([
    ['the same again', { files: D }, { files: D }],
    ['the time of a file', { files: D }, { files: { ...D, 'd/a': file('one', { mtimeNs: 2n }) } }],
    ['the time of a folder', { files: D }, { files: { ...D, 'd/e': dir({ mtimeNs: 2n }) } }],
    ['the time of a heredoc', { loose: {} }, { loose: { mtimeNs: 2n } }],
    ['a file beside the source', SINGLE, { ...SINGLE, files: { ...D, y: '' } }],
    ['a file above a folder that is the source', { sources: ['d'], files: D }, { sources: ['d'], files: { ...D, x: 'changed' } }],
    [
      'the mode of the folder that is the source',
      { sources: ['d'], files: D },
      { sources: ['d'], files: { ...D, d: dir({ mode: 0o700 }) } },
    ],
    ['the name of a folder whose content is copied', { sources: ['d'], files: { 'd/a': '' } }, { sources: ['e'], files: { 'e/a': '' } }],
    ['another spelling of the source', { sources: ['d/a'], files: D }, { sources: ['/d//./a'], files: D }],
    [
      'a link that leads elsewhere, to the same',
      { sources: ['l'], files: { l: symlink('a'), a: '1', b: '1' } },
      { sources: ['l'], files: { l: symlink('b'), a: '1', b: '1' } },
    ],
    ['a change of what .dockerignore hides', { files: { ...D, n: '1' }, ignore: ['n'] }, { files: { ...D, n: '2' }, ignore: ['n'] }],
    ['a change of what --exclude hides', { files: { ...D, n: '1' }, exclude: ['n'] }, { files: { ...D, n: '2' }, exclude: ['n'] }],
    ['a line in .dockerignore that hides nothing', { files: D }, { files: D, ignore: ['nothing*'] }],
    ['a comment in .dockerignore', { files: D, ignore: ['x'] }, { files: D, ignore: ['# why', 'x'] }],
    ['an attribute that is dropped', withXattr('1', 'drop'), withXattr('2', 'drop')],
    ['a device of the context', { files: { a: '' } }, { files: { a: '', n: device('char', 1, 3) } }],
    ['other names for what files share', { files: SHARED }, { files: { 'd/a': file('one', {}, 'm'), 'd/b': file('one', {}, 'm') } }],
    [
      'a file whose other names are not copied',
      { sources: ['d'], files: { 'd/a': 'one' } },
      { sources: ['d'], files: { 'd/a': file('one', {}, 'k'), b: file('one', {}, 'k') } },
    ],
  ])('for %s', async (_, before, after) => {
    const [was, is] = await Promise.all([digest(before), digest(after)]);
    expect(was).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(is).toBe(was);
  });
});

describe('no digest', () => {
  test.each<[string, Copied]>([
    ['a source that is not there', { sources: ['nope'], files: D }],
    ['a source that is hidden', { sources: ['x'], files: D, ignore: ['x'] }],
    ['a wildcard that matches a link to nothing', { sources: ['l*'], files: { l: symlink('nope') } }],
    ['a malformed wildcard', { sources: ['[a'], files: D }],
    ['a malformed --exclude', { files: D, exclude: ['!'] }],
    ['a fifo of the context that is named', { sources: ['p'], files: { p: fifo() } }],
    ['a missing source of --parents', { sources: ['d/nope'], files: D, parents: true }],
    ['links in a circle', { sources: ['l'], files: { l: symlink('m'), m: symlink('l') } }],
  ])('for %s', async (_, copied) => expect(await digest(copied)).toBeNull());

  test('for a file that cannot be read', async () => {
    const request: DigestRequest = {
      inputs: [{ kind: 'tree', tree: memoryTree(D), pattern: 'd', label: 'the context' }],
      exclude: [],
      parents: false,
      xattrs: 'drop',
      signal: new AbortController().signal,
    };
    expect(await sourceDigest(request, () => Promise.reject(new TsbuildError('COPY_FAILED', 'gone')))).toBeNull();
    await expect(sourceDigest(request, () => Promise.reject(new Error('a fault of ours')))).rejects.toThrow('a fault of ours');
  });

  test('but the reason of the signal when the build is stopped meanwhile', async () => {
    const stop = new AbortController();
    const tree = memoryTree(D);
    const how = { xattrs: 'drop', signal: stop.signal } as const;
    const stopping: DigestOf = () => {
      stop.abort(new TsbuildError('COPY_FAILED', 'stopped'));
      throw new TsbuildError('COPY_FAILED', 'unreadable');
    };
    await expect(treeDigest(tree, 'd', how, stopping)).rejects.toThrow('stopped');
  });
});

describe('the digest of a folder that is mounted', () => {
  const of = (files: TreeLiteral, path = 'd', xattr: 'keep' | 'drop' = 'keep') =>
    treeDigest(memoryTree(files), bytesOf(path), { xattrs: xattr, signal: new AbortController().signal }, inMemory);
  test.each<[string, TreeLiteral]>([
    ['content', { ...D, 'd/a': 'eno' }],
    ['the mode of the folder itself', { ...D, d: dir({ mode: 0o700 }) }],
    ['a file deep inside', { ...D, 'd/s/b': file('owt', { mode: 0o755 }) }],
    ['an empty folder', { ...D, 'd/f': dir() }],
    ['hard links', { ...D, 'd/m': file('', {}, 'k'), 'd/n': file('', {}, 'k') }],
    ['being a file', { d: 'one' }],
  ])('changes with %s', async (_, files) => expect(await of(files)).not.toBe(await of(D)));

  test('tells hard links from copies', async () => {
    expect(await of(SHARED)).not.toBe(await of({ 'd/a': 'one', 'd/b': 'one' }));
  });
  test('does not change with times, nor with what is beside it', async () => {
    expect(await of({ ...D, 'd/a': file('one', { mtimeNs: 7n }), x: 'changed' })).toBe(await of(D));
  });
  test('is null where nothing is', async () => expect(await of(D, 'nope')).toBeNull());
});

function pairs(a: string, b: string, c: string, d: string): Copied {
  return { files: { a: file('', {}, a), b: file('', {}, b), c: file('', {}, c), d: file('', {}, d) } };
}

function linked(text: string): Copied {
  return { sources: ['l'], files: { l: symlink('t'), t: text } };
}

function inLinked(text: string): Copied {
  return { sources: ['l'], files: { l: symlink('t'), 't/u': text } };
}

function onTheWay(mode: number): Copied {
  return { sources: ['p/q/f'], files: { p: dir({ mode }), 'p/q/f': '' }, parents: true };
}

function withXattr(value: string, how: 'keep' | 'drop'): Copied {
  return { files: { a: file('', { xattrs: xattrs(value) }) }, xattrs: how };
}
