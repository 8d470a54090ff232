/** Owners, modes, xattrs and device nodes as the kernel keeps them: for root. */
import { applyMeta } from '../../layer/unpack-meta.ts';
import { makeNode } from '../../sys/mknod.ts';
import { readXattrs, removeXattr } from '../../sys/xattr.ts';
import type { HostPath, Ownership, Xattrs } from './ownership.ts';

export function kernelOwnership(): Ownership {
  return {
    apply: (_, host, meta, type) => applyMeta(host, meta, type, 'apply'),
    replace(_, host, meta) {
      removeXattrs(host, meta.xattrs);
      applyMeta(host, meta, 'other', 'apply');
    },
    makeDevice: (_, host, { type, major, minor }) => makeNode(host, { type, mode: 0o600, major, minor }),
    see: (_, _host, stats) => ({
      mode: Number(stats.mode),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      rdev: stats.isCharacterDevice() || stats.isBlockDevice() ? stats.rdev : 0n,
      stats,
    }),
    xattrs: (_, host) => readXattrs(host),
  };
}

/** All but those that are set next. What the kernel does not let go, such as a label of SELinux, stays: no layer says anything of it. */
export function removeXattrs(host: HostPath, except: Xattrs | undefined): void {
  for (const name of readXattrs(host)?.keys() ?? []) {
    if (except?.has(name) === true) continue;
    try {
      removeXattr(host, name);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EPERM' && code !== 'EACCES' && code !== 'EOPNOTSUPP' && code !== 'ENOTSUP') throw error;
    }
  }
}
