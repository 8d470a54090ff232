/** Room on the file system of a folder. */
import { statfsSync } from 'node:fs';

/** Less than this is nothing to programs that write whole blocks. */
const ROOM_BYTES = 1 << 20;

/** `folder` exists. Whether this user can write hardly anything there, or make no file. */
export function isDiskFull(folder: string): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  // btrfs has no number of files.
  return bavail * bsize < ROOM_BYTES || (files > 0 && ffree === 0);
}
