/**
 * The seccomp filter of a RUN, as classic BPF: Docker's denials, for this machine's calls and for those of the 32-bit
 * programs that it also runs. Deny-list where Docker has an allow-list: unknown calls of newer kernels are left to the
 * capabilities. Spec: kernel Documentation/userspace-api/seccomp_filter.rst.
 */
import { constants as fs } from 'node:fs';
import { constants } from 'node:os';
import type { Instruction } from '../../../sys/seccomp.ts';
import { ABIS, type Abi, DENIED_SYSCALLS, type Numbers, SPECIAL_SYSCALLS } from './denied-syscalls.ts';

/** AUDIT_ARCH_ numbers of <linux/audit.h>: each machine's own, then that of its 32-bit programs. */
const MACHINES: Partial<Record<NodeJS.Architecture, readonly (readonly [arch: number, abi: Abi])[]>> = {
  x64: [
    [0xc000003e, 'x64'],
    [0x40000003, 'i386'],
  ],
  arm64: [
    [0xc00000b7, 'generic'],
    [0x40000028, 'arm'],
  ],
  riscv64: [[0xc00000f3, 'generic']],
  loong64: [[0xc0000102, 'generic']],
};

const LOAD = 0x20;
const JUMP = 0x05;
const IF_EQUAL = 0x15;
const IF_GREATER_OR_EQUAL = 0x35;
const IF_ANY_BIT = 0x45;
const AND = 0x54;
const RETURN = 0x06;

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const ARGUMENT_BYTES = 8;

const ALLOW = 0x7fff0000;
const ASK = 0x7fc00000;
const ERRNO = 0x00050000;
const EPERM = ERRNO | constants.errno.EPERM;
const ENOSYS = ERRNO | constants.errno.ENOSYS;

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
  const machine = MACHINES[architecture];
  if (machine === undefined) return undefined;
  const sections = machine.map(([, abi]) => section(abi, devices));
  const program = [load(ARCHITECTURE)];
  // Two instructions for each architecture that is still to be compared, and the refusal of any other.
  for (const [i, [arch]] of machine.entries()) {
    const before = sections.slice(0, i).reduce((sum, s) => sum + s.length, 0);
    const tests = 2 * (machine.length - i - 1) + 1;
    program.push(unless(IF_EQUAL, arch, 1), { code: JUMP, jt: 0, jf: 0, k: tests + before });
  }
  return [...program, end(EPERM), ...sections.flat()];
}

function section(abi: Abi, devices: Devices): Instruction[] {
  const column = ABIS.indexOf(abi);
  const numberOf = (numbers: Numbers): number[] => [numbers[column] ?? null].filter((number) => number !== null);
  const { clone, clone3, mknod, mknodat, socket, unshare } = SPECIAL_SYSCALLS;
  const denied = Object.values(DENIED_SYSCALLS).flatMap(numberOf);
  return [
    load(NUMBER),
    ...(abi === 'x64' ? [unless(IF_GREATER_OR_EQUAL, X32, 1), end(EPERM)] : []),
    ...denied.flatMap((number) => [unless(IF_EQUAL, number, 1), end(EPERM)]),
    // libc falls back to clone, whose flags can be seen; those of clone3 lie in memory.
    ...numberOf(clone3).flatMap((number) => [unless(IF_EQUAL, number, 1), end(ENOSYS)]),
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
  const abi = MACHINES[architecture]?.find(([own]) => own === arch)?.[1];
  if (abi === undefined) return undefined;
  const column = ABIS.indexOf(abi);
  return (['mknod', 'mknodat'] as const).find((name) => SPECIAL_SYSCALLS[name][column] === number);
}

/** `mode`: the position of that argument. Fifos, sockets and files are the kernel's. */
function askForDevices(number: number, mode: number): Instruction[] {
  return [
    unless(IF_EQUAL, number, 6),
    load(FIRST_ARGUMENT + mode * ARGUMENT_BYTES),
    { code: AND, jt: 0, jf: 0, k: fs.S_IFMT },
    { code: IF_EQUAL, jt: 2, jf: 0, k: fs.S_IFCHR },
    { code: IF_EQUAL, jt: 1, jf: 0, k: fs.S_IFBLK },
    end(ALLOW),
    end(ASK),
  ];
}

/** Denies a call whose first argument compares so; another call goes on with the next instruction. */
function whenFirstArgument(number: number, compare: number, value: number): Instruction[] {
  return [unless(IF_EQUAL, number, 4), load(FIRST_ARGUMENT), unless(compare, value, 1), end(EPERM), end(ALLOW)];
}

function load(k: number): Instruction {
  return { code: LOAD, jt: 0, jf: 0, k };
}

/** Skips so many instructions unless the comparison holds. */
function unless(code: number, k: number, jf: number): Instruction {
  return { code, jt: 0, jf, k };
}

function end(k: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k };
}
