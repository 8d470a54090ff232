/**
 * The system calls that make, rename and remove entries of folders: their numbers, and what their arguments are. Left out are openat2(2),
 * whose flags lie in memory, and bind(2) of sockets.
 */
import { constants } from 'node:fs';
import type { Notification } from '../../sys/seccomp-listener.ts';
import { type AskedCall, askedName } from '../supervised/asking-filter.ts';
import { AT_FDCWD } from '../supervised/caller.ts';

const AT_REMOVEDIR = 0x200;

export const ENTRY_CALLS = {
  creat: { numbers: [85, 8, null, 8] },
  link: { numbers: [86, 9, null, 9] },
  linkat: { numbers: [265, 303, 37, 330] },
  mkdir: { numbers: [83, 39, null, 39] },
  mkdirat: { numbers: [258, 296, 34, 323] },
  mknod: { numbers: [133, 14, null, 14] },
  mknodat: { numbers: [259, 297, 33, 324] },
  open: { numbers: [2, 5, null, 5], when: { argument: 1, anyBit: constants.O_CREAT } },
  openat: { numbers: [257, 295, 56, 322], when: { argument: 2, anyBit: constants.O_CREAT } },
  rename: { numbers: [82, 38, null, 38] },
  renameat: { numbers: [264, 302, 38, 329] },
  renameat2: { numbers: [316, 353, 276, 382] },
  rmdir: { numbers: [84, 40, null, 40] },
  symlink: { numbers: [88, 83, null, 83] },
  symlinkat: { numbers: [266, 304, 36, 331] },
  unlink: { numbers: [87, 10, null, 10] },
  unlinkat: { numbers: [263, 301, 35, 328] },
} as const satisfies Readonly<Record<string, AskedCall>>;

/** A path argument: where its bytes are, and the folder that it starts from. */
export interface PathArgument {
  /** AT_FDCWD or a descriptor of the caller. */
  readonly folder: number;
  readonly at: bigint;
}

export type EntryCall =
  | { readonly kind: 'dir'; readonly path: PathArgument; readonly mode: number }
  | { readonly kind: 'file'; readonly path: PathArgument; readonly mode: number; readonly flags: number }
  /** `mode` with the type; `device` as the kernel packs it. */
  | { readonly kind: 'node'; readonly path: PathArgument; readonly mode: number; readonly device: bigint }
  | { readonly kind: 'symlink'; readonly path: PathArgument; readonly targetAt: bigint }
  | { readonly kind: 'remove'; readonly path: PathArgument; readonly what: 'dir' | 'other' }
  | { readonly kind: 'link'; readonly from: PathArgument; readonly path: PathArgument; readonly flags: number }
  | { readonly kind: 'rename'; readonly from: PathArgument; readonly path: PathArgument; readonly flags: number };

/** undefined: none of them. */
export function entryCall(question: Notification): EntryCall | undefined {
  const at = (position: number): bigint => question.arguments[position] ?? 0n;
  const number = (position: number): number => Number(BigInt.asIntN(32, at(position)));
  const path = (position: number): PathArgument => ({ folder: AT_FDCWD, at: at(position) });
  const pathIn = (folder: number, position: number): PathArgument => ({ folder: number(folder), at: at(position) });
  switch (askedName(ENTRY_CALLS, process.arch, question)) {
    case undefined:
      return undefined;
    case 'creat':
      return { kind: 'file', path: path(0), mode: number(1), flags: constants.O_CREAT | constants.O_WRONLY | constants.O_TRUNC };
    case 'link':
      return { kind: 'link', from: path(0), path: path(1), flags: 0 };
    case 'linkat':
      return { kind: 'link', from: pathIn(0, 1), path: pathIn(2, 3), flags: number(4) };
    case 'mkdir':
      return { kind: 'dir', path: path(0), mode: number(1) };
    case 'mkdirat':
      return { kind: 'dir', path: pathIn(0, 1), mode: number(2) };
    case 'mknod':
      return { kind: 'node', path: path(0), mode: number(1), device: BigInt.asUintN(32, at(2)) };
    case 'mknodat':
      return { kind: 'node', path: pathIn(0, 1), mode: number(2), device: BigInt.asUintN(32, at(3)) };
    case 'open':
      return { kind: 'file', path: path(0), mode: number(2), flags: number(1) };
    case 'openat':
      return { kind: 'file', path: pathIn(0, 1), mode: number(3), flags: number(2) };
    case 'rename':
      return { kind: 'rename', from: path(0), path: path(1), flags: 0 };
    case 'renameat':
      return { kind: 'rename', from: pathIn(0, 1), path: pathIn(2, 3), flags: 0 };
    case 'renameat2':
      return { kind: 'rename', from: pathIn(0, 1), path: pathIn(2, 3), flags: number(4) };
    case 'rmdir':
      return { kind: 'remove', path: path(0), what: 'dir' };
    case 'unlink':
      return { kind: 'remove', path: path(0), what: 'other' };
    case 'unlinkat':
      return { kind: 'remove', path: pathIn(0, 1), what: (number(2) & AT_REMOVEDIR) === 0 ? 'other' : 'dir' };
    case 'symlink':
      return { kind: 'symlink', path: path(1), targetAt: at(0) };
    case 'symlinkat':
      return { kind: 'symlink', path: pathIn(1, 2), targetAt: at(0) };
  }
}
