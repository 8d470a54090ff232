/** Capabilities of commands and of this process: capabilities(7). */
import { readFileSync } from 'node:fs';

/** Docker's default: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP. */
export const DOCKER_CAPABILITIES = 0xa80425fbn;

export const CAP_SYS_CHROOT = 18n;
export const CAP_SYS_ADMIN = 21n;

/** Whether this process may use it. */
export function hasCapability(capability: bigint): boolean {
  const effective = /^CapEff:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return (BigInt(`0x${effective}`) & (1n << capability)) !== 0n;
}
