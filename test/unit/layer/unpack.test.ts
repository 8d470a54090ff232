import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createTarReader } from '../../../src/layer/tar/read.ts';
import { createUnpacker, type UnpackOptions } from '../../../src/layer/unpack.ts';
import { makeNode } from '../../../src/sys/mknod.ts';
import { removeTree } from '../../../src/sys/remove-tree.ts';
import { getXattr, setXattr } from '../../../src/sys/xattr.ts';
import { type RawMember, rawPax, rawTar } from './raw-tar.ts';
import { feed } from './read-all.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-unpack-'));
// Also folders that an ordinary user may not enter.
afterAll(() => removeTree(scratch));
const isRoot = process.getuid?.() === 0;

function works(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
writeFileSync(join(scratch, 'probe'), '');
const hasUserXattrs = works(() => setXattr(join(scratch, 'probe'), 'user.probe', Buffer.from('1')));
const hasTrustedXattrs = works(() => setXattr(join(scratch, 'probe'), 'trusted.probe', Buffer.from('1')));
const hasDevices = works(() => makeNode(join(scratch, 'probe-device'), { type: 'char', mode: 0, major: 1, minor: 3 }));
const style = hasTrustedXattrs ? 'trusted' : 'user';

/** Ordinary users cannot chown, so the same tests run for them without owners. */
function unpack(members: readonly (RawMember | Buffer)[], more: Partial<UnpackOptions> = {}): string {
  const folder = mkdtempSync(join(scratch, 'layer-'));
  feed(createUnpacker({ folder, style, owners: isRoot ? 'apply' : 'skip', ...more }), rawTar(...members), 700);
  return folder;
}

function isWhiteout(path: string): boolean {
  const stats = lstatSync(path);
  return stats.isCharacterDevice() && stats.rdev === 0;
}

test('files, folders and links are what the tar says, times to the nanosecond', () => {
  const folder = unpack([
    { name: 'd/', flag: '5', mode: '0001770\0' },
    rawPax([['mtime', '1000.000000007']]),
    { name: 'd/f', content: 'x'.repeat(2000), mode: '0004751\0' },
    { name: 'd/l', flag: '2', target: 'f' },
    { name: 'd/h', flag: '1', target: 'd/f' },
    { name: 'd/empty', mode: '0000000\0' },
  ]);
  const stats = lstatSync(join(folder, 'd/f'), { bigint: true });
  expect(stats.mode & 0o7777n).toBe(0o4751n);
  expect(stats.mtimeNs).toBe(1_000_000_000_007n);
  expect(stats.nlink).toBe(2n);
  expect(readFileSync(join(folder, 'd/h'), 'utf8')).toBe('x'.repeat(2000));
  expect(readlinkSync(join(folder, 'd/l'))).toBe('f');
  expect(lstatSync(join(folder, 'd/l'), { bigint: true }).mtimeNs).toBe(lstatSync(join(folder, 'd/empty'), { bigint: true }).mtimeNs);
  const dir = lstatSync(join(folder, 'd'), { bigint: true });
  expect(dir.mode & 0o7777n).toBe(0o1770n);
  expect(dir.mtimeNs).toBe(BigInt(0o14717452000) * 1_000_000_000n);
});

test('implied folders and the root are 0755 at time 0', () => {
  const folder = unpack([{ name: 'a/b/c', content: 'x' }]);
  for (const path of ['', 'a', 'a/b']) {
    const stats = lstatSync(join(folder, path), { bigint: true });
    expect([stats.mode & 0o7777n, stats.mtimeNs], path).toEqual([0o755n, 0n]);
    if (isRoot) expect([stats.uid, stats.gid]).toEqual([0n, 0n]);
  }
});

test('the root takes the metadata of its own entry', () => {
  expect(lstatSync(unpack([{ name: './', flag: '5', mode: '0000711\0' }])).mode & 0o7777).toBe(0o711);
});

test('whiteouts are devices 0:0, and removing and putting in one layer makes an opaque folder or the file', () => {
  const folder = unpack([
    { name: 'a/.wh.gone' },
    { name: '.wh.d' },
    { name: 'd/new', content: 'x' },
    { name: 'f', content: 'new' },
    { name: '.wh.f' },
  ]);
  expect(isWhiteout(join(folder, 'a/gone'))).toBe(true);
  expect(readFileSync(join(folder, 'f'), 'utf8')).toBe('new');
  expect(getXattr(join(folder, 'd'), `${style}.overlay.opaque`)?.toString()).toBe('y');
  expect(readdirSync(folder).sort()).toEqual(['a', 'd', 'f']);
});

test('nothing but files is made where nobody mounts an overlay: a container lets nobody make its marks', () => {
  const folder = unpack(
    [
      { name: 'd/' },
      { name: 'd/.wh.gone' },
      { name: 'd/.wh..wh..opq' },
      { name: 'd/f', content: 'x' },
      { name: 'linked', flag: '1', target: 'of/a/lower/layer' },
    ].map((member) => (member.name === 'd/' ? { ...member, flag: '5' } : member)),
    { style: 'none' },
  );
  expect(readdirSync(folder).sort()).toEqual(['d', 'linked']);
  expect(readdirSync(join(folder, 'd'))).toEqual(['f']);
  for (const name of ['trusted', 'user']) expect(getXattr(join(folder, 'd'), `${name}.overlay.opaque`)).toBeUndefined();
  expect(lstatSync(join(folder, 'linked')).isFile()).toBe(true);
});

test.skipIf(!hasTrustedXattrs)('opaque folders carry trusted.overlay.opaque', () => {
  const folder = unpack([{ name: 'd/.wh..wh..opq' }, { name: '.wh..wh..opq' }], { style: 'trusted' });
  expect(getXattr(join(folder, 'd'), 'trusted.overlay.opaque')?.toString()).toBe('y');
  expect(getXattr(folder, 'trusted.overlay.opaque')?.toString()).toBe('y');
});

test.skipIf(!hasUserXattrs)('in a user namespace opaque folders carry user.overlay.opaque', () => {
  const folder = unpack([{ name: 'd/.wh..wh..opq' }], { style: 'user' });
  expect(getXattr(join(folder, 'd'), 'user.overlay.opaque')?.toString()).toBe('y');
});

test.skipIf(!hasUserXattrs)('xattrs are set as bytes; what the kernel refuses is left out; the overlay private ones never are set', () => {
  const folder = unpack([
    rawPax([
      ['SCHILY.xattr.user.k', Buffer.from([0, 255, 10])],
      ['SCHILY.xattr.user.overlay.redirect', '/etc'],
      ['SCHILY.xattr.trusted.overlay.opaque', 'y'],
      ['SCHILY.xattr.nonsense.k', 'v'],
    ]),
    { name: 'f', content: 'x' },
    rawPax([['SCHILY.xattr.user.k', 'v']]),
    { name: 'l', flag: '2', target: 'f' },
  ]);
  expect([...(getXattr(join(folder, 'f'), 'user.k') ?? [])]).toEqual([0, 255, 10]);
  expect(getXattr(join(folder, 'f'), 'user.overlay.redirect')).toBeUndefined();
  expect(getXattr(join(folder, 'f'), 'trusted.overlay.opaque')).toBeUndefined();
});

test.skipIf(!isRoot)('owner, setuid bit and file capability all survive each other', () => {
  const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
  const folder = unpack([
    rawPax([
      ['uid', '3000000'],
      ['gid', '70000'],
      ['SCHILY.xattr.security.capability', capability],
    ]),
    { name: 'ping', content: 'x', mode: '0006755\0' },
    rawPax([['uid', '1000']]),
    { name: 'l', flag: '2', target: 'ping' },
  ]);
  const stats = lstatSync(join(folder, 'ping'));
  expect([stats.uid, stats.gid, stats.mode & 0o7777]).toEqual([3_000_000, 70_000, 0o6755]);
  expect(getXattr(join(folder, 'ping'), 'security.capability')).toEqual(capability);
  expect(execFileSync('getcap', [join(folder, 'ping')], { encoding: 'utf8' })).toContain('cap_net_raw=ep');
  expect(lstatSync(join(folder, 'l')).uid).toBe(1000);
});

test.skipIf(!isRoot)('each file gets its own owner, also where the file system gives new ones another group than ours', () => {
  const folder = mkdtempSync(join(scratch, 'setgid-'));
  chownSync(folder, 0, 1234);
  chmodSync(folder, 0o2755);
  const members = [
    { name: 'd/', flag: '5', mode: '0000755\0' },
    { name: 'd/ours', content: 'x', mode: '0000644\0' },
    rawPax([['gid', '1234']]),
    { name: 'd/theirs', content: 'x', mode: '0002755\0' },
    { name: 'd/ours again', content: 'x', mode: '0004755\0' },
  ];
  feed(createUnpacker({ folder, style, owners: 'apply' }), rawTar(...members), 700);
  const found = ['d', 'd/ours', 'd/theirs', 'd/ours again'].map((path) => {
    const { uid, gid, mode } = lstatSync(join(folder, path));
    return [uid, gid, (mode & 0o7777).toString(8)];
  });
  expect(found).toEqual([
    [0, 0, '755'],
    [0, 0, '644'],
    [0, 1234, '2755'],
    [0, 0, '4755'],
  ]);
});

test.skipIf(!hasDevices)('devices and fifos are made with their numbers', () => {
  const folder = unpack([
    { name: 'null', flag: '3', major: '0000001\0', minor: '0000003\0', mode: '0000666\0' },
    { name: 'pipe', flag: '6', mode: '0000622\0' },
  ]);
  expect(execFileSync('stat', ['-c', '%F %t:%T %a', join(folder, 'null')], { encoding: 'utf8' }).trim()).toBe(
    'character special file 1:3 666',
  );
  expect(lstatSync(join(folder, 'pipe')).isFIFO()).toBe(true);
});

test.skipIf(hasDevices)('a device that may not be made becomes a whiteout, so that nothing else shows in its place', () => {
  expect(isWhiteout(join(unpack([{ name: 'null', flag: '3', major: '0000001\0', minor: '0000003\0' }]), 'null'))).toBe(true);
});

test('sparse files are written with their holes', () => {
  const folder = unpack([
    rawPax([
      ['GNU.sparse.map', '0,1,1048576,1'],
      ['GNU.sparse.size', '8388608'],
    ]),
    { name: 'sparse', content: 'ab' },
    rawPax([
      ['GNU.sparse.map', ''],
      ['GNU.sparse.size', '1000000000000'],
    ]),
    { name: 'all-hole', content: '' },
  ]);
  const stats = lstatSync(join(folder, 'sparse'));
  expect(stats.size).toBe(8_388_608);
  expect(stats.blocks * 512).toBeLessThan(1_000_000);
  const content = readFileSync(join(folder, 'sparse'));
  expect([content[0], content[1], content[1_048_576], content[1_048_577]]).toEqual([97, 0, 98, 0]);
  expect(lstatSync(join(folder, 'all-hole')).size).toBe(1_000_000_000_000);
});

test('the last member of a path wins, whatever the kinds', () => {
  const folder = unpack([
    { name: 'a', content: 'old' },
    { name: 'a', content: 'new' },
    { name: 'b/', flag: '5' },
    { name: 'b/x/y', content: '1' },
    { name: 'b/.wh.z' },
    { name: 'b', flag: '2', target: 'a' },
    { name: 'c', flag: '2', target: '/etc' },
    { name: 'c/', flag: '5', mode: '0000755\0' },
    { name: 'c/inside', content: '2' },
    { name: 'd/', flag: '5', mode: '0000700\0' },
    { name: 'd/kept', content: '3' },
    { name: 'd/', flag: '5', mode: '0000711\0' },
    { name: 'h', flag: '1', target: 'a' },
    { name: 'h', content: 'own' },
  ]);
  expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
  expect(readlinkSync(join(folder, 'b'))).toBe('a');
  expect(lstatSync(join(folder, 'c')).isDirectory()).toBe(true);
  expect(readFileSync(join(folder, 'c/inside'), 'utf8')).toBe('2');
  expect(readFileSync(join(folder, 'd/kept'), 'utf8')).toBe('3');
  expect(lstatSync(join(folder, 'd')).mode & 0o7777).toBe(0o711);
  expect(readFileSync(join(folder, 'h'), 'utf8')).toBe('own');
});

test('names of bytes that are not UTF-8 are kept', () => {
  const folder = unpack([rawPax([['path', 'd\xff/\xfe']]), { name: 'x', content: 'odd' }]);
  const path = Buffer.concat([Buffer.from(`${folder}/d`), Buffer.from([0xff, 0x2f, 0xfe])]);
  expect(readFileSync(path, 'utf8')).toBe('odd');
});

test('a hard link to a file of a lower layer is left to whoever stacks the layers', () => {
  const folder = unpack([
    { name: 'perl5', flag: '1', target: 'perl' },
    { name: 'perl5.36', flag: '1', target: 'perl5' },
  ]);
  for (const name of ['perl5', 'perl5.36']) {
    const { rdev } = lstatSync(join(folder, name));
    expect([lstatSync(join(folder, name)).isCharacterDevice(), rdev]).toEqual([true, 0]);
  }
});

test('a folder that is not empty is not unpacked into', () => {
  const folder = unpack([{ name: 'f' }]);
  expect(() => createUnpacker({ folder, style, owners: 'skip' })).toThrow(/empty/);
});

test('an abort in the middle of a file closes it', () => {
  const folder = mkdtempSync(join(scratch, 'layer-'));
  const before = readdirSync('/proc/self/fd').length;
  const reader = createTarReader(createUnpacker({ folder, style, owners: 'skip' }));
  reader.write(rawTar({ name: 'f', content: 'x'.repeat(5000) }).subarray(0, 2000));
  expect(readdirSync('/proc/self/fd').length).toBe(before + 1);
  reader.abort();
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

test('what the file system refuses is STORE_FAILED and names the file', () => {
  const folder = mkdtempSync(join(scratch, 'layer-'));
  const reader = createTarReader(createUnpacker({ folder, style, owners: 'skip' }));
  rmSync(folder, { recursive: true });
  expect(() => reader.write(rawTar({ name: 'some/file' }))).toThrow(
    expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('some/file') }),
  );
});
