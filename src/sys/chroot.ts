/** Another root for this process and what it starts. chroot(2). */
import { checked, cString, libcFunction } from './libc.ts';

const chroot = libcFunction('int chroot(const char *path)');

/** The working directory becomes the new root, too: one that is left outside would lead there. Needs CAP_SYS_CHROOT. */
export function enterChroot(path: string): void {
  checked(chroot(cString(path)), 'chroot', path);
  process.chdir('/');
}
