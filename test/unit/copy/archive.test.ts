/** ADD of local archives, made by GNU tar and by hand where GNU tar would not. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CopyRequest } from '../../../src/copy/copy.ts';
import { copyEntries } from '../../../src/copy/copy-entries.ts';
import { modeChange } from '../../../src/copy/mode.ts';
import { dir, lines, memoryTree, symlink, type TreeLiteral } from '../../helpers/memory-tree.ts';
import { missing } from '../../helpers/tools.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-add-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Member {
  readonly name: string;
  readonly type?: '0' | '1' | '2' | '5' | '6' | 'x';
  readonly text?: string;
  readonly target?: string;
  readonly mode?: number;
  readonly uid?: number;
}

/** A ustar archive, byte by byte: names and order are what the test says. */
function tarOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ name, type = '0', text = '', target = '', mode = 0o644, uid = 0 }) => {
    const header = Buffer.alloc(512);
    const octal = (value: number, at: number, length: number) => header.write(value.toString(8).padStart(length - 1, '0'), at);
    header.write(name, 0, 'latin1');
    octal(mode, 100, 8);
    octal(uid, 108, 8);
    octal(uid, 116, 8);
    octal(text.length, 124, 12);
    octal(1_600_000_000, 136, 12);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(target, 157, 'latin1');
    header.write('ustar\x0000', 257, 'latin1');
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    );
    const content = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    content.write(text, 'latin1');
    return [header, content];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

async function add(bytes: Buffer, dest: string, into: TreeLiteral = {}, options: Partial<CopyRequest> = {}, name = 't.tar') {
  const path = join(folder, 'source');
  writeFileSync(path, bytes);
  const tree = memoryTree({
    [name]: {
      meta: { mode: 0o644, uid: 0, gid: 0, mtimeNs: 0n },
      node: { type: 'file', size: bytes.length, content: { at: 'host', path } },
    },
  });
  return copyEntries({
    inputs: [{ kind: 'tree', tree, pattern: name, label: 'the context' }],
    dest,
    into: memoryTree(into),
    owner: null,
    mode: null,
    exclude: [],
    parents: false,
    link: false,
    xattrs: 'drop',
    archives: 'extract',
    nowNs: 5n,
    scratchFolder: folder,
    signal: new AbortController().signal,
    ...options,
  });
}

const added = async (...args: Parameters<typeof add>): Promise<string[]> => lines((await add(...args)).entries);
const SMALL = tarOf([{ name: 'foo', text: 'contents' }]);
const refused = (message: RegExp) => expect.objectContaining({ code: 'ADD_FAILED', message: expect.stringMatching(message) }) as Error;

describe('what is an archive', () => {
  const kinds: readonly [string, (tar: Buffer) => Buffer][] = [
    ['plain', (tar) => tar],
    ['gzip', (tar) => gzipSync(tar)],
    ['bzip2', (tar) => execFileSync('bzip2', ['-c'], { input: tar })],
    ['xz', (tar) => execFileSync('xz', ['-c'], { input: tar })],
    ['zstd', (tar) => execFileSync('zstd', ['-c', '-q'], { input: tar })],
  ];
  for (const [kind, compress] of kinds) {
    const needs = kind === 'plain' || kind === 'gzip' ? undefined : missing([kind]);
    test.skipIf(needs !== undefined)(`a ${kind} tar is extracted${needs === undefined ? '' : ` (skipped: ${needs})`}`, async () => {
      expect(await added(compress(SMALL), '/x')).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/foo "contents"']);
    });
  }

  test.each<[string, Buffer]>([
    ['an empty file', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(10240)],
    ['compressed text', gzipSync('hello')],
    ['compressed nothing', gzipSync('')],
    ['a gzip that is cut', gzipSync(SMALL).subarray(0, 15)],
    ['a zip', Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(600)])],
    ['text', Buffer.from('x'.repeat(2000))],
    ['a header with a wrong checksum', Buffer.from(SMALL).fill('1', 148, 150)],
  ])('%s is copied as it is', async (_, bytes) => {
    expect(await added(bytes, '/x', {}, {}, 'f')).toEqual(['file 0644 0:0 x']);
    expect(await added(bytes, '/x/', {}, {}, 'f')).toEqual(['dir 0755 0:0 x', 'file 0644 0:0 x/f']);
  });

  test('is asked only where the instruction extracts', async () => {
    expect(await added(SMALL, '/x', {}, { archives: 'keep' })).toEqual(['file 0644 0:0 x']);
  });

  test('goes for a download only with --unpack', async () => {
    const input = {
      kind: 'file',
      name: 't.tar',
      content: { at: 'memory', bytes: SMALL },
      size: SMALL.length,
      mode: 0o600,
      mtimeNs: 0n,
    } as const;
    const get = async (archives: CopyRequest['archives']) =>
      (await add(SMALL, '/x', {}, { inputs: [input], archives })).entries.map((e) => e.path);
    expect(await get('extract')).toEqual(['x']);
    expect(await get('extract-all')).toEqual(['x', 'x/foo']);
  });
});

describe('members', () => {
  test('keep mode, owner and type; dest keeps its own', async () => {
    const tar = tarOf([
      { name: './', type: '5', mode: 0o700, uid: 9 },
      { name: 'd/', type: '5', mode: 0o2750, uid: 5 },
      { name: 'd/f', text: '1', mode: 0o4755, uid: 7 },
      { name: 'd/h', type: '1', target: 'd/f' },
      { name: 'd/s', type: '2', target: '/etc/passwd', mode: 0o777 },
      { name: 'p', type: '6' },
      { name: 'deep/er/x', text: '2', uid: 3 },
    ]);
    const wanted = [
      'dir 0711 2:2 t',
      'dir 2750 5:5 t/d',
      'file 4755 7:7 t/d/f "1"',
      'hardlink 4755 7:7 t/d/h -> t/d/f',
      'symlink 0777 0:0 t/d/s -> /etc/passwd',
      'dir 0755 0:0 t/deep',
      'dir 0755 0:0 t/deep/er',
      'file 0644 3:3 t/deep/er/x "2"',
      'fifo 0644 0:0 t/p',
    ];
    expect(await added(tar, '/t', { t: dir({ mode: 0o711, uid: 2, gid: 2 }) })).toEqual(wanted);
  });

  test('take --chown but not --chmod', async () => {
    const tar = tarOf([
      { name: 'd/', type: '5', uid: 5 },
      { name: 'd/f', text: '1', uid: 7 },
      { name: 'i/g', uid: 7 },
    ]);
    const options = { owner: { uid: 1, gid: 2 }, mode: modeChange({ kind: 'octal', mode: 0o700 }) };
    expect(await added(tar, '/v/', {}, options)).toEqual([
      'dir 0755 1:2 v',
      'dir 0644 1:2 v/d',
      'file 0644 1:2 v/d/f "1"',
      'dir 0755 0:0 v/i',
      'file 0644 1:2 v/i/g ""',
    ]);
  });

  test('keep file capabilities and no other xattrs', async () => {
    const capability = Buffer.from([1, 0, 0, 2, 0xff, 0]);
    const record = (key: string, value: Buffer): Buffer => {
      const body = Buffer.concat([Buffer.from(` SCHILY.xattr.${key}=`), value, Buffer.from('\n')]);
      const length = body.length + String(body.length + 2).length;
      return Buffer.concat([Buffer.from(String(length)), body]);
    };
    const pax = Buffer.concat([record('user.k', Buffer.from('v')), record('security.capability', capability)]);
    const member = tarOf([{ name: 'f', text: '1' }]);
    const extension = tarOf([{ name: 'x', type: 'x', text: pax.toString('latin1') }]).subarray(0, 1024);
    const { entries } = await add(Buffer.concat([extension, member]), '/');
    expect(entries).toMatchObject([{ path: 'f', meta: { xattrs: new Map([['security.capability', capability]]) } }]);
  });

  test('over existing files and folders replace them', async () => {
    const tar = tarOf([
      { name: 'foo', text: 'new' },
      { name: 'bar/', type: '5', mode: 0o755 },
    ]);
    expect(await added(tar, '/w/', { 'w/foo/x': 'old', 'w/bar': 'file' })).toEqual([
      'dir 0755 0:0 w',
      'dir 0755 0:0 w/bar',
      'file 0644 0:0 w/foo "new"',
    ]);
    expect(await added(tarOf([{ name: 'l/', type: '5', mode: 0o755 }]), '/', { l: symlink('t'), t: dir() })).toEqual(['dir 0755 0:0 l']);
  });

  test('that replace a folder twice do not bring back what it held', async () => {
    const tar = tarOf([
      { name: 'foo', text: 'x' },
      { name: 'foo/', type: '5', mode: 0o755 },
      { name: 'foo/new', text: '1' },
    ]);
    expect(await added(tar, '/', { 'foo/old': '0' })).toEqual(['dir 0755 0:0 foo', 'opaque foo', 'file 0644 0:0 foo/new "1"']);
  });

  test('that are hard links to a file of the stage bring it along', async () => {
    expect(await added(tarOf([{ name: 'h', type: '1', target: 'old' }]), '/', { old: 'text' })).toEqual([
      'file 0644 0:0 h "text"',
      'hardlink 0644 0:0 old -> h',
    ]);
  });

  test('large and sparse are spooled to the scratch folder', async () => {
    const work = mkdtempSync(join(folder, 'big-'));
    writeFileSync(join(work, 'big'), Buffer.alloc(300_000, 'b'));
    writeFileSync(join(work, 'holes'), '');
    execFileSync('truncate', ['-s', '1M', join(work, 'holes')]);
    const tar = execFileSync('tar', ['-C', work, '-S', '-c', 'big', 'holes']);
    const { entries } = await add(tar, '/x');
    const contents = entries.flatMap((e) =>
      e.kind === 'put' && e.node.type === 'file' && e.node.content.at === 'host' ? [readFileSync(e.node.content.path)] : [],
    );
    expect(contents.map((c) => c.equals(c.length === 300_000 ? Buffer.alloc(300_000, 'b') : Buffer.alloc(1024 * 1024)))).toEqual([
      true,
      true,
    ]);
  });

  test('agree with what GNU tar extracts', async () => {
    const work = mkdtempSync(join(folder, 'gnu-'));
    mkdirSync(join(work, 'd/e'), { recursive: true });
    writeFileSync(join(work, 'd/e/f'), 'text');
    chmodSync(join(work, 'd/e/f'), 0o751);
    chmodSync(join(work, 'd/e'), 0o700);
    symlinkSync('e/f', join(work, 'd/l'));
    execFileSync('ln', [join(work, 'd/e/f'), join(work, 'd/z')]);
    writeFileSync(join(work, `d/${'n'.repeat(90)}`), 'long');
    for (const format of ['gnu', 'pax', 'ustar']) {
      const tar = execFileSync('tar', [
        '-C',
        work,
        '--sort=name',
        '--owner=3',
        '--group=4',
        '--numeric-owner',
        `--format=${format}`,
        '-c',
        '.',
      ]);
      expect(await added(tar, '/o/', { o: dir() })).toEqual([
        'dir 0755 0:0 o',
        'dir 0755 3:4 o/d',
        'dir 0700 3:4 o/d/e',
        'file 0751 3:4 o/d/e/f "text"',
        'symlink 0777 3:4 o/d/l -> e/f',
        `file 0644 3:4 o/d/${'n'.repeat(90)} "long"`,
        'hardlink 0751 3:4 o/d/z -> o/d/e/f',
      ]);
    }
  });
});

describe('dest', () => {
  test.each<[string, TreeLiteral, string[]]>([
    ['/', {}, ['file 0644 0:0 foo "contents"']],
    ['/a/b', {}, ['dir 0755 0:0 a', 'dir 0755 0:0 a/b', 'file 0644 0:0 a/b/foo "contents"']],
    ['/l', { l: symlink('r'), r: dir({ mode: 0o700 }) }, ['dir 0700 0:0 r', 'file 0644 0:0 r/foo "contents"']],
  ])('%s', async (dest, into, wanted) => expect(await added(SMALL, dest, into)).toEqual(wanted));

  test('that is a file fails', async () => {
    await expect(add(SMALL, '/x', { x: 'file' })).rejects.toMatchObject({
      code: 'COPY_FAILED',
      message: expect.stringContaining('"/x" is a file'),
    });
  });
});

describe('hostile archives', () => {
  test('cannot climb out of dest', async () => {
    expect(
      await added(
        tarOf([
          { name: '../../etc/x', text: '1' },
          { name: '/abs', text: '2' },
          { name: 'a/../../b', text: '3' },
        ]),
        '/w/',
      ),
    ).toEqual(['dir 0755 0:0 w', 'file 0644 0:0 w/abs "2"', 'file 0644 0:0 w/b "3"', 'dir 0755 0:0 w/etc', 'file 0644 0:0 w/etc/x "1"']);
  });

  test.each<[string, readonly Member[], TreeLiteral]>([
    [
      'of their own to a folder of the image',
      [
        { name: 'l', type: '2', target: '/etc' },
        { name: 'l/passwd', text: 'x' },
      ],
      { 'etc/passwd': 'root' },
    ],
    ['of their own to nowhere', [{ name: 'l', type: '2', target: 'gone' }, { name: 'l/f' }], {}],
    ['in a circle', [{ name: 'k', type: '2', target: 'l' }, { name: 'l', type: '2', target: 'f' }, { name: 'l/f' }], { 'w/f': 'file' }],
    ['that leads out of dest', [{ name: 'l/passwd', text: 'x' }], { 'w/l': symlink('/etc'), 'etc/passwd': 'root' }],
    ['that leads up and out of dest', [{ name: 'l/passwd', text: 'x' }], { 'w/l': symlink('../../etc'), 'etc/passwd': 'root' }],
    ['that leads nowhere', [{ name: 'l/passwd', text: 'x' }], { 'w/l': symlink('gone') }],
  ])('cannot write through a symlink %s', async (_, members, into) => {
    await expect(add(tarOf(members), '/w/', into)).rejects.toEqual(
      refused(/^"t\.tar" cannot be extracted: its member "l\/.*would be written through the symbolic link "l"/),
    );
  });

  test('may write through a symlink that stays below dest', async () => {
    const into = { lib: symlink('usr/lib'), 'usr/lib': dir() };
    expect(await added(tarOf([{ name: 'lib/f', text: '1' }]), '/', into)).toEqual([
      'dir 0755 0:0 usr',
      'dir 0755 0:0 usr/lib',
      'file 0644 0:0 usr/lib/f "1"',
    ]);
    // `..` at dest is dest.
    const up = tarOf([
      { name: 'up', type: '2', target: '..' },
      { name: 'up/etc/f', text: '1' },
    ]);
    expect(await added(up, '/w/', { etc: dir() })).toEqual([
      'dir 0755 0:0 w',
      'dir 0755 0:0 w/etc',
      'file 0644 0:0 w/etc/f "1"',
      'symlink 0644 0:0 w/up -> ..',
    ]);
  });

  test('may replace a symlink of their own and then use the name', async () => {
    const tar = tarOf([
      { name: 'l', type: '2', target: '/etc' },
      { name: 'l/', type: '5', mode: 0o755 },
      { name: 'l/f', text: '1' },
    ]);
    expect(await added(tar, '/w/', { etc: dir() })).toEqual(['dir 0755 0:0 w', 'dir 0755 0:0 w/l', 'file 0644 0:0 w/l/f "1"']);
  });

  test.each(['.wh.passwd', 'd/.wh..wh..opq', '.wh.d/x'])('cannot plant the whiteout %s', async (name) => {
    await expect(add(tarOf([{ name }]), '/w/')).rejects.toEqual(refused(/means "removed" in a layer/));
  });

  test('cannot link to what is not there or outside', async () => {
    await expect(add(tarOf([{ name: 'h', type: '1', target: '../etc/passwd' }]), '/w/', { 'etc/passwd': 'x' })).rejects.toEqual(
      refused(/hard link to "\.\.\/etc\/passwd", which is not there/),
    );
    await expect(add(tarOf([{ name: 'h', type: '1', target: 'd' }]), '/w/', { 'w/d/x': '1' })).rejects.toEqual(
      refused(/which is a folder/),
    );
  });

  test('cannot put a file below a file', async () => {
    await expect(add(tarOf([{ name: 'f', text: '1' }, { name: 'f/x' }]), '/w/')).rejects.toEqual(
      refused(/lies below "\/w\/f", which is a file/),
    );
  });

  test('that are damaged behind the first header fail and leave nothing behind', async () => {
    const before = readdirSync(folder).filter((name) => name.startsWith('add-')).length;
    const big = tarOf([
      { name: 'a', text: 'x'.repeat(200_000) },
      { name: 'b', text: '1' },
    ]);
    await expect(add(big.subarray(0, 150_000), '/w/')).rejects.toEqual(refused(/"t\.tar" cannot be extracted: .*cut short/));
    await expect(add(gzipSync(big, { level: 0 }).subarray(0, 150_000), '/w/')).rejects.toMatchObject({ code: 'ADD_FAILED' });
    expect(readdirSync(folder).filter((name) => name.startsWith('add-'))).toHaveLength(before);
  });
});
