/** Installs a seccomp filter for the calling thread and what it executes. seccomp(2). Not here: what the filter says. */
import { constants } from 'node:os';
import { addressOf, checked } from './libc.ts';
import { syscallPointer } from './syscalls.ts';

/** One instruction of classic BPF: `struct sock_filter`. */
export interface Instruction {
  readonly code: number;
  /** How many instructions to skip when the comparison holds, and when it does not. */
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const INSTRUCTION_BYTES = 8;
const SECCOMP_SET_MODE_FILTER = 1;
/** Without it some processors run everything under the filter slower, against attacks that do not concern a RUN. Since 4.17. */
const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4;
/** Since 5.0. */
const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8;
/** Only a deadly signal ends the wait for an answer, so that no question is asked twice. Since 5.19. */
const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32;
const { EBUSY, EINVAL, ENOSYS } = constants.errno;

/** Needs CAP_SYS_ADMIN (no_new_privs stays off). 'unsupported': this kernel has no seccomp. */
export function installFilter(program: readonly Instruction[]): 'installed' | 'unsupported' {
  const result = install(program, [SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0]);
  if (result === -ENOSYS || result === -EINVAL) return 'unsupported';
  checked(result, 'seccomp');
  return 'installed';
}

/**
 * A filter that may answer with SECCOMP_RET_USER_NOTIF; returns the descriptor where its questions come (closed on exec). Needs
 * CAP_SYS_ADMIN. 'unsupported': this kernel has no such filters, or this process is under one already; nothing was installed.
 */
export function installAskingFilter(program: readonly Instruction[]): number | 'unsupported' {
  const asking = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
  const result = install(program, [asking | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, asking]);
  if (result === -ENOSYS || result === -EINVAL || result === -EBUSY) return 'unsupported';
  return checked(result, 'seccomp');
}

/** The first of the flags that this kernel knows. */
function install(program: readonly Instruction[], flags: readonly number[]): number {
  const instructions = encodeFilter(program);
  // struct sock_fprog: a short, padding, a pointer.
  const header = Buffer.alloc(16);
  header.writeUInt16LE(program.length, 0);
  header.writeBigUInt64LE(addressOf(instructions), 8);
  let result = -EINVAL;
  for (const set of flags) if (result === -EINVAL) result = syscallPointer('seccomp', SECCOMP_SET_MODE_FILTER, set, header);
  return result;
}

/** Little-endian, as all architectures are whose call numbers are known. */
function encodeFilter(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.allocUnsafeSlow(program.length * INSTRUCTION_BYTES);
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    const at = i * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  return bytes;
}
