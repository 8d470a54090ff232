/**
 * Who owns the files of a folder that holds layers, and what else of them the machine may refuse to store. Two know it: the
 * kernel, or, for an ordinary user, a record in memory.
 */
import type { BigIntStats } from 'node:fs';
import type { BytePath, ByteString } from '../../bytes/byte-path.ts';
import type { DeviceNode } from '../../layer/device-marks.ts';
import type { FileMeta } from '../../layer/entry.ts';

/** For fs calls. */
export type HostPath = string | Buffer;

export type Xattrs = ReadonlyMap<ByteString, Uint8Array>;

/** A file as the image has it, where that may differ from what lies on the disk. */
export interface Seen {
  /** Type and permissions: st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of devices; else 0. */
  readonly rdev: bigint;
  /** Of what lies on the disk. */
  readonly stats: BigIntStats;
}

/** `path` is the one inside the rootfs, `host` the same file for fs calls, whose parents are no symlinks. Symlinks are never followed. */
export interface Ownership {
  /** Gives a file that was just made the metadata that a layer says. */
  apply(path: BytePath, host: HostPath, meta: FileMeta, type: 'symlink' | 'other'): void;
  /** The same for a folder that has other metadata already. */
  replace(path: BytePath, host: HostPath, meta: FileMeta): void;
  /** Makes a device node or what stands for it; `apply` comes next. Throws EEXIST, and EPERM where the kernel makes none. */
  makeDevice(path: BytePath, host: HostPath, node: DeviceNode): void;
  /** `stats`: of the file as it is. What is met for the first time belongs to the owner of new files. The file can be read from then on. */
  see(path: BytePath, host: HostPath, stats: BigIntStats): Seen;
  /** undefined: none. */
  xattrs(path: BytePath, host: HostPath, stats: BigIntStats): Xattrs | undefined;
}
