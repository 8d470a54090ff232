/**
 * Seccomp filters in classic BPF: a section of instructions for each kind of program that a machine runs.
 * Spec: kernel Documentation/userspace-api/seccomp_filter.rst.
 */
import { constants } from 'node:os';
import type { Instruction } from '../../sys/seccomp.ts';

/** The tables of call numbers. */
export type Abi = 'x64' | 'i386' | 'generic' | 'arm';

/** In the order of the columns of `Numbers`. */
export const ABIS: readonly Abi[] = ['x64', 'i386', 'generic', 'arm'];

/** A call by the kernel's numbers; null: that architecture has no such call. */
export type Numbers = readonly [x64: number | null, i386: number | null, generic: number | null, arm: number | null];

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
const RETURN = 0x06;
export const IF_EQUAL = 0x15;
export const IF_GREATER_OR_EQUAL = 0x35;
export const IF_ANY_BIT = 0x45;
export const AND = 0x54;

/** Offsets in `struct seccomp_data`. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const ARGUMENT_BYTES = 8;

const ERRNO = 0x00050000;
export const ALLOW = 0x7fff0000;
/** Whoever holds the listener answers. */
export const ASK = 0x7fc00000;
export const DENY = ERRNO | constants.errno.EPERM;
export const UNKNOWN = ERRNO | constants.errno.ENOSYS;

/** A program of these sections. `otherwise`: what becomes of calls of other architectures. Undefined: nothing is known about this machine. */
export function filterProgram(
  architecture: NodeJS.Architecture,
  section: (abi: Abi) => readonly Instruction[],
  otherwise: number,
): readonly Instruction[] | undefined {
  const machine = MACHINES[architecture];
  if (machine === undefined) return undefined;
  const sections = machine.map(([, abi]) => section(abi));
  const program = [load(ARCHITECTURE)];
  // Two instructions for each architecture that is still to be compared, and the end for any other.
  for (const [i, [arch]] of machine.entries()) {
    const before = sections.slice(0, i).reduce((sum, s) => sum + s.length, 0);
    const tests = 2 * (machine.length - i - 1) + 1;
    program.push(unless(IF_EQUAL, arch, 1), { code: JUMP, jt: 0, jf: 0, k: tests + before });
  }
  return [...program, end(otherwise), ...sections.flat()];
}

/** Whose numbers a call of AUDIT_ARCH_ `arch` has on this machine. */
export function abiOf(architecture: NodeJS.Architecture, arch: number): Abi | undefined {
  return MACHINES[architecture]?.find(([own]) => own === arch)?.[1];
}

/** None or one. */
export function numberIn(abi: Abi, numbers: Numbers): number[] {
  return [numbers[ABIS.indexOf(abi)] ?? null].filter((number) => number !== null);
}

export function loadNumber(): Instruction {
  return load(NUMBER);
}

/** The lower half of an argument, counted from 0. */
export function loadArgument(position: number): Instruction {
  return load(FIRST_ARGUMENT + position * ARGUMENT_BYTES);
}

/** Skips so many instructions unless the comparison holds. */
export function unless(code: number, k: number, jf: number): Instruction {
  return { code, jt: 0, jf, k };
}

export function end(k: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k };
}

function load(k: number): Instruction {
  return { code: LOAD, jt: 0, jf: 0, k };
}
