/** Where something is mounted. Format: proc_pid_mountinfo(5); blanks and the like are written as `\040`. */
import type { ByteString } from '../../bytes/byte-path.ts';

/** Absolute, as bytes, in the order of the table. `mountinfo`: /proc/self/mountinfo as latin1. */
export function mountPoints(mountinfo: string): ByteString[] {
  return mountinfo.split('\n').flatMap((line) => {
    const escaped = line.split(' ')[4];
    if (escaped === undefined) return [];
    return [escaped.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}
