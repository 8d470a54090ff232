/** What the kernel says about this process and its limits. proc_pid_status(5), user_namespaces(7). */
import { readFileSync } from 'node:fs';
import { CAP_SYS_ADMIN, hasCapability } from '../command/capabilities.ts';
import type { OverlayStyle } from './init-spec.ts';

/** What the initial user namespace shows as its map: all ids as themselves. */
const ALL_IDS = /^\s*0\s+0\s+4294967295\s*$/;

/** Which xattrs an overlay uses here, and so which whiteouts and opaque marks unpacked layers must carry. */
export function overlayStyle(): OverlayStyle {
  return ALL_IDS.test(readFileSync('/proc/self/uid_map', 'utf8')) ? 'trusted' : 'user';
}

export function hasSysAdmin(): boolean {
  return hasCapability(CAP_SYS_ADMIN);
}

/** Whether a program with more rights than this process could have this capability: a setuid one, for example. */
export function mayGain(capability: bigint): boolean {
  return (BigInt(`0x${statusField('CapBnd') ?? '0'}`) & (1n << capability)) !== 0n;
}

/** The name of the AppArmor profile that confines this process; undefined: none does. */
export function appArmorProfile(): string | undefined {
  try {
    const [name = ''] = readFileSync('/proc/self/attr/apparmor/current', 'utf8').trim().split(' ');
    return name === '' || name === 'unconfined' ? undefined : name;
  } catch {
    // A kernel without AppArmor.
    return undefined;
  }
}

export function hasSeccompFilter(): boolean {
  return statusField('Seccomp') === '2';
}

export function hasNoNewPrivileges(): boolean {
  return statusField('NoNewPrivs') === '1';
}

function statusField(name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
}

/** A setting below /proc/sys; undefined: this kernel has no such setting. */
export function sysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
