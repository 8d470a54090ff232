/**
 * The working directory of a RUN, made where it is missing, as runc does. Each part is entered before the next one is
 * looked at, and none may lie outside the rootfs, which links below /proc could lead to (runc's verifyCwd).
 */
import { mkdirSync } from 'node:fs';
import { SetupError, step } from './setup-error.ts';

/** `cwd`: absolute. Called inside the rootfs. New folders get mode 0777 without the umask. Throws SetupError. */
export function enterWorkingDirectory(cwd: string): void {
  const what = `make the working directory ${cwd}`;
  process.chdir('/');
  for (const part of cwd.split('/').filter((name) => name !== '')) {
    step(what, () => enterOrMake(part));
    if (!isInside()) throw new SetupError(what, 'it leads out of the rootfs');
  }
}

/** Not Node's recursive mkdir, which never ends where the kernel says ENOENT for a folder that cannot be made, as below /proc. */
function enterOrMake(name: string): void {
  try {
    process.chdir(name);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(name);
  process.chdir(name);
}

/** getcwd(2) says "(unreachable)" for a folder that is not below the root; libc makes ENOENT of that. */
function isInside(): boolean {
  try {
    return process.cwd().startsWith('/');
  } catch {
    return false;
  }
}
