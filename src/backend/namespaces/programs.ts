/** The programs of this machine that start a sandbox. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface SandboxPrograms {
  /** Of util-linux; absolute. */
  readonly setpriv: string;
  readonly unshare: string;
  readonly node: string;
  /** The bundled init.ts. */
  readonly init: string;
}

/** Where they are where PATH says nothing: an ordinary user's PATH often lacks the sbin folders. */
const USUAL_FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** Absolute path of an executable file, or undefined. */
export function findProgram(name: string, path = process.env['PATH'] ?? ''): string | undefined {
  return [...path.split(delimiter).filter((folder) => folder.startsWith('/')), ...USUAL_FOLDERS]
    .map((folder) => join(folder, name))
    .find((file) => isExecutable(file));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
