/**
 * Ids, capabilities and per-process switches of the calling thread. setresuid(2), capset(2), prctl(2), capabilities(7).
 * For a process that is about to execve(2): the other threads of Node keep what they had, and end with the execve.
 */
import { constants } from 'node:os';
import { checked, libcFunction } from './libc.ts';
import { syscallList, syscallNumbers } from './syscalls.ts';

const prctl = libcFunction('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)');
const capgetCall = libcFunction('int capget(void *header, void *data)');
const capsetCall = libcFunction('int capset(void *header, const void *data)');

const PR_SET_PDEATHSIG = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAPBSET_READ = 23;
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const CAPABILITY_VERSION_3 = 0x20080522;
const { EINVAL } = constants.errno;
const { SIGKILL } = constants.signals;

/** Real, effective and saved ids and the supplementary groups, groups first because they need the capability that the uid change ends. */
export function setIds(uid: number, gid: number, groups: readonly number[]): void {
  const list = new Uint8Array(new Uint32Array(groups).buffer);
  checked(syscallList('setgroups', groups.length, list.length === 0 ? new Uint8Array(4) : list), 'setgroups');
  checked(syscallNumbers('setresgid', gid, gid, gid), 'setresgid');
  checked(syscallNumbers('setresuid', uid, uid, uid), 'setresuid');
}

/** Drops every capability that is not in `keep` (bit n: capability n) from the bounding set. Needs CAP_SETPCAP. */
export function limitBoundingSet(keep: bigint): void {
  for (let capability = 0; ; capability += 1) {
    const present = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    // Past the last one that this kernel knows.
    if (present === -EINVAL) return;
    checked(present, 'prctl PR_CAPBSET_READ');
    if (present === 1 && (keep & (1n << BigInt(capability))) === 0n) {
      checked(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), 'prctl PR_CAPBSET_DROP');
    }
  }
}

/** Permitted and effective become what they are now within `keep`; inheritable and ambient become empty. */
export function limitCapabilities(keep: bigint): void {
  // Kernels before 4.3 have no ambient set.
  const cleared = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (cleared !== -EINVAL) checked(cleared, 'prctl PR_CAP_AMBIENT');
  const permitted = permittedCapabilities() & keep;
  const data = new DataView(new ArrayBuffer(24));
  for (const [offset, word] of [permitted & 0xffffffffn, permitted >> 32n].entries()) {
    data.setUint32(offset * 12, Number(word), true);
    data.setUint32(offset * 12 + 4, Number(word), true);
  }
  checked(capsetCall(capabilityHeader(), new Uint8Array(data.buffer)), 'capset');
}

function permittedCapabilities(): bigint {
  const bytes = new Uint8Array(24);
  checked(capgetCall(capabilityHeader(), bytes), 'capget');
  const data = new DataView(bytes.buffer);
  return BigInt(data.getUint32(4, true)) | (BigInt(data.getUint32(16, true)) << 32n);
}

/** `struct __user_cap_header_struct` for the calling thread. */
function capabilityHeader(): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint32(0, CAPABILITY_VERSION_3, true);
  return new Uint8Array(header.buffer);
}

/** This process gets the signal when the thread that started it ends. Changing ids or capabilities clears it. */
export function dieWithParent(signal: number = SIGKILL): void {
  checked(prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), 'prctl PR_SET_PDEATHSIG');
}

/** No program that this process executes gets more rights than it: setuid bits and file capabilities mean nothing from here on. */
export function forbidNewPrivileges(): void {
  checked(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl PR_SET_NO_NEW_PRIVS');
}
