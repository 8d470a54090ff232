import { describe, expect, test } from 'vitest';
import { askedCall, seccompFilter } from '../../../../src/backend/namespaces/sandbox/seccomp-filter.ts';
import type { Instruction } from '../../../../src/sys/seccomp.ts';

const X64 = 0xc000003e;
const I386 = 0x40000003;
const AARCH64 = 0xc00000b7;
const ARM = 0x40000028;

/** What the kernel would answer: a small interpreter of classic BPF, which knows only what filters here may use. */
function answer(program: readonly Instruction[], arch: number, number: number, ...args: number[]): string {
  const data: Record<number, number> = { 0: number, 4: arch, 16: args[0] ?? 0, 24: args[1] ?? 0, 32: args[2] ?? 0 };
  let accumulator = 0;
  for (let at = 0; ; at += 1) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error('ran past the end of the filter');
    const { code, jt, jf, k } = instruction;
    const jump = (holds: boolean): void => void (at += holds ? jt : jf);
    if (code === 0x20) accumulator = data[k] ?? Number.NaN;
    else if (code === 0x05) at += k;
    else if (code === 0x54) accumulator &= k;
    else if (code === 0x15) jump(accumulator === k);
    else if (code === 0x35) jump(accumulator >= k);
    else if (code === 0x45) jump((accumulator & k) !== 0);
    else if (code === 0x06) return k === 0x7fff0000 ? 'allow' : k === 0x7fc00000 ? 'ask' : `errno ${k & 0xffff}`;
    else throw new Error(`unknown instruction ${code}`);
  }
}

const filter = (architecture: NodeJS.Architecture): readonly Instruction[] => seccompFilter(architecture, 'kernel') ?? [];
const [EPERM, ENOSYS] = ['errno 1', 'errno 38'];

test.each([
  ['read', X64, 0],
  ['execve', X64, 59],
  ['ptrace', X64, 101],
  ['chroot', X64, 161],
  ['mknod', X64, 133],
  ['a call of a newer kernel', X64, 500],
  ['read of a 32-bit program', I386, 3],
  ['clone of a 32-bit program, as fork does', I386, 120],
])('on amd64 allows %s', (_, arch, number) => {
  expect(answer(filter('x64'), arch, number, 0x01200011)).toBe('allow');
});

test.each([
  ['mount', X64, 165, EPERM],
  ['umount2', X64, 166, EPERM],
  ['pivot_root', X64, 155, EPERM],
  ['setns', X64, 308, EPERM],
  ['keyctl', X64, 250, EPERM],
  ['bpf', X64, 321, EPERM],
  ['io_uring_setup', X64, 425, EPERM],
  ['open_by_handle_at', X64, 304, EPERM],
  ['the last in the table, vm86old of a 32-bit program', I386, 113, EPERM],
  ['mount of a 32-bit program', I386, 21, EPERM],
  ['clone3', X64, 435, ENOSYS],
  ['clone3 of a 32-bit program', I386, 435, ENOSYS],
  ['any call of the x32 ABI', X64, 0x40000000, EPERM],
  ['any call of another architecture', AARCH64, 63, EPERM],
])('on amd64 denies %s', (_, arch, number, expected) => {
  expect(answer(filter('x64'), arch, number)).toBe(expected);
});

test.each([
  ['x64', X64, { clone: 56, unshare: 272, socket: 41, mount: 165 }],
  ['arm64', AARCH64, { clone: 220, unshare: 97, socket: 198, mount: 40 }],
  ['arm64', ARM, { clone: 120, unshare: 337, socket: 281, mount: 21 }],
  ['riscv64', 0xc00000f3, { clone: 220, unshare: 97, socket: 198, mount: 40 }],
] as const)('on %s (%i) denies new namespaces and vsock by their arguments', (architecture, arch, call) => {
  const program = filter(architecture);
  const newUser = 0x10000000;
  const threadFlags = 0x003d0f00;
  expect(answer(program, arch, call.clone, newUser | 17)).toBe(EPERM);
  expect(answer(program, arch, call.clone, threadFlags)).toBe('allow');
  expect(answer(program, arch, call.unshare, newUser)).toBe(EPERM);
  expect(answer(program, arch, call.unshare, 0x80)).toBe(EPERM);
  expect(answer(program, arch, call.unshare, 0x200)).toBe('allow');
  expect(answer(program, arch, call.socket, 40)).toBe(EPERM);
  expect(answer(program, arch, call.socket, 2)).toBe('allow');
  expect(answer(program, arch, call.mount)).toBe(EPERM);
});

test('every jump of every filter stays inside it, and fits its byte', () => {
  for (const architecture of ['x64', 'arm64', 'riscv64', 'loong64'] as const) {
    const program = filter(architecture);
    expect(program.length).toBeGreaterThan(60);
    for (const [at, { code, jt, jf, k }] of program.entries()) {
      const furthest = code === 0x05 ? k : code === 0x06 || code === 0x20 ? 0 : Math.max(jt, jf);
      expect(at + furthest + 1).toBeLessThanOrEqual(program.length);
      expect(Math.max(jt, jf)).toBeLessThan(256);
    }
    // BPF_MAXINSNS
    expect(program.length).toBeLessThan(4096);
  }
});

test('there is none for an architecture whose calls are not known', () => {
  expect(seccompFilter('s390x', 'kernel')).toBeUndefined();
});

describe('for device nodes', () => {
  const asking = (architecture: NodeJS.Architecture): readonly Instruction[] => seccompFilter(architecture, 'ask') ?? [];

  test.each([
    ['mknod of amd64', 'x64', X64, 133, [0, 0o020600]],
    ['mknodat of amd64', 'x64', X64, 259, [0, 0, 0o060600]],
    ['mknod of a 32-bit program', 'x64', I386, 14, [0, 0o060600]],
    ['mknodat of a 32-bit program', 'x64', I386, 297, [0, 0, 0o020600]],
    ['mknodat of arm64', 'arm64', AARCH64, 33, [0, 0, 0o020600]],
    ['mknodat of a 32-bit program there', 'arm64', ARM, 324, [0, 0, 0o020600]],
  ] as const)('asks about %s', (_, architecture, arch, number, args) => {
    expect(answer(asking(architecture), arch, number, ...args)).toBe('ask');
    expect(answer(filter(architecture), arch, number, ...args)).toBe('allow');
    expect(askedCall(architecture, arch, number)).toMatch(/^mknod(at)?$/);
  });

  test.each([
    ['a fifo', 133, [0, 0o010600]],
    ['a socket', 133, [0, 0o140600]],
    ['a file', 133, [0, 0o600]],
    ['a folder, which no mknod makes', 259, [0, 0, 0o040600]],
    ['another call with the same arguments', 0, [0, 0o020600, 0o020600]],
  ] as const)('does not ask about %s', (_, number, args) => {
    expect(answer(asking('x64'), X64, number, ...args)).toBe('allow');
  });

  test('denies what it denies otherwise', () => {
    expect(answer(asking('x64'), X64, 165, 0, 0o020600)).toBe(EPERM);
    expect(answer(asking('x64'), AARCH64, 33, 0, 0, 0o020600)).toBe(EPERM);
    expect(askedCall('x64', AARCH64, 33)).toBeUndefined();
  });
});
