/** Who makes a system call that waits for an answer, and what its arguments point at. */
import { readFileSync, readSync } from 'node:fs';
import { constants as os } from 'node:os';
import type { ByteString } from '../../bytes/byte-path.ts';
import { systemError } from '../../sys/libc.ts';

/** The same number on every architecture that Node runs on; Node's constants lack it. */
export const AT_FDCWD = -100;
const PATH_MAX = 4096;

export interface Caller {
  readonly uid: number;
  readonly gid: number;
  readonly umask: number;
  readonly capabilities: bigint;
}

/** The ids are the fourth ones of each line: those for files. Format: proc_pid_status(5). */
export function callerOf(pid: number): Caller {
  const text = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): string[] => (new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '').trim().split(/\s+/);
  return {
    uid: Number(field('Uid')[3]),
    gid: Number(field('Gid')[3]),
    umask: Number.parseInt(field('Umask')[0] ?? '', 8),
    capabilities: BigInt(`0x${field('CapEff')[0]}`),
  };
}

/** The C string at this address of `/proc/PID/mem`, opened. Throws EFAULT and ENAMETOOLONG, as the kernel would. */
export function readPath(memory: number, at: bigint): ByteString {
  // The kernel's half of the addresses.
  if (at >= 1n << 62n) throw systemError(os.errno.EFAULT, 'path');
  const bytes = Buffer.alloc(PATH_MAX);
  let length = 0;
  // Only to the end of a page at a time: the next one may not be there.
  while (length < PATH_MAX) {
    const from = at + BigInt(length);
    const count = readSync(memory, bytes, length, Math.min(PATH_MAX - length, PATH_MAX - Number(from % BigInt(PATH_MAX))), from);
    const end = bytes.subarray(0, length + count).indexOf(0, length);
    if (end >= 0) return bytes.toString('latin1', 0, end);
    if (count === 0) throw systemError(os.errno.EFAULT, 'path');
    length += count;
  }
  throw systemError(os.errno.ENAMETOOLONG, 'path');
}
