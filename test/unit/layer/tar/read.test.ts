import { expect, test } from 'vitest';
import { base256, rawHeader, rawMember, rawPax, rawTar } from '../raw-tar.ts';
import { feed, readAll } from '../read-all.ts';

const invalid = expect.objectContaining({ code: 'LAYER_INVALID' });

test('members and contents are the same however the archive is cut into chunks', () => {
  const tar = rawTar(
    { name: 'dir/', flag: '5', mode: '0001755\0' },
    { name: 'dir/file', content: 'x'.repeat(1500) },
    rawPax([['path', 'dir/long'.padEnd(300, 'g')]]),
    { name: 'ignored', content: 'y'.repeat(512) },
    { name: 'link', flag: '2', target: 'dir/file' },
    { name: 'empty' },
  );
  const whole = readAll(tar);
  expect(whole.map(({ name, type, size }) => [name, type, size])).toEqual([
    ['dir/', 'dir', 0],
    ['dir/file', 'file', 1500],
    ['dir/long'.padEnd(300, 'g'), 'file', 512],
    ['link', 'symlink', 0],
    ['empty', 'file', 0],
  ]);
  expect(whole[0]?.meta.mode).toBe(0o1755);
  for (const step of [1, 7, 511, 512, 513, 1000]) expect(readAll(tar, step)).toEqual(whole);
});

test('content comes without being copied', () => {
  const tar = rawTar({ name: 'file', content: 'abc' });
  let view: Buffer | undefined;
  feed({ member: () => undefined, content: (bytes) => void (view = bytes), hole: () => undefined }, tar);
  expect(view?.buffer).toBe(tar.buffer);
});

test('a POSIX prefix comes before the name, GNU archives have none', () => {
  expect(readAll(rawTar({ name: 'b', prefix: 'a' }))[0]?.name).toBe('a/b');
  expect(readAll(rawTar({ name: 'b', prefix: '12345', magic: 'ustar  \0' }))[0]?.name).toBe('b');
  expect(readAll(rawTar({ name: 'b', magic: '\0\0\0\0\0\0\0\0', prefix: 'a' }))[0]?.name).toBe('b');
});

test('GNU long names and targets are taken, up to their NUL', () => {
  const [member] = readAll(
    rawTar(
      { name: '././@LongLink', flag: 'L', content: `${'n'.repeat(200)}\0rest` },
      { name: '././@LongLink', flag: 'K', content: `${'t'.repeat(200)}\0` },
      { name: 'short', flag: '2', target: 'short' },
    ),
  );
  expect(member?.name).toBe('n'.repeat(200));
  expect(member?.target).toBe('t'.repeat(200));
});

test('numbers in base-256 are read, negative times included', () => {
  const [member] = readAll(
    rawTar(
      { name: 'f', uid: base256(3_000_000n, 8), mtime: base256(-5n), size: base256(3n), content: Buffer.alloc(0) },
      Buffer.concat([Buffer.from('abc'), Buffer.alloc(509)]),
    ),
  );
  expect(member?.meta.uid).toBe(3_000_000);
  expect(member?.meta.mtimeNs).toBe(-5_000_000_000n);
  expect(member?.content.toString()).toBe('abc');
});

test('PAX records of a member win over its header and do not outlive it', () => {
  const [first, second] = readAll(
    rawTar(
      rawPax([
        ['path', 'caf\xc3\xa9\xff'],
        ['uid', '3000000'],
        ['gid', '4000000'],
        ['mtime', '-1.25'],
        ['size', '4'],
        ['atime', '1'],
        ['SCHILY.xattr.security.capability', Buffer.from([1, 0, 0x0a, 0xff])],
        ['comment', 'nothing'],
      ]),
      { name: 'x', size: '00000000000\0' },
      Buffer.concat([Buffer.from('data'), Buffer.alloc(508)]),
      { name: 'second' },
    ),
  );
  expect(first?.name).toBe('caf\xc3\xa9\xff');
  expect(first?.meta).toMatchObject({ uid: 3_000_000, gid: 4_000_000, mtimeNs: -1_250_000_000n });
  expect([...(first?.meta.xattrs?.get('security.capability') ?? [])]).toEqual([1, 0, 10, 255]);
  expect(first?.content.toString()).toBe('data');
  expect(second?.name).toBe('second');
  expect(second?.meta.xattrs).toBeUndefined();
});

test.each([
  ['1.5', 1_500_000_000n],
  ['1.000000001', 1_000_000_001n],
  ['1.0000000019', 1_000_000_001n],
  ['-0.000000001', -1n],
  ['4294967296', 4_294_967_296_000_000_000n],
  ['7.', 7_000_000_000n],
])('a PAX time of %s is %s ns', (text, wanted) => {
  expect(readAll(rawTar(rawPax([['mtime', text]]), { name: 'f' }))[0]?.meta.mtimeNs).toBe(wanted);
});

test('global PAX records hold until they are changed, and an empty value gives way to the header', () => {
  const members = readAll(
    rawTar(
      rawPax(
        [
          ['uid', '7'],
          ['gid', '8'],
        ],
        'g',
      ),
      { name: 'a' },
      rawPax([['uid', '9']]),
      { name: 'b' },
      rawPax([['uid', '']]),
      { name: 'c', uid: '0000003\0' },
      rawPax([['uid', '']], 'g'),
      { name: 'd' },
    ),
  );
  expect(members.map(({ meta }) => [meta.uid, meta.gid])).toEqual([
    [7, 8],
    [9, 8],
    [3, 8],
    [0, 8],
  ]);
});

test("libarchive's xattrs are decoded, and yield to raw ones of the same name", () => {
  const [member] = readAll(
    rawTar(
      rawPax([
        ['LIBARCHIVE.xattr.user.a%20b', Buffer.from([0, 255]).toString('base64').replace(/=+$/, '')],
        ['SCHILY.xattr.user.k', 'raw'],
        ['LIBARCHIVE.xattr.user.k', Buffer.from('other').toString('base64')],
      ]),
      { name: 'f' },
    ),
  );
  expect([...(member?.meta.xattrs?.get('user.a b') ?? [])]).toEqual([0, 255]);
  expect(Buffer.from(member?.meta.xattrs?.get('user.k') ?? []).toString()).toBe('raw');
});

test('an empty xattr value stays an xattr', () => {
  const [member] = readAll(rawTar(rawPax([['SCHILY.xattr.user.empty', '']]), { name: 'f' }));
  expect(member?.meta.xattrs?.get('user.empty')?.length).toBe(0);
});

test('old archives: folders by their slash, files by a NUL flag, a size on a hard link is not content', () => {
  const members = readAll(
    rawTar(
      { name: 'd/', flag: '\0' },
      { name: 'f', flag: '\0', content: 'a' },
      { name: 'h', flag: '1', target: 'f', size: '00000000001\0' },
    ),
  );
  expect(members.map(({ name, type, size }) => [name, type, size])).toEqual([
    ['d/', 'dir', 0],
    ['f', 'file', 1],
    ['h', 'hardlink', 0],
  ]);
});

test('devices have numbers', () => {
  const [member] = readAll(rawTar({ name: 'null', flag: '3', major: '0000001\0', minor: '0000003\0' }));
  expect(member).toMatchObject({ type: 'char', major: 1, minor: 3 });
});

test.each([
  [
    '0.0',
    [
      ['GNU.sparse.size', '2000'],
      ['GNU.sparse.numblocks', '2'],
      ['GNU.sparse.offset', '512'],
      ['GNU.sparse.numbytes', '3'],
      ['GNU.sparse.offset', '1024'],
      ['GNU.sparse.numbytes', '2'],
    ],
  ],
  [
    '0.1',
    [
      ['GNU.sparse.size', '2000'],
      ['GNU.sparse.numblocks', '2'],
      ['GNU.sparse.name', 'real'],
      ['GNU.sparse.map', '512,3,1024,2'],
    ],
  ],
] as const)('sparse files of PAX format %s are expanded', (_, records) => {
  const [member] = readAll(rawTar(rawPax(records), { name: 'GNUSparseFile.1/real', content: 'abcde' }), 100);
  expect(member?.size).toBe(2000);
  expect(member?.content).toEqual(sparse());
  if (records.some(([key]) => key === 'GNU.sparse.name')) expect(member?.name).toBe('real');
});

test('sparse files of PAX format 1.0 are expanded', () => {
  const map = Buffer.alloc(512);
  map.write('2\n512\n3\n1024\n2\n');
  const [member] = readAll(
    rawTar(
      rawPax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', 'real'],
        ['GNU.sparse.realsize', '2000'],
      ]),
      { name: 'GNUSparseFile.1/real', content: Buffer.concat([map, Buffer.from('abcde')]) },
    ),
    100,
  );
  expect(member).toMatchObject({ name: 'real', size: 2000 });
  expect(member?.content).toEqual(sparse());
});

test('sparse files of the old GNU format are expanded, continuation blocks included', () => {
  const octal = (value: number): string => value.toString(8).padStart(11, '0');
  const more = Buffer.alloc(512);
  more.write(`${octal(1024)}\0${octal(2)}\0`);
  const tar = rawTar(
    rawHeader({
      name: 's',
      flag: 'S',
      magic: 'ustar  \0',
      size: `${octal(5)}\0`,
      patch(block) {
        block.write(`${octal(512)}\0${octal(3)}\0`, 386);
        block[482] = 1;
        block.write(octal(2000), 483);
      },
    }),
    more,
    Buffer.concat([Buffer.from('abcde'), Buffer.alloc(507)]),
  );
  for (const step of [tar.length, 100]) expect(readAll(tar, step)[0]?.content).toEqual(sparse());
});

function sparse(): Buffer {
  const content = Buffer.alloc(2000);
  content.write('abc', 512);
  content.write('de', 1024);
  return content;
}

test.each([
  ['extents that overlap', '0,3,2,2', '2000'],
  ['extents beyond the end', '0,3,1999,2', '2000'],
  ['extents that cover more than there is', '0,3,1000,3', '2000'],
  ['an odd number of numbers', '0,3,1000', '2000'],
  ['a number that is none', '0,3,x,2', '2000'],
  ['a size that is none', '0,3,1000,2', '-1'],
  ['sums beyond 2^53', '0,3,9007199254740991,9007199254740991', '9007199254740991'],
])('a sparse map with %s is refused', (_, map, size) => {
  expect(() =>
    readAll(
      rawTar(
        rawPax([
          ['GNU.sparse.map', map],
          ['GNU.sparse.size', size],
        ]),
        { name: 's', content: 'abcde' },
      ),
    ),
  ).toThrow(invalid);
});

test('an unknown sparse format is refused rather than read as plain content', () => {
  expect(() =>
    readAll(
      rawTar(
        rawPax([
          ['GNU.sparse.major', '2'],
          ['GNU.sparse.minor', '0'],
        ]),
        { name: 's' },
      ),
    ),
  ).toThrow(invalid);
  expect(() => readAll(rawTar(rawPax([['SCHILY.realsize', '5']]), { name: 's' }))).toThrow(invalid);
});

test('an archive without its zero blocks is whole, one that is cut anywhere else is not', () => {
  const tar = rawTar(rawPax([['path', 'long']]), { name: 'f', content: 'x'.repeat(600) });
  const ends = { afterMember: tar.length - 1024, afterOneZeroBlock: tar.length - 512 };
  expect(readAll(tar.subarray(0, ends.afterMember))).toHaveLength(1);
  expect(readAll(tar.subarray(0, ends.afterOneZeroBlock))).toHaveLength(1);
  expect(readAll(Buffer.alloc(0))).toHaveLength(0);
  // Only the padding of the last member may be missing.
  const contentEnd = ends.afterMember - 424;
  for (let end = 1; end < contentEnd; end += 37) {
    expect(() => readAll(tar.subarray(0, end)), `cut at ${end}`).toThrow(invalid);
  }
});

test('what follows the two zero blocks is not read', () => {
  expect(readAll(Buffer.concat([rawTar({ name: 'a' }), Buffer.from('garbage'), rawMember({ name: 'b' })]))).toHaveLength(1);
});

test.each([
  ['a checksum that is wrong', rawTar({ name: 'f', checksum: '000001\0 ' })],
  ['no tar at all', Buffer.alloc(2048, 'x')],
  ['an unknown member type', rawTar({ name: 'f', flag: 'Z' })],
  ['a multi-volume member', rawTar({ name: 'f', flag: 'M' })],
  ['a link without a target', rawTar({ name: 'l', flag: '2' })],
  ['digits that are not octal', rawTar({ name: 'f', mode: '0009644\0' })],
  ['data after one zero block', Buffer.concat([rawMember({ name: 'a' }), Buffer.alloc(512), rawMember({ name: 'b' })])],
  ['a PAX header without a member', rawTar(rawPax([['path', 'x']]))],
  ['a PAX record that is too long for its header', rawTar({ name: 'p', flag: 'x', content: '99 path=abc\n' }, { name: 'f' })],
  ['a PAX record without newline', rawTar({ name: 'p', flag: 'x', content: '12 path=abcd' }, { name: 'f' })],
  ['a PAX record without "="', rawTar({ name: 'p', flag: 'x', content: '12 pathabcd\n' }, { name: 'f' })],
  ['a PAX record of length 0', rawTar({ name: 'p', flag: 'x', content: '0 path=abcd\n' }, { name: 'f' })],
  ['a PAX length that is no number', rawTar({ name: 'p', flag: 'x', content: '-5 path=abc\n' }, { name: 'f' })],
  ['a NUL in a PAX path', rawTar(rawPax([['path', 'a\0b']]), { name: 'f' })],
  ['a PAX time that is none', rawTar(rawPax([['mtime', '1e9']]), { name: 'f' })],
  ['a PAX uid that is negative', rawTar(rawPax([['uid', '-1']]), { name: 'f' })],
  ['the uid that means "no change"', rawTar(rawPax([['uid', '4294967295']]), { name: 'f' })],
  ['a device number out of range', rawTar({ name: 'd', flag: '3', major: '7777777\0' })],
  ['a folder with content', rawTar({ name: 'd/', flag: '0', content: 'x' })],
])('%s is LAYER_INVALID', (_, tar) => {
  expect(() => readAll(tar)).toThrow(invalid);
});

test('a member without a name is the root, as some archivers write it', () => {
  expect(readAll(rawTar({ name: '', flag: '5' }))[0]).toMatchObject({ name: './', type: 'dir' });
});

test('the error of a damaged archive names the last good member', () => {
  expect(() => readAll(Buffer.concat([rawMember({ name: 'the-last-good-one', content: 'x' }), Buffer.alloc(512, 'y')]))).toThrow(
    /the-last-good-one/,
  );
});
