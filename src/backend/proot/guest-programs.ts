/**
 * Two tiny static programs, which run where nothing else can be counted on: the launcher, the first that proot runs, and one that
 * tells whether proot works. In machine code, because an image may hold no program at all, and for the architectures that proot is
 * packaged for and Node runs on. Spec: System V ABI, "ELF Header"; the kernel's system call conventions.
 */

/** undefined: this architecture is not known. */
export interface GuestPrograms {
  /**
   * Expects `path, argument 0, ... , argument n - 1, "", variable...` as its arguments: joins stderr to stdout and executes
   * `path` with these arguments and this environment. Where it cannot, the earlier stderr gets LAUNCH_FAILED, errno as one byte.
   */
  launcher(argumentCount: number): Buffer;
  /** Ends with PROBE_WORKS when statx(2) finds /probe. */
  readonly probe: Buffer;
}

export const LAUNCH_FAILED = '\0EXC';
export const PROBE_WORKS = 42;

export function guestPrograms(architecture: NodeJS.Architecture): GuestPrograms | undefined {
  if (architecture === 'x64') return { launcher: (count) => program(62, launcherX64(count)), probe: program(62, PROBE_X64) };
  if (architecture === 'arm64') return { launcher: (count) => program(183, launcherArm64(count)), probe: program(183, PROBE_ARM64) };
  return undefined;
}

/** From the stack pointer, which points at the count of arguments: where the empty one and where the first variable is. */
function offsets(argumentCount: number): readonly [end: number, environment: number] {
  const end = 8 + 8 * (2 + argumentCount);
  return [end, end + 8];
}

function launcherX64(argumentCount: number): Buffer {
  const [end, environment] = offsets(argumentCount);
  return Buffer.concat([
    hex('4889e3'), // mov rbx, rsp
    hex('b848000000 bf02000000 be06040000 ba03000000 0f05'), // fcntl(2, F_DUPFD_CLOEXEC, 3)
    hex('4189c4'), // mov r12d, eax
    hex('b821000000 bf01000000 be02000000 0f05'), // dup2(1, 2)
    hex('48c783'),
    u32(end),
    u32(0), // mov qword [rbx + end], 0
    hex('488b7b10 488d7318 488d93'),
    u32(environment), // rdi = argv[1], rsi = &argv[2], rdx = &variables
    hex('b83b000000 0f05'), // execve
    hex('f7d8'), // neg eax
    hex('c74424f800455843 894424fc 488d7424f8'), // the marker and errno, below the stack pointer
    hex('4489e7 ba08000000 b801000000 0f05'), // write(r12, them, 8)
    hex('bf7f000000 b8e7000000 0f05'), // exit_group(127)
  ]);
}

function launcherArm64(argumentCount: number): Buffer {
  const [end, environment] = offsets(argumentCount);
  return words([
    0x910003f3, // mov x19, sp
    ...[0xd2800328, 0xd2800040, 0xd28080c1, 0xd2800062, SVC], // fcntl(2, F_DUPFD_CLOEXEC, 3)
    0xaa0003f4, // mov x20, x0
    ...[0xd2800308, 0xd2800020, 0xd2800041, 0xd2800002, SVC], // dup3(1, 2, 0)
    ...[...intoX9(end), 0xf8296a7f], // str xzr, [x19, end]
    ...[0xf9400a60, 0x91006261, ...intoX9(environment), 0x8b090262], // x0 = argv[1], x1 = &argv[2], x2 = &variables
    ...[0xd2801ba8, SVC], // execve
    0x4b0003e0, // neg w0, w0
    ...[0xd10043ff, 0x5288a009, 0x72a86b09, 0x290003e9], // the marker and errno on the stack
    ...[0xaa1403e0, 0x910003e1, 0xd2800102, 0xd2800808, SVC], // write(x20, them, 8)
    ...[0xd2800fe0, 0xd2800bc8, SVC], // exit_group(127)
  ]);
}

const SVC = 0xd4000001;

/** movz, movk */
function intoX9(value: number): number[] {
  return [0xd2800009 + (value & 0xffff) * 32, 0xf2a00009 + (value >>> 16) * 32];
}

const PATH = Buffer.from('/probe\0\0');

const PROBE_X64 = Buffer.concat([
  hex('b84c010000 bf9cffffff'), // statx(AT_FDCWD,
  hex('488d3525000000'), // lea rsi, [rip + path]
  hex('31d2 41baff070000 4c8d842400fcffff 0f05'), // 0, STATX_BASIC_STATS, below the stack pointer)
  hex('c1e81f 83c02a 89c7'), // 42, or 43 for an error
  hex('b8e7000000 0f05 90 909090'), // exit_group
  PATH,
]);

const PROBE_ARM64 = Buffer.concat([
  words([
    ...[0xd2802468, 0x92800c60, 0x10000141, 0xd2800002, 0xd280ffe3, 0xd11003e4, SVC], // statx(AT_FDCWD, path, 0, ..., below sp)
    ...[0x531f7c00, 0x1100a800, 0xd2800bc8, SVC, 0xd503201f], // exit_group(42, or 43 for an error)
  ]),
  PATH,
]);

const BASE = 0x400000;
const HEADERS = 64 + 56;

/** One segment: the whole file, readable and executable. */
function program(machine: number, code: Buffer): Buffer {
  const file = Buffer.alloc(HEADERS + code.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  file.writeBigUInt64LE(64n, 32);
  for (const [offset, value] of [
    [52, 64],
    [54, 56],
    [56, 1],
  ] as const)
    file.writeUInt16LE(value, offset);
  file.writeUInt32LE(1, 64);
  file.writeUInt32LE(5, 68);
  for (const [offset, value] of [
    [80, BASE],
    [88, BASE],
    [96, file.length],
    [104, file.length],
    [112, 4096],
  ] as const) {
    file.writeBigUInt64LE(BigInt(value), offset);
  }
  code.copy(file, HEADERS);
  return file;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function words(values: readonly number[]): Buffer {
  return Buffer.concat(values.map((value) => u32(value >>> 0)));
}
