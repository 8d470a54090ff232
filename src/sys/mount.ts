/** Mounting. mount(2), umount2(2), pivot_root(2), statvfs(3). Always through paths; `/proc/self/fd/N` is one. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { checked, cString, libcFunction } from './libc.ts';
import { syscallConfiguration, syscallPaths, syscallText } from './syscalls.ts';

/** MS_ flags of mount(2). */
export const MOUNT = {
  readonly: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  remount: 32,
  bind: 4096,
  recursive: 16384,
} as const;

const MNT_DETACH = 2;

const mountCall = libcFunction(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const umount2 = libcFunction('int umount2(const char *target, int flags)');
const statvfs = libcFunction('int statvfs(const char *path, void *result)');

export interface MountCall {
  readonly source: string;
  readonly target: string;
  /** Null for bind mounts and remounts. */
  readonly type: string | null;
  readonly flags: number;
  /** Options of the file system. The kernel takes at most one page, and silently cuts off what is beyond it. */
  readonly data?: string;
}

/** Throws a system error with `.code`. */
export function mount({ source, target, type, flags, data = '' }: MountCall): void {
  if (Buffer.byteLength(data) > 4000) throw new Error(`mount options of ${data.length} bytes do not fit a page`);
  const result = mountCall(cString(source), cString(target), type, flags, data === '' ? null : cString(data));
  checked(result, 'mount', target);
}

/** Takes the mount at `target` away at once, even when it is in use. */
export function unmountDetached(target: string): void {
  checked(umount2(cString(target), MNT_DETACH), 'umount2', target);
}

/** Makes `newRoot`, which must be a mount point, the root of this mount namespace; the old root is then mounted at `putOld`. */
export function pivotRoot(newRoot: string, putOld: string): void {
  checked(syscallPaths('pivot_root', newRoot, putOld), 'pivot_root', newRoot);
}

/** Where f_flag lies in `struct statvfs` of 64-bit glibc and musl. */
const F_FLAG = 72;
/** ST_RDONLY, ST_NOSUID, ST_NODEV, ST_NOEXEC have the values of their MS_ flags. */
const RESTRICTIONS = MOUNT.readonly | MOUNT.nosuid | MOUNT.nodev | MOUNT.noexec;

/** The read-only, nosuid, nodev and noexec flags of the mount that `path` is on: in a user namespace a remount must not drop them. */
export function restrictionsOf(path: string | Buffer): number {
  const result = Buffer.alloc(256);
  checked(statvfs(cString(path), result), 'statvfs', path);
  return result.readUInt32LE(F_FLAG) & RESTRICTIONS;
}

const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;

/**
 * Whether the kernel makes this file system with these options, without mounting it anywhere: 'unknown' on kernels before
 * 5.2, which cannot do that. Needs the rights of a mount. Throws the system error of a mount that fails.
 */
export function tryFileSystem(type: string, options: Readonly<Record<string, string>>, flags: readonly string[]): 'works' | 'unknown' {
  const context = syscallText('fsopen', type, FSOPEN_CLOEXEC);
  if (context === -constants.errno.ENOSYS) return 'unknown';
  checked(context, 'fsopen');
  try {
    for (const [key, value] of Object.entries(options)) {
      checked(syscallConfiguration('fsconfig', context, FSCONFIG_SET_STRING, key, value), `fsconfig ${key}`);
    }
    for (const flag of flags) checked(syscallConfiguration('fsconfig', context, FSCONFIG_SET_FLAG, flag, null), `fsconfig ${flag}`);
    checked(syscallConfiguration('fsconfig', context, FSCONFIG_CMD_CREATE, null, null), 'fsconfig create');
    return 'works';
  } finally {
    closeSync(context);
  }
}
