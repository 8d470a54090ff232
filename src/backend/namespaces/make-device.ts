/**
 * What mknod(2) of a device does for a process in the sandbox of an ordinary user: an empty, marked file appears in the
 * rootfs, which the layer has as the device (layer/device-marks.ts). Only for who might make it if the kernel allowed any:
 * all else is left to the kernel, which refuses it.
 *
 * The caller is hostile. Its path is read once, and every step of the way is opened without following anything, from its own
 * root, inside its own mounts; the file is made in the rootfs's file system or its /dev and nowhere else, and changed only
 * by its descriptor.
 */
import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync, readlinkSync } from 'node:fs';
import { constants as os } from 'node:os';
import { type ByteString, forFs } from '../../bytes/byte-path.ts';
import { DEVICE_MARK, type DeviceMarks, type DeviceNode } from '../../layer/device-marks.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import { systemError } from '../../sys/libc.ts';
import type { Answer, Notification } from '../../sys/seccomp-listener.ts';
import { setXattrOf } from '../../sys/xattr.ts';
import { AT_FDCWD, callerOf, readPath } from '../supervised/caller.ts';
import { askedCall } from './sandbox/seccomp-filter.ts';

export interface DevicePlace {
  /** st_dev of the rootfs. */
  readonly rootfs: number;
  /** st_dev of its /dev, which ends with the command: what is made there needs no mark. */
  readonly memory: number;
  readonly marks: DeviceMarks;
  /** Whether the caller still waits, so that its pid is no other's yet. */
  isWaiting(): boolean;
}

/** The same number on every architecture that Node runs on; Node's constants lack it. */
const O_PATH = 0o10000000;
const S_ISGID = 0o2000;
const MAX_SYMLINKS = 40;
/** CAP_MKNOD and CAP_DAC_OVERRIDE: without the second the kernel would have to ask more. */
const NEEDED = (1n << 27n) | (1n << 1n);

export function makeDevice(question: Notification, place: DevicePlace): Answer {
  const opened = new Set<number>();
  const descriptors: Descriptors = {
    open(path, flags) {
      const fd = openSync(path, flags, 0);
      opened.add(fd);
      return fd;
    },
    close(fd) {
      if (opened.delete(fd)) closeSync(fd);
    },
  };
  try {
    return make(question, place, descriptors);
  } catch (error) {
    const { errno, code } = error as NodeJS.ErrnoException;
    if (errno === undefined || code === undefined) throw error;
    return -Math.abs(errno);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** All are closed in the end. */
interface Descriptors {
  open(path: string | Buffer, flags: number): number;
  /** Earlier than that. */
  close(fd: number): void;
}

function make(question: Notification, place: DevicePlace, descriptors: Descriptors): Answer {
  const { open } = descriptors;
  const call = callOf(question);
  if (call === undefined) return 'continue';
  const { pid } = question;
  const caller = callerOf(pid);
  const path = readPath(open(`/proc/${pid}/mem`, constants.O_RDONLY), call.pathAt);
  const folder = constants.O_DIRECTORY | O_PATH;
  const root = open(`/proc/${pid}/root`, folder);
  const from = call.folder === AT_FDCWD ? 'cwd' : `fd/${call.folder}`;
  const start = path.startsWith('/') ? root : open(`/proc/${pid}/${from}`, folder);
  // From here on what was opened is the caller's.
  if (!place.isWaiting()) return -os.errno.ESRCH;
  if ((caller.capabilities & NEEDED) !== NEEDED) return 'continue';
  const { parent, name } = walk({ root, start, path }, descriptors);
  const above = fstatSync(parent);
  if (above.dev !== place.rootfs && above.dev !== place.memory) return 'continue';
  const file = open(
    forFs(`/proc/self/fd/${parent}/${name}`),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
  );
  if (above.dev === place.rootfs) setXattrOf(file, DEVICE_MARK, place.marks.write(call.node));
  fchownSync(file, caller.uid, (above.mode & S_ISGID) === 0 ? caller.gid : above.gid);
  fchmodSync(file, call.mode & ~caller.umask);
  return 0;
}

interface Call {
  /** AT_FDCWD or a descriptor of the caller. */
  readonly folder: number;
  readonly pathAt: bigint;
  readonly mode: number;
  readonly node: DeviceNode;
}

/** undefined: not what the filter asks for, or a whiteout, which no overlay takes. */
function callOf({ arch, number, arguments: [first, second, third, fourth] }: Notification): Call | undefined {
  const name = askedCall(process.arch, arch, number);
  if (name === undefined || first === undefined || second === undefined || third === undefined || fourth === undefined) return undefined;
  const [pathAt, fullMode, device] = name === 'mknod' ? [first, second, third] : [second, third, fourth];
  const mode = Number(BigInt.asUintN(16, fullMode));
  const { major, minor } = deviceNumbers(BigInt.asUintN(32, device));
  if (major === 0 && minor === 0) return undefined;
  return {
    folder: name === 'mknod' ? AT_FDCWD : Number(BigInt.asIntN(32, first)),
    pathAt,
    mode: mode & 0o7777,
    node: { type: (mode & constants.S_IFMT) === constants.S_IFBLK ? 'block' : 'char', major, minor },
  };
}

interface Way {
  readonly root: number;
  readonly start: number;
  readonly path: ByteString;
}

/**
 * The folder where the node is to be, and its name there. Symlinks are read, not followed; `..` stops at the root. Of a long
 * way only the last step stays open, since the rest of the build needs descriptors, too.
 */
function walk({ root, start, path }: Way, { open, close }: Descriptors): { readonly parent: number; readonly name: ByteString } {
  const top = fstatSync(root, { bigint: true });
  const rest = path.split('/').filter((part) => part !== '' && part !== '.');
  const name = rest.pop();
  // A path that ends like a folder's names nothing that could be made.
  if (name === undefined || name === '..' || /\/\.?$/.test(path))
    throw systemError(path === '' ? os.errno.ENOENT : os.errno.EEXIST, 'mknod');
  let at = path.startsWith('/') ? root : start;
  let symlinks = 0;
  const goTo = (next: number): void => {
    if (at !== root && at !== start && at !== next) close(at);
    at = next;
  };
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      const here = fstatSync(at, { bigint: true });
      if (here.dev !== top.dev || here.ino !== top.ino) goTo(open(`/proc/self/fd/${at}/..`, O_PATH | constants.O_DIRECTORY));
      continue;
    }
    const child = forFs(`/proc/self/fd/${at}/${part}`);
    const found = open(child, O_PATH | constants.O_NOFOLLOW);
    const stats = fstatSync(found);
    if (stats.isSymbolicLink()) {
      if ((symlinks += 1) > MAX_SYMLINKS) throw systemError(os.errno.ELOOP, 'mknod');
      const target = readlinkSync(child, { encoding: 'latin1' });
      rest.unshift(...target.split('/').filter((one) => one !== '' && one !== '.'));
      close(found);
      if (target.startsWith('/')) goTo(root);
    } else if (stats.isDirectory()) goTo(found);
    else throw systemError(os.errno.ENOTDIR, 'mknod');
  }
  return { parent: at, name };
}
