/**
 * A folder and the ones above it. Not Node's recursive mkdir, which never ends where the kernel says ENOENT for a folder
 * whose parent exists, as below /proc, and takes no signal meanwhile.
 */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Makes what is missing of `path`, each new folder with `mode` less the umask. A folder that exists stays as it is. Throws what mkdir(2) says. */
export function makeFolder(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, mode);
    return;
  } catch (error) {
    if (isFolder(path)) return;
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error;
    makeFolder(parent, mode);
  }
  makeLast(path, mode);
}

/** The parent exists by now: ENOENT is final. Another process may have been faster. */
function makeLast(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
