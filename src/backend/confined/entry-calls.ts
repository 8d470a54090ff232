/** The system calls that make files and folders, by the kernel's numbers. openat2(2) is left out: its flags lie in memory. */
import { constants } from 'node:fs';
import type { AskedCall } from '../supervised/asking-filter.ts';

export const ENTRY_CALLS = {
  creat: { numbers: [85, 8, null, 8] },
  mkdir: { numbers: [83, 39, null, 39] },
  mkdirat: { numbers: [258, 296, 34, 323] },
  open: { numbers: [2, 5, null, 5], when: { argument: 1, anyBit: constants.O_CREAT } },
  openat: { numbers: [257, 295, 56, 322], when: { argument: 2, anyBit: constants.O_CREAT } },
} as const satisfies Readonly<Record<string, AskedCall>>;

export type EntryCall = keyof typeof ENTRY_CALLS;
