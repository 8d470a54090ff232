/** Extended attributes, names and values as bytes; symlinks are never followed. xattr(7), lgetxattr(2). */
import { constants } from 'node:os';
import type { ByteString } from '../bytes/byte-path.ts';
import { checked, cString, libcFunction, systemError } from './libc.ts';

const { ENODATA, ENOTSUP, ERANGE } = constants.errno;

const llistxattr = libcFunction('long llistxattr(const char *path, void *list, size_t size)');
const lgetxattr = libcFunction('long lgetxattr(const char *path, const char *name, void *value, size_t size)');
const lsetxattr = libcFunction('int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)');
const lremovexattr = libcFunction('int lremovexattr(const char *path, const char *name)');
const fsetxattr = libcFunction('int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)');

/** Grows on demand; Linux allows 64 KiB for the list and for each value (XATTR_SIZE_MAX). */
const FIRST_GUESS = 4096;

/** All attributes that this process may see, in byte order of names; undefined when there are none or the file system has no xattrs. */
export function readXattrs(path: string | Buffer): ReadonlyMap<ByteString, Uint8Array> | undefined {
  const names = listNames(path);
  if (names.length === 0) return undefined;
  const found = new Map<ByteString, Uint8Array>();
  for (const name of names.sort()) {
    const value = getXattr(path, name);
    if (value !== undefined) found.set(name, value);
  }
  return found.size === 0 ? undefined : found;
}

/** undefined: the file has no such attribute, or its file system has no xattrs. */
export function getXattr(path: string | Buffer, name: ByteString): Uint8Array | undefined {
  const file = cString(path);
  const key = cString(Buffer.from(name, 'latin1'));
  const length = sized((buffer) => lgetxattr(file, key, buffer, buffer.length));
  if (typeof length !== 'number') return length;
  if (length === -ENODATA || length === -ENOTSUP) return undefined;
  throw systemError(-length, 'lgetxattr', path);
}

/** Creates or replaces one attribute. Throws EPERM, ENOTSUP and the like with `.code`. */
export function setXattr(path: string | Buffer, name: ByteString, value: Uint8Array): void {
  checked(lsetxattr(cString(path), cString(Buffer.from(name, 'latin1')), value, value.length, 0), 'lsetxattr', path);
}

/** Throws ENODATA where there is no such attribute, EPERM and the like. */
export function removeXattr(path: string | Buffer, name: ByteString): void {
  checked(lremovexattr(cString(path), cString(Buffer.from(name, 'latin1'))), 'lremovexattr', path);
}

/** As setXattr, for an open file. */
export function setXattrOf(fd: number, name: ByteString, value: Uint8Array): void {
  checked(fsetxattr(fd, cString(Buffer.from(name, 'latin1')), value, value.length, 0), 'fsetxattr');
}

function listNames(path: string | Buffer): ByteString[] {
  const file = cString(path);
  const list = sized((buffer) => llistxattr(file, buffer, buffer.length));
  if (typeof list === 'number') {
    if (list === -ENOTSUP) return [];
    throw systemError(-list, 'llistxattr', path);
  }
  if (list.length === 0) return [];
  return list.toString('latin1').split('\0').slice(0, -1);
}

/** Calls with a growing buffer until the answer fits; a negative number is the call's error. */
function sized(call: (buffer: Buffer) => number): Buffer | number {
  for (let size = FIRST_GUESS; ; size *= 4) {
    const buffer = Buffer.allocUnsafe(size);
    const length = call(buffer);
    // A copy: the guess is much larger than most values, which are kept.
    if (length >= 0) return Buffer.from(buffer.subarray(0, length));
    if (length !== -ERANGE) return length;
  }
}
