/**
 * Answers the chown(2) and mknod(2) of devices of a proot's command: proot would let them succeed and forget them. Owners are
 * recorded for the inode, so that a file keeps its own under another name, and devices as empty files.
 *
 * The caller is hostile. Its path is read once; what is found there is only looked at, recorded, or made in the rootfs's folder.
 */
import { chmodSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { constants as os } from 'node:os';
import { type BytePath, type ByteString, bytesOf, forFs } from '../../bytes/byte-path.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import type { Answer, Notification } from '../../sys/seccomp-listener.ts';
import type { Owner, RecordedOwnership } from '../folder/recorded-ownership.ts';
import { askedName } from '../supervised/asking-filter.ts';
import { AT_FDCWD, callerOf, readPath } from '../supervised/caller.ts';
import { ASKED_CALLS } from './asked-calls.ts';

/** The same number on every architecture that Node runs on; Node's constants lack it. */
const O_PATH = 0o10000000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;

export interface OwnerCalls {
  /** Of the rootfs; absolute, without symlinks. */
  readonly root: string;
  readonly ownership: RecordedOwnership;
  /** The command's USER. Only root's calls are answered here: what others may do the kernel and proot say. */
  readonly user: Owner;
  /** Ids of this process, which proot puts in the place of the user's own. */
  readonly own: Owner;
}

export function answerOwnerCall(question: Notification, calls: OwnerCalls): Answer {
  if (calls.user.uid !== 0) return 'continue';
  try {
    return answer(question, calls);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return -Math.abs(errno);
  }
}

function answer(question: Notification, calls: OwnerCalls): Answer {
  const name = askedName(ASKED_CALLS, process.arch, question);
  const { pid, arguments: args } = question;
  const number = (position: number): number => Number(BigInt.asIntN(32, args[position] ?? 0n));
  const path = (folder: number, position: number): ByteString => hostPath(pid, folder, args[position] ?? 0n);
  switch (name) {
    case undefined:
      return 'continue';
    case 'fchown':
      return chown(`/proc/${pid}/fd/${number(0)}`, [number(1), number(2)], calls);
    case 'chown':
    case 'lchown':
      return chown(path(AT_FDCWD, 0), [number(1), number(2)], calls);
    case 'fchownat':
      return chown(path(number(0), 1), [number(2), number(3)], calls);
    case 'mknod':
      return makeDevice(question, { path: path(AT_FDCWD, 0), mode: number(1), device: args[2] ?? 0n }, calls);
    case 'mknodat':
      return makeDevice(question, { path: path(number(0), 1), mode: number(2), device: args[3] ?? 0n }, calls);
  }
}

/** proot has made the path absolute, and followed its symlinks where the call would. Nothing but a descriptor has an empty path. */
function hostPath(pid: number, folder: number, at: bigint): ByteString {
  const memory = openSync(`/proc/${pid}/mem`, constants.O_RDONLY);
  let path: ByteString;
  try {
    path = readPath(memory, at);
  } finally {
    closeSync(memory);
  }
  if (path.startsWith('/')) return path;
  const from = folder === AT_FDCWD ? 'cwd' : `fd/${folder}`;
  return path === '' ? `/proc/${pid}/${from}` : `/proc/${pid}/${from}/${path}`;
}

function chown(path: ByteString, ids: readonly [number, number], calls: OwnerCalls): Answer {
  // What is below /proc is a descriptor of the caller; nobody owns anything else there.
  const fd = openSync(forFs(path), path.startsWith('/proc/') ? O_PATH : O_PATH | constants.O_NOFOLLOW);
  try {
    const stats = fstatSync(fd, { bigint: true });
    const [uid, gid] = ids;
    calls.ownership.recordOwner(stats, { uid: uid === calls.own.uid ? 0 : uid, gid: gid === calls.own.gid ? 0 : gid });
    // As the kernel does for whoever calls.
    const mode = Number(stats.mode) & 0o7777;
    const kept = (mode & constants.S_IXGRP) === 0 ? mode & ~S_ISUID : mode & ~(S_ISUID | S_ISGID);
    if (stats.isFile() && kept !== mode && (uid !== -1 || gid !== -1)) chmodSync(`/proc/self/fd/${fd}`, kept);
    return 0;
  } finally {
    closeSync(fd);
  }
}

interface DeviceCall {
  readonly path: ByteString;
  readonly mode: number;
  readonly device: bigint;
}

function makeDevice({ pid }: Notification, { path, mode, device }: DeviceCall, { root, ownership }: OwnerCalls): Answer {
  const inside = insideOf(root, path);
  // A folder of the machine is no place for it. Not EPERM, of which proot makes a success.
  if (inside === undefined) return -os.errno.EACCES;
  const { major, minor } = deviceNumbers(BigInt.asUintN(32, device));
  const type = (mode & constants.S_IFMT) === constants.S_IFBLK ? 'block' : 'char';
  ownership.makeDevice(inside, forFs(path), { type, major, minor });
  const meta = { mode: mode & 0o7777 & ~callerOf(pid).umask, uid: 0, gid: 0, mtimeNs: BigInt(Date.now()) * 1_000_000n };
  ownership.apply(inside, forFs(path), meta, 'other');
  return 0;
}

function insideOf(root: string, path: ByteString): BytePath | undefined {
  const top = `${bytesOf(root)}/`;
  return path.startsWith(top) ? path.slice(top.length) : undefined;
}
