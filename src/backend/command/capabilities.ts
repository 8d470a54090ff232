/** Capabilities of commands: capabilities(7). */

/** Docker's default: CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP. */
export const DOCKER_CAPABILITIES = 0xa80425fbn;

export const CAP_SYS_CHROOT = 18n;
export const CAP_SYS_ADMIN = 21n;
