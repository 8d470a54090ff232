/**
 * Advisory locks between processes on an open file. flock(2). The lock belongs to the open file description: closing the
 * descriptor, or the end of the process, releases it.
 */
import { constants } from 'node:os';
import { checked, libcFunction } from './libc.ts';

const LOCK = { shared: 1, exclusive: 2 } as const;
const LOCK_NB = 4;
const LOCK_UN = 8;

const flock = libcFunction('int flock(int fd, int operation)');

/** Takes the lock without waiting; a lock that `fd` holds already is converted. False: another one holds it. */
export function tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean {
  const result = flock(fd, LOCK[kind] | LOCK_NB);
  if (result === -constants.errno.EWOULDBLOCK) return false;
  checked(result, 'flock');
  return true;
}

export function unlock(fd: number): void {
  checked(flock(fd, LOCK_UN), 'flock');
}
