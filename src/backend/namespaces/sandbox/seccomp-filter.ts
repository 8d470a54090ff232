/**
 * The seccomp filter of a RUN, as classic BPF: Docker's denials, for this machine's calls and for those of the 32-bit
 * programs that it also runs. Deny-list where Docker has an allow-list: unknown calls of newer kernels are left to the
 * capabilities. Spec: kernel Documentation/userspace-api/seccomp_filter.rst.
 */
import { constants as fs } from 'node:fs';
import type { Instruction } from '../../../sys/seccomp.ts';
import {
  type Abi,
  ALLOW,
  AND,
  ASK,
  abiOf,
  DENY,
  end,
  filterProgram,
  IF_ANY_BIT,
  IF_EQUAL,
  IF_GREATER_OR_EQUAL,
  loadArgument,
  loadNumber,
  type Numbers,
  numberIn,
  UNKNOWN,
  unless,
} from '../../supervised/bpf.ts';
import { DENIED_SYSCALLS, SPECIAL_SYSCALLS } from './denied-syscalls.ts';

/** NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET; the bit of NEWTIME is part of clone's signal number. */
const NEW_NAMESPACES = 0x7e020000;
const NEW_TIME = 0x80;
const AF_VSOCK = 40;
/** Calls of the x32 ABI, which would have a table of their own. */
const X32 = 0x40000000;

/** 'ask': tsbuild answers for the kernel, which makes no device nodes in a user namespace. */
export type Devices = 'kernel' | 'ask';

/** undefined: nothing is known about this architecture. */
export function seccompFilter(architecture: NodeJS.Architecture, devices: Devices): readonly Instruction[] | undefined {
  return filterProgram(architecture, (abi) => section(abi, devices), DENY);
}

function section(abi: Abi, devices: Devices): Instruction[] {
  const numberOf = (numbers: Numbers): number[] => numberIn(abi, numbers);
  const { clone, clone3, mknod, mknodat, socket, unshare } = SPECIAL_SYSCALLS;
  const denied = Object.values(DENIED_SYSCALLS).flatMap(numberOf);
  return [
    loadNumber(),
    ...(abi === 'x64' ? [unless(IF_GREATER_OR_EQUAL, X32, 1), end(DENY)] : []),
    ...denied.flatMap((number) => [unless(IF_EQUAL, number, 1), end(DENY)]),
    // libc falls back to clone, whose flags can be seen; those of clone3 lie in memory.
    ...numberOf(clone3).flatMap((number) => [unless(IF_EQUAL, number, 1), end(UNKNOWN)]),
    ...numberOf(clone).flatMap((number) => whenFirstArgument(number, IF_ANY_BIT, NEW_NAMESPACES)),
    ...numberOf(unshare).flatMap((number) => whenFirstArgument(number, IF_ANY_BIT, NEW_NAMESPACES | NEW_TIME)),
    ...numberOf(socket).flatMap((number) => whenFirstArgument(number, IF_EQUAL, AF_VSOCK)),
    ...(devices === 'ask'
      ? [...numberOf(mknod).flatMap((n) => askForDevices(n, 1)), ...numberOf(mknodat).flatMap((n) => askForDevices(n, 2))]
      : []),
    end(ALLOW),
  ];
}

/** Which call it is that the filter asks for; undefined: none. */
export function askedCall(architecture: NodeJS.Architecture, arch: number, number: number): 'mknod' | 'mknodat' | undefined {
  const abi = abiOf(architecture, arch);
  if (abi === undefined) return undefined;
  return (['mknod', 'mknodat'] as const).find((name) => numberIn(abi, SPECIAL_SYSCALLS[name]).includes(number));
}

/** `mode`: the position of that argument. Fifos, sockets and files are the kernel's. */
function askForDevices(number: number, mode: number): Instruction[] {
  return [
    unless(IF_EQUAL, number, 6),
    loadArgument(mode),
    { code: AND, jt: 0, jf: 0, k: fs.S_IFMT },
    { code: IF_EQUAL, jt: 2, jf: 0, k: fs.S_IFCHR },
    { code: IF_EQUAL, jt: 1, jf: 0, k: fs.S_IFBLK },
    end(ALLOW),
    end(ASK),
  ];
}

/** Denies a call whose first argument compares so; another call goes on with the next instruction. */
function whenFirstArgument(number: number, compare: number, value: number): Instruction[] {
  return [unless(IF_EQUAL, number, 4), loadArgument(0), unless(compare, value, 1), end(DENY), end(ALLOW)];
}
