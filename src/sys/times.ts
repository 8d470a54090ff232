/** Modification times to the nanosecond, which Node's lutimes cannot set (it takes floating-point seconds). utimensat(2). */
import { checked, cString, libcFunction } from './libc.ts';

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SECOND = 1_000_000_000n;

// The buffer is `struct timespec[2]` of 64-bit machines.
const utimensat = libcFunction('int utimensat(int dirfd, const char *path, const void *times, int flags)');
const futimens = libcFunction('int futimens(int fd, const void *times)');

/** Sets mtime, and atime to the same; a symlink's own. Before 1970 is negative. File systems may clamp what they cannot keep. */
export function setMtime(path: string | Buffer, mtimeNs: bigint): void {
  checked(utimensat(AT_FDCWD, cString(path), timesOf(mtimeNs), AT_SYMLINK_NOFOLLOW), 'utimensat', path);
}

/** The same for an open file. */
export function setMtimeOf(fd: number, mtimeNs: bigint): void {
  checked(futimens(fd, timesOf(mtimeNs)), 'futimens');
}

function timesOf(mtimeNs: bigint): BigInt64Array {
  // tv_nsec counts up from the second below, also before 1970.
  const nanoseconds = ((mtimeNs % SECOND) + SECOND) % SECOND;
  const seconds = (mtimeNs - nanoseconds) / SECOND;
  return new BigInt64Array([seconds, nanoseconds, seconds, nanoseconds]);
}
