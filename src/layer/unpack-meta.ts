/**
 * Owner, mode, xattrs and time of one unpacked file, in the only order that keeps them all: chown clears setuid bits and
 * file capabilities, writing changes the time.
 */
import { chmodSync, fchmodSync, fchownSync, lchownSync } from 'node:fs';
import type { ByteString } from '../bytes/byte-path.ts';
import { setMtime, setMtimeOf } from '../sys/times.ts';
import { setXattr } from '../sys/xattr.ts';
import { DEVICE_MARK } from './device-marks.ts';
import type { FileMeta } from './entry.ts';

/** Ordinary users cannot chown; in a user namespace they can. */
export type Owners = 'apply' | 'skip';

/** `type` 'symlink': has no mode of its own. Symlinks are never followed, provided that `path`'s parents are none. */
export function applyMeta(path: string | Buffer, meta: FileMeta, type: 'symlink' | 'other', owners: Owners): void {
  if (owners === 'apply') lchownSync(path, meta.uid, meta.gid);
  if (type === 'other') chmodSync(path, meta.mode);
  if (meta.xattrs !== undefined) applyXattrs(path, meta.xattrs);
  setMtime(path, meta.mtimeNs);
}

/** Whom the file system gives a new file. */
export interface Creator {
  readonly uid: number;
  readonly gid: number;
}

/** The same for a file that was just made and is open as `fd`, which spares looking up its path and giving it to whose it is. */
export function applyMetaOf(fd: number, path: string | Buffer, meta: FileMeta, creator: Creator | 'skip'): void {
  if (creator !== 'skip' && (meta.uid !== creator.uid || meta.gid !== creator.gid)) fchownSync(fd, meta.uid, meta.gid);
  fchmodSync(fd, meta.mode);
  if (meta.xattrs !== undefined) applyXattrs(path, meta.xattrs);
  setMtimeOf(fd, meta.mtimeNs);
}

/**
 * Attributes that the kernel or the file system refuses are left out, as Docker does: `trusted.*` and `security.*` in a
 * user namespace, `user.*` on symlinks, anything on a file system without xattrs. The index keeps them all, so COPY
 * --from and the image itself lose nothing. The overlay's own attributes are never set: in a layer they could redirect a
 * folder to anywhere or fake an opaque one. Nor are marks of devices, which only this machine gives.
 */
export function applyXattrs(path: string | Buffer, xattrs: ReadonlyMap<ByteString, Uint8Array>): void {
  for (const [name, value] of xattrs) {
    if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.') || name === DEVICE_MARK) continue;
    try {
      setXattr(path, name, value);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw error;
    }
  }
}
