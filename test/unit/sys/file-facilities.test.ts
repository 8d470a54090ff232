import { execFileSync } from 'node:child_process';
import { closeSync, lstatSync, mkdtempSync, openSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tryLock, unlock } from '../../../src/sys/flock.ts';
import { cString, libcFunction } from '../../../src/sys/libc.ts';
import { makeNode } from '../../../src/sys/mknod.ts';
import { spreadFolders } from '../../../src/sys/spread-folders.ts';
import { setMtime } from '../../../src/sys/times.ts';
import { getXattr, readXattrs, setXattr } from '../../../src/sys/xattr.ts';

const folder = mkdtempSync(join(tmpdir(), 'tsbuild-sys-'));
afterAll(() => rmSync(folder, { recursive: true }));
const isRoot = process.getuid?.() === 0;

function file(name: string, text = ''): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

function canDo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
const userXattrs = canDo(() => setXattr(file('probe'), 'user.probe', Buffer.from('1')));
const devices = isRoot && canDo(() => makeNode(join(folder, 'probe-device'), { type: 'char', mode: 0, major: 0, minor: 0 }));

test.skipIf(!userXattrs)('xattr values keep every byte, and names come back in byte order', () => {
  const path = file('xattrs');
  const value = Uint8Array.from({ length: 256 }, (_, i) => i);
  setXattr(path, 'user.z', value);
  setXattr(path, 'user.a', new Uint8Array(0));
  const found = readXattrs(path);
  expect([...(found?.keys() ?? [])]).toEqual(['user.a', 'user.z']);
  expect([...(found?.get('user.z') ?? [])]).toEqual([...value]);
  expect(getXattr(path, 'user.a')?.length).toBe(0);
});

test.skipIf(!userXattrs)('a path of bytes that are not UTF-8 is taken as it is', () => {
  const path = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
  writeFileSync(path, '');
  setXattr(path, 'user.k', Buffer.from('v'));
  expect(getXattr(path, 'user.k')?.toString()).toBe('v');
});

test('a file without xattrs has none, and an absent attribute is undefined', () => {
  const path = file('plain');
  expect(getXattr(path, 'user.none')).toBeUndefined();
  expect(readXattrs(path)?.get('user.none')).toBeUndefined();
  expect(getXattr('/proc/self/status', 'user.none')).toBeUndefined();
});

test('a missing file is an error with code, syscall and path', () => {
  expect(() => readXattrs(join(folder, 'missing'))).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'llistxattr', path: join(folder, 'missing') }),
  );
  expect(() => setMtime(join(folder, 'missing'), 0n)).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'utimensat' }));
});

test('a path with a NUL byte is refused instead of being cut short', () => {
  expect(() => cString('/etc/passwd\0.txt')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(() => setMtime(Buffer.from(`${file('nul')}\0x`), 0n)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

test('times are exact to the nanosecond and may be before 1970', () => {
  const path = file('times');
  for (const wanted of [1_700_000_000_123_456_789n, 0n, -1n, -1_500_000_001n]) {
    setMtime(path, wanted);
    expect(lstatSync(path, { bigint: true }).mtimeNs).toBe(wanted);
    expect(lstatSync(path, { bigint: true }).atimeNs).toBe(wanted);
  }
});

test('the time of a symlink is its own', () => {
  const target = file('target');
  setMtime(target, 5_000_000_000n);
  const link = join(folder, 'link');
  symlinkSync('target', link);
  setMtime(link, 7_000_000_007n);
  expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(7_000_000_007n);
  expect(lstatSync(target, { bigint: true }).mtimeNs).toBe(5_000_000_000n);
  expect(readlinkSync(link)).toBe('target');
});

test('a fifo gets exactly its mode whatever the umask', () => {
  const path = join(folder, 'fifo');
  makeNode(path, { type: 'fifo', mode: 0o666, major: 0, minor: 0 });
  const stats = lstatSync(path);
  expect(stats.isFIFO()).toBe(true);
  expect(stats.mode & 0o7777).toBe(0o666);
});

test.skipIf(!devices)('device numbers are what stat(1) sees', () => {
  const path = join(folder, 'device');
  makeNode(path, { type: 'block', mode: 0o640, major: 259, minor: 70_000 });
  expect(execFileSync('stat', ['-c', '%F %t %T %a', path], { encoding: 'utf8' }).trim()).toBe(
    `block special file ${(259).toString(16)} ${(70_000).toString(16)} 640`,
  );
});

test.skipIf(isRoot)('a device node made by an ordinary user is EPERM', () => {
  expect(() => makeNode(join(folder, 'refused'), { type: 'char', mode: 0o600, major: 1, minor: 3 })).toThrow(
    expect.objectContaining({ code: 'EPERM', syscall: 'mknod' }),
  );
});

test('an exclusive lock keeps others out until it is released; shared ones go together', () => {
  const path = file('lock');
  const [a, b] = [openSync(path, 'r'), openSync(path, 'r')];
  expect(tryLock(a, 'exclusive')).toBe(true);
  expect(tryLock(b, 'shared')).toBe(false);
  unlock(a);
  expect(tryLock(b, 'shared')).toBe(true);
  expect(tryLock(a, 'shared')).toBe(true);
  expect(tryLock(a, 'exclusive')).toBe(false);
  closeSync(b);
  expect(tryLock(a, 'exclusive')).toBe(true);
  closeSync(a);
  expect(() => tryLock(a, 'shared')).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'flock' }));
});

test('results that are not failures are handed through', () => {
  expect(libcFunction('int getpid(void)')()).toBe(process.pid);
});

const chattr = canDo(() => execFileSync('chattr', ['+T', mkdtempSync(join(folder, 'probe-'))], { stdio: 'ignore' }));

test.skipIf(!chattr)('a folder whose folders are to be spread keeps the other attributes that it has', () => {
  const spread = mkdtempSync(join(folder, 'spread-'));
  execFileSync('chattr', ['+A', spread]);
  spreadFolders(spread);
  const [attributes] = execFileSync('lsattr', ['-d', spread], { encoding: 'latin1' }).split(' ');
  expect(attributes).toMatch(/A.*T/);
});

test('folders that cannot be spread, on file systems that know no such thing, are left as they are', () => {
  expect(() => spreadFolders('/proc/self')).not.toThrow();
});
