/**
 * What lstat(2) said of many files, as rows of numbers: 56 bytes for a file instead of the objects that a tree's entries are,
 * which are made when asked for. A context may have more files than there is memory for objects.
 */
import type { BigIntStats } from 'node:fs';
import type { FileStamp } from '../layer/entry.ts';

export interface StatRows {
  /** Returns the row's number; rows count up from 0. */
  add(stats: BigIntStats): number;
  /** The same again, as the last row. */
  repeat(row: number): number;
  /** Type and permissions, as st_mode has them. */
  mode(row: number): number;
  uid(row: number): number;
  gid(row: number): number;
  size(row: number): number;
  rdev(row: number): bigint;
  mtimeNs(row: number): bigint;
  stamp(row: number): FileStamp;
  /** Whether the file has other names. */
  isShared(row: number): boolean;
}

const DEVICE = 0;
const INODE = 1;
/** Of a device, what it is. */
const SIZE = 2;
const MTIME = 3;
const CTIME = 4;
const LONGS = 5;

const MODE = 0;
const UID = 1;
const GID = 2;
const LINKS = 3;
const INTS = 4;

const FIRST_ROWS = 64;

export function statRows(): StatRows {
  let count = 0;
  let longs = new BigInt64Array(FIRST_ROWS * LONGS);
  let ints = new Uint32Array(FIRST_ROWS * INTS);

  function newRow(): number {
    if ((count + 1) * INTS > ints.length) {
      const [largerLongs, largerInts] = [new BigInt64Array(2 * longs.length), new Uint32Array(2 * ints.length)];
      largerLongs.set(longs);
      largerInts.set(ints);
      [longs, ints] = [largerLongs, largerInts];
    }
    return count++;
  }

  const long = (row: number, column: number): bigint => longs[row * LONGS + column] as bigint;
  const int = (row: number, column: number): number => ints[row * INTS + column] as number;

  return {
    add(stats) {
      const row = newRow();
      const at = row * LONGS;
      longs[at + DEVICE] = stats.dev;
      longs[at + INODE] = stats.ino;
      longs[at + SIZE] = stats.isCharacterDevice() || stats.isBlockDevice() ? stats.rdev : stats.size;
      longs[at + MTIME] = stats.mtimeNs;
      longs[at + CTIME] = stats.ctimeNs;
      ints[row * INTS + MODE] = Number(stats.mode);
      ints[row * INTS + UID] = Number(stats.uid);
      ints[row * INTS + GID] = Number(stats.gid);
      ints[row * INTS + LINKS] = stats.nlink > 1n ? 1 : 0;
      return row;
    },
    repeat(row) {
      const last = newRow();
      longs.copyWithin(last * LONGS, row * LONGS, (row + 1) * LONGS);
      ints.copyWithin(last * INTS, row * INTS, (row + 1) * INTS);
      return last;
    },
    mode: (row) => int(row, MODE),
    uid: (row) => int(row, UID),
    gid: (row) => int(row, GID),
    size: (row) => Number(long(row, SIZE)),
    rdev: (row) => long(row, SIZE),
    mtimeNs: (row) => long(row, MTIME),
    stamp: (row) => ({ device: long(row, DEVICE), inode: long(row, INODE), mtimeNs: long(row, MTIME), ctimeNs: long(row, CTIME) }),
    isShared: (row) => int(row, LINKS) === 1,
  };
}
