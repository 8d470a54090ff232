/** Device nodes and fifos. mknod(2). */
import { chmodSync } from 'node:fs';
import { constants } from 'node:os';
import { checked, cString, libcFunction, systemError } from './libc.ts';

/** `major` and `minor` count for devices only. `mode`: permission bits with setuid, setgid and sticky. */
export interface SpecialNode {
  readonly type: 'char' | 'block' | 'fifo';
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
}

const S_IFMT = { char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

// The system call itself, because glibc has no function `mknod` before 2.33 (RHEL 8, Ubuntu 20.04).
const syscall = libcFunction('long syscall(long number, int dirfd, const char *path, long mode, long device)');
const AT_FDCWD = -100;
const SYS_MKNODAT: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 259,
  arm64: 33,
  riscv64: 33,
  loong64: 33,
  ppc64: 288,
  s390x: 290,
  arm: 324,
  ia32: 297,
};

/** Makes the node with exactly this mode, whatever the umask. Throws EPERM where devices need a capability, EEXIST. */
export function makeNode(path: string | Buffer, node: SpecialNode): void {
  const number = SYS_MKNODAT[process.arch];
  if (number === undefined) throw new Error(`the number of mknodat is not known for ${process.arch}`);
  const device = node.type === 'fifo' ? 0 : deviceNumber(node.major, node.minor);
  checked(syscall(number, AT_FDCWD, cString(path), S_IFMT[node.type] | node.mode, device), 'mknod', path);
  if (node.mode !== 0) chmodSync(path, node.mode);
}

/** The kernel's new_encode_dev(): 12 bits of major, 20 of minor. */
function deviceNumber(major: number, minor: number): number {
  if (major >= 2 ** 12 || minor >= 2 ** 20) throw systemError(constants.errno.EINVAL, 'mknod');
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
