/**
 * System calls by number, for those that libc has no function for, or whose libc function does more than the call: glibc's
 * setuid() signals every thread, and a process that is about to execve(2) wants the calling thread changed only.
 */
import { libcFunction } from './libc.ts';

type Call =
  | 'close_range'
  | 'fsconfig'
  | 'fsopen'
  | 'landlock_add_rule'
  | 'landlock_create_ruleset'
  | 'landlock_restrict_self'
  | 'pidfd_getfd'
  | 'pidfd_open'
  | 'pivot_root'
  | 'seccomp'
  | 'setgroups'
  | 'setresgid'
  | 'setresuid';

/** What the kernel calls the generic table (arm64 and every later architecture). */
const GENERIC: Readonly<Record<Call, number>> = {
  close_range: 436,
  fsconfig: 431,
  fsopen: 430,
  landlock_add_rule: 445,
  landlock_create_ruleset: 444,
  landlock_restrict_self: 446,
  pidfd_getfd: 438,
  pidfd_open: 434,
  pivot_root: 41,
  seccomp: 277,
  setgroups: 159,
  setresgid: 149,
  setresuid: 147,
};

const NUMBERS: Partial<Record<NodeJS.Architecture, Readonly<Record<Call, number>>>> = {
  x64: { ...GENERIC, pivot_root: 155, seccomp: 317, setgroups: 116, setresgid: 119, setresuid: 117 },
  arm64: GENERIC,
  riscv64: GENERIC,
  loong64: GENERIC,
};

const numbers = libcFunction('long syscall(long number, long a, long b, long c)');
const paths = libcFunction('long syscall(long number, const char *a, const char *b)');
const pointer = libcFunction('long syscall(long number, long a, long b, const void *c)');
const text = libcFunction('long syscall(long number, const char *a, long b)');
const configuration = libcFunction('long syscall(long number, long fd, long command, const char *key, const char *value, long aux)');
const attributes = libcFunction('long syscall(long number, const void *a, long b, long c)');
const rule = libcFunction('long syscall(long number, long a, long b, const void *c, long d)');
const list = libcFunction('long syscall(long number, long a, const void *b)');

/** Whether the numbers of this machine's architecture are known. */
export function knowsSyscalls(): boolean {
  return NUMBERS[process.arch] !== undefined;
}

/** With three numbers. The result is negative (minus the errno) where the call fails, as for all of these. */
export function syscallNumbers(
  call: 'close_range' | 'landlock_restrict_self' | 'pidfd_getfd' | 'pidfd_open' | 'setresgid' | 'setresuid',
  a: number,
  b: number,
  c: number,
): number {
  return numbers(numberOf(call), a, b, c);
}

export function syscallPaths(call: 'pivot_root', a: string, b: string): number {
  return paths(numberOf(call), a, b);
}

export function syscallText(call: 'fsopen', a: string, b: number): number {
  return text(numberOf(call), a, b);
}

export function syscallConfiguration(call: 'fsconfig', fd: number, command: number, key: string | null, value: string | null): number {
  return configuration(numberOf(call), fd, command, key, value, 0);
}

export function syscallPointer(call: 'seccomp', a: number, b: number, c: Uint8Array): number {
  return pointer(numberOf(call), a, b, c);
}

export function syscallList(call: 'setgroups', count: number, values: Uint8Array): number {
  return list(numberOf(call), count, values);
}

export function syscallAttributes(call: 'landlock_create_ruleset', a: Uint8Array | null, b: number, c: number): number {
  return attributes(numberOf(call), a, b, c);
}

export function syscallRule(call: 'landlock_add_rule', a: number, b: number, c: Uint8Array): number {
  return rule(numberOf(call), a, b, c, 0);
}

function numberOf(call: Call): number {
  const number = NUMBERS[process.arch]?.[call];
  if (number === undefined) throw new Error(`the number of ${call} is not known for ${process.arch}`);
  return number;
}
