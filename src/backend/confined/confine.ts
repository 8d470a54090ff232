/** Confines the calling process, which is about to become the command. Its rights never come back, whoever it executes. */
import { mkdirSync } from 'node:fs';
import { forFs } from '../../bytes/byte-path.ts';
import { forbidNewPrivileges } from '../../sys/credentials.ts';
import { ACCESS, restrictFiles } from '../../sys/landlock.ts';
import { installAskingFilter } from '../../sys/seccomp.ts';
import { askingFilter } from '../supervised/asking-filter.ts';
import type { Confinement } from './confinement.ts';
import { ENTRY_CALLS } from './entry-calls.ts';

/**
 * Since this version (Linux 6.2) files can be shut against reading, writing and truncating, and renames between folders stay
 * possible, which every command needs.
 */
export const LANDLOCK_VERSION_NEEDED = 3;

const FILE = ACCESS.readFile | ACCESS.writeFile | ACCESS.truncate;
/** With the entries: a program of somebody else in the place of one of tsbuild's own would run without any of these limits. */
const FOLDER = FILE | ACCESS.refer | ACCESS.changeEntries;

/** `listening`: told the descriptor where the filter's questions come; returns once they are answered. Throws system errors. */
export function confine({ allowed, version }: Confinement, listening: (fd: number) => void): void {
  forbidNewPrivileges();
  restrictFiles({
    handled: FOLDER,
    allowed: allowed.map(({ path, type }) => ({ path: forFs(path), access: type === 'folder' ? FOLDER : FILE })),
    version,
  });
  const filter = askingFilter(process.arch, Object.values(ENTRY_CALLS));
  const fd = filter === undefined ? 'unsupported' : installAskingFilter(filter);
  if (fd === 'unsupported') return;
  listening(fd);
  waitForAnswers();
}

/** A call that the filter asks for, and that fails whoever answers it. */
function waitForAnswers(): void {
  try {
    mkdirSync('/');
  } catch {
    // EEXIST, as it is to be.
  }
}
