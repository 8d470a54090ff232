/** What this machine offers to tests, as reasons why something cannot run; never installs anything. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Absolute path of a program, or undefined. Looks in the sbin folders too, which an ordinary user's PATH lacks. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  return folders
    .filter((f) => f !== '')
    .map((f) => join(f, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A program's name, `root`, `not root`, or a file that has to exist (`/dev/fuse`). */
export type Need = string;

/** Why `needs` are not met here, or undefined when they are. */
export function missing(needs: readonly Need[]): string | undefined {
  const lacking = needs.filter((need) => {
    if (need === 'root') return process.getuid?.() !== 0;
    if (need === 'not root') return process.getuid?.() === 0;
    return need.startsWith('/') ? !existsSync(need) : findProgram(need) === undefined;
  });
  return lacking.length === 0 ? undefined : `needs ${lacking.join(', ')}`;
}
