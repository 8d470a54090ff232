/** Layers that want to do harm, byte by byte: the host stays as it was, and the result is a named error or a defined one. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import type { LayerIndex } from '../../../src/layer/layer-index.ts';
import { createTarReader } from '../../../src/layer/tar/read.ts';
import { createUnpacker } from '../../../src/layer/unpack.ts';
import { setXattr } from '../../../src/sys/xattr.ts';
import { base256, type RawMember, rawHeader, rawMember, rawPax, rawTar } from './raw-tar.ts';
import { feed, readAll } from './read-all.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-hostile-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const style = canSetTrusted() ? 'trusted' : 'user';

function canSetTrusted(): boolean {
  try {
    writeFileSync(join(scratch, 'probe'), '');
    setXattr(join(scratch, 'probe'), 'trusted.probe', Buffer.from('1'));
    return true;
  } catch {
    return false;
  }
}

/** What the layer must not touch: beside the folder that it is unpacked into. */
let place: string;
let layer: string;
beforeEach(() => {
  place = mkdtempSync(join(scratch, 'place-'));
  layer = join(place, 'layer');
  mkdirSync(layer);
  mkdirSync(join(place, 'host'));
  writeFileSync(join(place, 'host/secret'), 'untouched');
});

function unpack(tar: Buffer): void {
  feed(createUnpacker({ folder: layer, style, owners: isRoot ? 'apply' : 'skip' }), tar, 1000);
}

function index(tar: Buffer): LayerIndex {
  const builder = createIndexBuilder((path) => ({ at: 'host', path }));
  feed(builder, tar, 1000);
  return builder.index();
}

function expectHostUntouched(): void {
  expect(readdirSync(place).sort(), 'SOMETHING WAS WRITTEN OUTSIDE THE LAYER').toEqual(['host', 'layer']);
  expect(readdirSync(join(place, 'host')), 'SOMETHING WAS WRITTEN OUTSIDE THE LAYER').toEqual(['secret']);
  expect(readFileSync(join(place, 'host/secret'), 'utf8'), 'A FILE OUTSIDE THE LAYER WAS CHANGED').toBe('untouched');
  expect(lstatSync(join(place, 'host/secret')).nlink, 'A FILE OUTSIDE THE LAYER WAS LINKED').toBe(1);
}

const host = (path: string): string => join(place, 'host', path);

const escaping = 'LAYER_PATH_ESCAPE';
const invalid = 'LAYER_INVALID';

test.each([
  ['a name that goes up', () => [{ name: '../host/secret', content: 'x' }], escaping],
  ['a name that goes down and further up', () => [{ name: 'a/../../host/secret', content: 'x' }], escaping],
  ['a name that goes up only within', () => [{ name: 'a/../b', content: 'x' }], escaping],
  ['a name that ends with ".."', () => [{ name: 'a/..', flag: '5' }], escaping],
  ['a long name that goes up', () => [rawPax([['path', '../host/secret']]), { name: 'x', content: 'x' }], escaping],
  [
    'a GNU long name that goes up',
    () => [
      { name: 'L', flag: 'L', content: '../host/secret\0' },
      { name: 'x', content: 'x' },
    ],
    escaping,
  ],
  [
    'a sparse name that goes up',
    () => [
      rawPax([
        ['GNU.sparse.name', '../host/secret'],
        ['GNU.sparse.size', '0'],
      ]),
      { name: 'x' },
    ],
    escaping,
  ],
  ['a whiteout that goes up', () => [{ name: '../host/.wh.secret' }], escaping],
  ['an opaque mark that goes up', () => [{ name: '../host/.wh..wh..opq' }], escaping],
  [
    'a write through a symlink',
    () => [
      { name: 'l', flag: '2', target: host('') },
      { name: 'l/new', content: 'x' },
    ],
    escaping,
  ],
  [
    'a write through a relative symlink',
    () => [
      { name: 'l', flag: '2', target: '../host' },
      { name: 'l/secret', content: 'x' },
    ],
    escaping,
  ],
  [
    'a write through a symlink to another symlink',
    () => [
      { name: 'a', flag: '2', target: '../host' },
      { name: 'b', flag: '2', target: 'a' },
      { name: 'b/secret', content: 'x' },
    ],
    escaping,
  ],
  [
    'a write through a symlink further up',
    () => [
      { name: 'a/', flag: '5' },
      { name: 'a/l', flag: '2', target: '../../host' },
      { name: 'a/l/b/c', content: 'x' },
    ],
    escaping,
  ],
  [
    'a folder below a symlink',
    () => [
      { name: 'l', flag: '2', target: host('') },
      { name: 'l/d/', flag: '5' },
    ],
    escaping,
  ],
  [
    'a symlink below a symlink',
    () => [
      { name: 'l', flag: '2', target: host('') },
      { name: 'l/s', flag: '2', target: 'x' },
    ],
    escaping,
  ],
  [
    'a hard link below a symlink',
    () => [{ name: 'f' }, { name: 'l', flag: '2', target: host('') }, { name: 'l/h', flag: '1', target: 'f' }],
    escaping,
  ],
  [
    'a device below a symlink',
    () => [
      { name: 'l', flag: '2', target: host('') },
      { name: 'l/null', flag: '3', major: '0000001\0', minor: '0000003\0' },
    ],
    escaping,
  ],
  ['a whiteout below a symlink', () => [{ name: 'l', flag: '2', target: host('') }, { name: 'l/.wh.secret' }], escaping],
  ['an opaque symlink', () => [{ name: 'l', flag: '2', target: host('') }, { name: 'l/.wh..wh..opq' }], escaping],
  [
    'a write through a hard link to a symlink',
    () => [
      { name: 's', flag: '2', target: host('') },
      { name: 'h', flag: '1', target: 's' },
      { name: 'h/new', content: 'x' },
    ],
    escaping,
  ],
  ['a hard link out of the root', () => [{ name: 'h', flag: '1', target: '../host/secret' }], escaping],
  [
    'a hard link out of the root, by PAX',
    () => [rawPax([['linkpath', '../host/secret']]), { name: 'h', flag: '1', target: 'x' }],
    escaping,
  ],
  [
    'a file below a file',
    () => [
      { name: 'f', content: 'x' },
      { name: 'f/g', content: 'x' },
    ],
    invalid,
  ],
  [
    'a file below a device or fifo',
    () => [
      { name: 'f', flag: '6' },
      { name: 'f/g', content: 'x' },
    ],
    invalid,
  ],
  [
    'a hard link to a folder',
    () => [
      { name: 'd/', flag: '5' },
      { name: 'h', flag: '1', target: 'd' },
    ],
    invalid,
  ],
  ['a hard link to an implied folder', () => [{ name: 'd/f' }, { name: 'h', flag: '1', target: 'd' }], invalid],
  ['a hard link to the root', () => [{ name: 'h', flag: '1', target: '/' }], invalid],
  ['a hard link to itself', () => [{ name: 'h', flag: '1', target: './h' }], invalid],
  ['a root that is a symlink', () => [{ name: './', flag: '2', target: host('') }], invalid],
  [
    'a root that is a file',
    () => [
      { name: '/', flag: '0', content: '' },
      { name: '.', flag: '2', target: 'x' },
    ],
    invalid,
  ],
  ['a whiteout of nothing', () => [{ name: '.wh.' }], invalid],
  ['a whiteout of "."', () => [{ name: 'a/.wh..' }], invalid],
  ['a whiteout of ".."', () => [{ name: '.wh...' }], invalid],
  ['a file in a whiteout', () => [{ name: '.wh.a/b', content: 'x' }], invalid],
  ['a whiteout in a whiteout', () => [{ name: '.wh.a/.wh.b' }], invalid],
  ['a file in an opaque mark', () => [{ name: '.wh..wh..opq/b', content: 'x' }], invalid],
] as const)('%s is refused by unpacking and by the index', (_, members, code) => {
  const tar = rawTar(...(members() as readonly (RawMember | Buffer)[]));
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code }));
  expectHostUntouched();
  expect(() => index(tar)).toThrow(expect.objectContaining({ code }));
});

test('an absolute name is a name below the root', () => {
  const path = host('secret');
  const tar = rawTar(rawPax([['path', path]]), { name: 'x', content: 'mine' });
  unpack(tar);
  expectHostUntouched();
  expect(readFileSync(join(layer, path), 'utf8')).toBe('mine');
  expect([...index(tar).puts.keys()]).toEqual([path.slice(1)]);
});

test('an absolute hard link target is a path below the root, and a missing one is refused', () => {
  const tar = rawTar(rawPax([['linkpath', host('secret')]]), { name: 'h', flag: '1', target: 'x' });
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code: invalid }));
  expectHostUntouched();
});

test('a hard link through a symlink of the layer does not reach the host', () => {
  const tar = rawTar({ name: 'l', flag: '2', target: '../host' }, { name: 'h', flag: '1', target: 'l/secret' });
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code: invalid }));
  expectHostUntouched();
});

test('a hard link to a symlink is the symlink, and writing to its name replaces it', () => {
  unpack(
    rawTar(
      { name: 's', flag: '2', target: host('secret') },
      { name: 'h', flag: '1', target: 's' },
      { name: 'h', content: 'x' },
      { name: 's', content: 'y' },
    ),
  );
  expectHostUntouched();
  expect(readFileSync(join(layer, 'h'), 'utf8')).toBe('x');
});

test('owner, mode, time and xattrs of a symlink are its own', () => {
  const before = lstatSync(host('secret'), { bigint: true });
  unpack(
    rawTar(
      rawPax([
        ['uid', '12'],
        ['mtime', '5'],
        ['SCHILY.xattr.user.k', 'v'],
      ]),
      { name: 's', flag: '2', mode: '0000777\0', target: host('secret') },
    ),
  );
  const after = lstatSync(host('secret'), { bigint: true });
  expect([after.mode, after.uid, after.mtimeNs, after.ctimeNs]).toEqual([before.mode, before.uid, before.mtimeNs, before.ctimeNs]);
});

test('a folder over a symlink replaces the symlink, and its own metadata go to the folder', () => {
  unpack(
    rawTar(
      { name: 'l', flag: '2', target: '../host' },
      { name: 'l/', flag: '5', mode: '0000700\0' },
      { name: 'l/secret', content: 'mine' },
    ),
  );
  expectHostUntouched();
  expect(readFileSync(join(layer, 'l/secret'), 'utf8')).toBe('mine');
});

test('a symlink over a folder takes the folder away without following what it held', () => {
  unpack(rawTar({ name: 'd/', flag: '5' }, { name: 'd/l', flag: '2', target: '../../host' }, { name: 'd', flag: '2', target: '../host' }));
  expectHostUntouched();
  expect(lstatSync(join(layer, 'd')).isSymbolicLink()).toBe(true);
});

test('leftovers of aufs are neither files nor whiteouts', () => {
  const tar = rawTar(
    { name: '.wh..wh.plnk/', flag: '5' },
    { name: '.wh..wh.plnk/123.456', content: 'x' },
    { name: '.wh..wh.aufs' },
    { name: 'a/.wh..wh.orph/', flag: '5' },
  );
  unpack(tar);
  expect(readdirSync(layer)).toEqual([]);
  const { puts, removes, opaques } = index(tar);
  expect(puts.size + removes.size + opaques.size).toBe(0);
});

test.skipIf(isRoot)('device nodes made by an ordinary user are whiteouts in the folder and devices in the index', () => {
  const tar = rawTar({ name: 'sda', flag: '4', major: '0000010\0', minor: '0000000\0' });
  unpack(tar);
  expect(lstatSync(join(layer, 'sda')).rdev).toBe(0);
  expect(index(tar).puts.get('sda')?.node).toEqual({ type: 'block', major: 8, minor: 0 });
});

test.each([
  ['a PAX header of more than 1 MiB', rawHeader({ name: 'p', flag: 'x', size: '00100000000\0' })],
  ['a PAX header of 8 GiB', rawHeader({ name: 'p', flag: 'x', size: '77777777777\0' })],
  ['a GNU long name of 8 EiB', rawHeader({ name: 'p', flag: 'L', size: base256(2n ** 62n) })],
  ['a PAX header of negative size', rawHeader({ name: 'p', flag: 'x', size: base256(-1n) })],
  ['a file of negative size', rawHeader({ name: 'f', size: base256(-512n) })],
  ['a file of 2^63 bytes', rawHeader({ name: 'f', size: base256(2n ** 63n) })],
  ['a file whose size wraps around', rawHeader({ name: 'f', size: base256(2n ** 64n + 1n) })],
  ['a file of 2^53 bytes, by PAX', Buffer.concat([rawPax([['size', String(2 ** 53)]]), rawMember({ name: 'f' })])],
  ['a file of negative size, by PAX', Buffer.concat([rawPax([['size', '-1']]), rawMember({ name: 'f' })])],
  ['a uid of 2^40', rawHeader({ name: 'f', uid: base256(2n ** 40n, 8) })],
  ['a negative uid', rawHeader({ name: 'f', uid: base256(-1n, 8) })],
  ['a time beyond 64 bits', rawHeader({ name: 'f', mtime: base256(2n ** 70n) })],
])('%s is refused by its header alone', (_, header) => {
  expect(() => createTarReader(createIndexBuilder((path) => ({ at: 'host', path }))).write(header)).toThrow(
    expect.objectContaining({ code: invalid }),
  );
  expect(() => unpack(header)).toThrow(expect.objectContaining({ code: invalid }));
  expect(readdirSync(layer)).toEqual([]);
});

test('global PAX headers cannot pile up', () => {
  const pile = (function* (): Generator<Buffer> {
    for (let i = 0; i < 100; i++) yield rawPax([[`key${i}`, 'x'.repeat(50_000)]], 'g');
  })();
  expect(() => readAll(rawTar(...pile))).toThrow(expect.objectContaining({ code: invalid }));
});

test('a million short PAX records are read in no more than a moment', () => {
  const records = Buffer.from('7 a=bc\n'.repeat(140_000));
  const start = performance.now();
  expect(readAll(rawTar({ name: 'p', flag: 'x', content: records }, { name: 'f' }))).toHaveLength(1);
  expect(performance.now() - start).toBeLessThan(3000);
});

test('a sparse file of many exbibytes costs neither time nor memory', () => {
  const tar = rawTar(
    rawPax([
      ['GNU.sparse.map', ''],
      ['GNU.sparse.size', String(Number.MAX_SAFE_INTEGER)],
    ]),
    { name: 'huge' },
  );
  expect(index(tar).puts.get('huge')?.node).toMatchObject({ size: Number.MAX_SAFE_INTEGER });
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
});

test('the passwd that is kept in memory may be sparse, but no larger than 1 MiB', () => {
  const tar = rawTar(
    rawPax([
      ['GNU.sparse.map', '0,1'],
      ['GNU.sparse.size', String(2 ** 40)],
    ]),
    { name: 'etc/passwd', content: 'x' },
  );
  expect(index(tar).puts.get('etc/passwd')?.node).toMatchObject({ content: { at: 'host' } });
});

test.each([
  ['a name of 300 bytes', [rawPax([['path', 'n'.repeat(300)]]), { name: 'x' }]],
  ['a path of 5,000 bytes', [rawPax([['path', 'nnnnnnnnn/'.repeat(500)]]), { name: 'x', flag: '5' }]],
  ['a symlink target of 5,000 bytes', [rawPax([['linkpath', 't'.repeat(5000)]]), { name: 'x', flag: '2', target: 'x' }]],
])('%s, more than Linux takes, is LAYER_INVALID', (_, members) => {
  expect(() => unpack(rawTar(...members))).toThrow(expect.objectContaining({ code: invalid }));
});

test('every truncation of an archive is an error or a whole number of members, never a hang', () => {
  const tar = rawTar(
    { name: 'd/', flag: '5' },
    rawPax([['path', 'd/long']]),
    { name: 'x', content: 'x'.repeat(700) },
    { name: 'd/l', flag: '2', target: 'long' },
  );
  for (let end = 0; end < tar.length; end += 128) {
    try {
      expect(index(tar.subarray(0, end)).puts.size).toBeLessThanOrEqual(3);
    } catch (error) {
      expect(error).toMatchObject({ code: invalid });
    }
  }
});

test('no single damaged byte makes anything but a named error or another valid layer', () => {
  const tar = rawTar(
    { name: 'd/', flag: '5' },
    rawPax([
      ['path', 'd/long'],
      ['mtime', '5.5'],
    ]),
    { name: 'x', content: 'abc' },
    { name: 'd/h', flag: '1', target: 'd/long' },
  );
  for (let at = 0; at < tar.length; at++) {
    for (const flip of [0x01, 0x80]) {
      const damaged = Buffer.from(tar);
      damaged[at] = (damaged[at] as number) ^ flip;
      try {
        index(damaged);
      } catch (error) {
        expect(error, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/^LAYER_/) });
      }
    }
  }
});

test('a folder that was a symlink on the host before is not looked through', () => {
  symlinkSync(host(''), join(place, 'elsewhere'));
  expect(() => feed(createUnpacker({ folder: join(place, 'elsewhere'), style, owners: 'skip' }), rawTar({ name: 'new' }))).toThrow(/empty/);
});
