/**
 * System calls of a proot's command that need more than proot does, by the kernel's numbers. Since Linux 4.8 a tracer sees a call
 * before the filters do, so what is asked for here has proot's translated path already. Calls that proot 5.4 does not know would
 * use the machine's paths; libc has older ones for each of them. Source: proot src/syscall/enter.c, the kernel's syscall tables.
 */
import { constants } from 'node:fs';
import type { Instruction } from '../../sys/seccomp.ts';
import type { AskedCall } from '../supervised/asking-filter.ts';
import {
  type Abi,
  ALLOW,
  ASK,
  end,
  filterProgram,
  IF_ANY_BIT,
  IF_EQUAL,
  loadArgument,
  loadNumber,
  type Numbers,
  numberIn,
  UNKNOWN,
  unless,
} from '../supervised/bpf.ts';

/** The bit that devices have and neither files, fifos nor sockets. */
const DEVICE = constants.S_IFCHR;

/** With ids of 32 bits. */
export const ASKED_CALLS = {
  chown: { numbers: [92, 212, null, 212] },
  lchown: { numbers: [94, 198, null, 198] },
  fchown: { numbers: [93, 207, 55, 207] },
  fchownat: { numbers: [260, 298, 54, 325] },
  mknod: { numbers: [133, 14, null, 14], when: { argument: 1, anyBit: DEVICE } },
  mknodat: { numbers: [259, 297, 33, 324], when: { argument: 2, anyBit: DEVICE } },
} as const satisfies Readonly<Record<string, AskedCall>>;

const UNKNOWN_TO_PROOT = {
  execveat: [322, 358, 281, 387],
  fchmodat2: [452, 452, 452, 452],
  file_getattr: [468, 468, 468, 468],
  file_setattr: [469, 469, 469, 469],
  getxattrat: [464, 464, 464, 464],
  io_uring_setup: [425, 425, 425, 425],
  listxattrat: [465, 465, 465, 465],
  openat2: [437, 437, 437, 437],
  removexattrat: [466, 466, 466, 466],
  setxattrat: [463, 463, 463, 463],
} as const satisfies Readonly<Record<string, Numbers>>;

/** What proot does not change: the supplementary groups would be those of tsbuild. There are none. */
const GET_GROUPS = [
  [115, 205, 158, 205],
  [null, 80, null, 80],
] as const satisfies readonly Numbers[];
const ANSWER_0 = 0x00050000;

/** `owners`: whether somebody answers what is asked for. undefined: nothing is known about this architecture. */
export function prootFilter(architecture: NodeJS.Architecture, owners: 'ask' | 'let be'): readonly Instruction[] | undefined {
  const section = (abi: Abi): Instruction[] => [
    loadNumber(),
    ...GET_GROUPS.flatMap((numbers) => numberIn(abi, numbers).flatMap((number) => [unless(IF_EQUAL, number, 1), end(ANSWER_0)])),
    ...Object.values(UNKNOWN_TO_PROOT).flatMap((numbers) =>
      numberIn(abi, numbers).flatMap((number) => [unless(IF_EQUAL, number, 1), end(UNKNOWN)]),
    ),
    ...(owners === 'ask' ? Object.values<AskedCall>(ASKED_CALLS).flatMap((call) => ask(abi, call)) : []),
    end(ALLOW),
  ];
  return filterProgram(architecture, section, ALLOW);
}

function ask(abi: Abi, { numbers, when }: AskedCall): Instruction[] {
  return numberIn(abi, numbers).flatMap((number) =>
    when === undefined
      ? [unless(IF_EQUAL, number, 1), end(ASK)]
      : [unless(IF_EQUAL, number, 4), loadArgument(when.argument), unless(IF_ANY_BIT, when.anyBit, 1), end(ASK), end(ALLOW)],
  );
}
