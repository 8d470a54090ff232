/** Layers that want to do harm, byte by byte: the host stays as it was, and the result is a named error or a defined one. */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createIndexBuilder } from '../../../src/layer/build-index.ts';
import type { LayerIndex } from '../../../src/layer/layer-index.ts';
import { createTarReader } from '../../../src/layer/tar/read.ts';
import { createUnpacker } from '../../../src/layer/unpack.ts';
import { getXattr, setXattr } from '../../../src/sys/xattr.ts';
import { cpuStopwatch } from '../../helpers/cpu-time.ts';
import { base256, type RawMember, rawHeader, rawMember, rawPax, rawTar } from './raw-tar.ts';
import { feed, readAll } from './read-all.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-hostile-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const isRoot = process.getuid?.() === 0;
const style = canSet('trusted') ? 'trusted' : 'user';
/** tmpfs has no user xattrs before Linux 6.6. */
const hasOpaque = canSet(style);

function canSet(namespace: 'trusted' | 'user'): boolean {
  try {
    writeFileSync(join(scratch, 'probe'), '');
    setXattr(join(scratch, 'probe'), `${namespace}.probe`, Buffer.from('1'));
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

test.each<readonly [string, () => string, () => string]>([
  ['an absolute path', () => host('secret'), () => host('secret').slice(1)],
  ['a path through a symlink of the layer', () => 'l/secret', () => 'host/secret'],
])('a hard link to %s that the layer does not have is one to a lower layer, never to the machine', (_, target, lower) => {
  const tar = rawTar({ name: 'l', flag: '2', target: '../host' }, rawPax([['linkpath', target()]]), { name: 'h', flag: '1', target: 'x' });
  unpack(tar);
  expectHostUntouched();
  expect(lstatSync(join(layer, 'h')).isCharacterDevice()).toBe(true);
  expect(index(tar).lowerLinks).toEqual(new Map([['h', lower()]]));
});

test('a hard link to what it takes the place of is refused', () => {
  const tar = rawTar({ name: 'd/f' }, { name: 'd', flag: '1', target: 'd/f' });
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code: invalid }));
  expect(() => index(tar)).toThrow(expect.objectContaining({ code: invalid }));
});

const outOf = (target: string): RawMember => ({ name: 'l', flag: '2', target });

test.each<readonly [string, () => readonly RawMember[], string]>([
  ['an absolute symlink', () => [outOf('/host'), { name: 'l/new', content: 'x' }], 'host/new'],
  ['a relative symlink', () => [outOf('../host'), { name: 'l/new', content: 'x' }], 'host/new'],
  ['a symlink to the root', () => [outOf('../../..'), { name: 'l/new', content: 'x' }], 'new'],
  ['a symlink to nothing', () => [outOf('a/b'), { name: 'l/c/new', content: 'x' }], 'a/b/c/new'],
  [
    'a symlink to another symlink',
    () => [{ name: 'a', flag: '2', target: '../host' }, outOf('a'), { name: 'l/new', content: 'x' }],
    'host/new',
  ],
  [
    'symlinks in the middle of the way and in the target',
    () => [
      { name: 'd/e/', flag: '5' },
      { name: 's', flag: '2', target: 'd/e' },
      { name: 'd/l', flag: '2', target: '../s/../../../x' },
      { name: 'd/l/y/new', content: 'x' },
    ],
    'x/y/new',
  ],
  ['a folder below a symlink', () => [outOf('/host'), { name: 'l/new/', flag: '5' }], 'host/new'],
  ['a symlink below a symlink', () => [outOf('/host'), { name: 'l/new', flag: '2', target: 'secret' }], 'host/new'],
  ['a hard link below a symlink', () => [{ name: 'f' }, outOf('/host'), { name: 'l/new', flag: '1', target: 'f' }], 'host/new'],
  ['a fifo below a symlink', () => [outOf('/host'), { name: 'l/new', flag: '6' }], 'host/new'],
  [
    'a hard link to a symlink',
    () => [
      { name: 's', flag: '2', target: '/host' },
      { name: 'l', flag: '1', target: 's' },
      { name: 'l/new', content: 'x' },
    ],
    'host/new',
  ],
  [
    'a hard link whose target is named through a symlink',
    () => [{ name: 'host/f' }, outOf('/host'), { name: 'new', flag: '1', target: 'l/f' }],
    'new',
  ],
  [
    'a symlink that was exchanged in between',
    () => [outOf('a'), { name: 'l/one' }, outOf('../host'), { name: 'l/new', content: 'x' }],
    'host/new',
  ],
  ['a symlink that took the place of a folder', () => [{ name: 'l/x' }, outOf('../host'), { name: 'l/new', content: 'x' }], 'host/new'],
])('%s leads to a place inside the root, for the index as for the folder', (_, members, path) => {
  const tar = rawTar(...members());
  unpack(tar);
  expectHostUntouched();
  expect(lstatSync(join(layer, path), { throwIfNoEntry: false })).toBeDefined();
  expectSameAsIndex(tar);
});

test.skipIf(!hasOpaque)('whiteouts and opaque marks are followed as files are', () => {
  const tar = rawTar(
    { name: 'd/', flag: '5', mode: '0000755' },
    outOf('../d'),
    { name: 'l/.wh.secret' },
    { name: 'm', flag: '2', target: '/host' },
    { name: 'm/.wh..wh..opq' },
  );
  unpack(tar);
  expectHostUntouched();
  expect([...index(tar).removes]).toEqual(['d/secret']);
  expect([...index(tar).opaques]).toEqual(['host']);
  expect(lstatSync(join(layer, 'd/secret')).isCharacterDevice()).toBe(true);
  expect(getXattr(join(layer, 'host'), `${style}.overlay.opaque`)).toEqual(Buffer.from('y'));
});

test.each<readonly [string, () => readonly RawMember[]]>([
  ['a symlink to itself', () => [outOf('l'), { name: 'l/new' }]],
  ['two symlinks to each other', () => [outOf('m'), { name: 'm', flag: '2', target: 'l' }, { name: 'l/new' }]],
  ['a symlink into itself', () => [outOf('l/a'), { name: 'l/new' }]],
  ['a symlink that doubles with every step', () => [outOf('./m/m/m'), { name: 'm', flag: '2', target: 'l/l/l' }, { name: 'm/new' }]],
  [
    'more symlinks than Linux follows',
    () => [...Array.from({ length: 41 }, (_, i) => ({ name: `s${i}`, flag: '2', target: `s${i + 1}` })), { name: 's0/new' }],
  ],
  ['a symlink to a file', () => [{ name: 'f' }, outOf('f'), { name: 'l/new' }]],
  ['a symlink through a file', () => [{ name: 'f' }, outOf('f/g'), { name: 'l/new' }]],
])('%s leads nowhere: refused by unpacking and by the index', (_, members) => {
  const tar = rawTar(...members());
  expect(() => unpack(tar)).toThrow(expect.objectContaining({ code: invalid }));
  expectHostUntouched();
  expect(() => index(tar)).toThrow(expect.objectContaining({ code: invalid }));
});

test('as many symlinks as Linux follows are followed', () => {
  const chain = Array.from({ length: 40 }, (_, i) => ({ name: `s${i}`, flag: '2', target: `s${i + 1}` }));
  const tar = rawTar(...chain, { name: 's0/new' });
  unpack(tar);
  expect(readdirSync(join(layer, 's40'))).toEqual(['new']);
  expectSameAsIndex(tar);
});

test('a name that begins with a symlink for a million bytes is refused at once', () => {
  const cpuMs = cpuStopwatch();
  const tar = rawTar(outOf('a'), rawPax([['path', `l/${'l/'.repeat(400_000)}x`]]), { name: 'x' });
  expect(() => index(tar)).toThrow(expect.objectContaining({ code: invalid }));
  const long = rawTar(rawPax([['linkpath', 'l/'.repeat(400_000)]]), { name: 'l', flag: '2', target: 'x' }, { name: 'l/new' });
  expect(() => index(long)).toThrow(expect.objectContaining({ code: invalid }));
  expect(cpuMs()).toBeLessThan(2000);
});

test.skipIf(!hasOpaque)('whatever is put, replaced and put again through symlinks stays inside, and folder and index agree', () => {
  const random = pseudoRandom(20_261_124);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const names = ['a', 'b', 'host', 'a/b', 'b/a', 'a/host', 'host/secret', 'a/b/host', 'b/.wh.a', 'a/.wh..wh..opq', '.wh.b'];
  const targets = ['../host', '/', '..', 'a', 'b/a', '../../b', 'host/secret', '/a/b', host(''), './b/../a'];
  for (let round = 0; round < 400; round++) {
    const tar = rawTar(
      ...Array.from({ length: 12 }, (): RawMember => {
        const name = pick(names);
        const flag = name.includes('.wh.') ? '0' : pick(['0', '0', '1', '2', '2', '5']);
        return {
          name,
          flag,
          mode: '0000755',
          ...(flag === '1' || flag === '2' ? { target: pick(targets.map((t) => (flag === '1' ? pick(names.slice(0, 8)) : t))) } : {}),
        };
      }),
    );
    rmSync(layer, { recursive: true });
    mkdirSync(layer);
    const outcomes = [() => unpack(tar), () => index(tar)].map((read) => outcomeOf(read));
    expectHostUntouched();
    expect(outcomes[0], `round ${round}`).toBe(outcomes[1]);
    if (outcomes[0] === 'read') expectSameAsIndex(tar);
  }
});

function outcomeOf(read: () => void): string {
  try {
    read();
    return 'read';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Mulberry32. */
function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    const mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    const more = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((more ^ (more >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Every file that the folder has, the index has in the same place, and the other way round. */
function expectSameAsIndex(tar: Buffer): void {
  const { puts, implied, removes, lowerLinks } = index(tar);
  const found = new Map<string, string>();
  const walk = (path: string): void => {
    for (const name of readdirSync(join(layer, path))) {
      const child = path === '' ? name : `${path}/${name}`;
      const stats = lstatSync(join(layer, child));
      found.set(child, stats.isDirectory() ? 'dir' : stats.isSymbolicLink() ? 'symlink' : stats.isCharacterDevice() ? 'nothing' : 'other');
      if (stats.isDirectory()) walk(child);
    }
  };
  walk('');
  const said = new Map<string, string>();
  for (const path of [...removes, ...(lowerLinks?.keys() ?? [])]) said.set(path, 'nothing');
  for (const path of implied) said.set(path, 'dir');
  for (const [path, { node }] of puts)
    if (path !== '') said.set(path, node.type === 'dir' || node.type === 'symlink' ? node.type : 'other');
  expect(new Map([...found].sort())).toEqual(new Map([...said].sort()));
}

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
  const cpuMs = cpuStopwatch();
  expect(readAll(rawTar({ name: 'p', flag: 'x', content: records }, { name: 'f' }))).toHaveLength(1);
  expect(cpuMs()).toBeLessThan(3000);
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
