/** What ties processes to each other: who takes over orphans, who may look into whom, and who collects the dead. prctl(2), waitpid(2). */
import { checked, libcFunction } from './libc.ts';

const prctl = libcFunction('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)');
const waitpid = libcFunction('int waitpid(int pid, void *status, int options)');

const PR_SET_DUMPABLE = 4;
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;

/** Whatever descends from this process becomes its child when its own parent ends, instead of one of pid 1. Not inherited. */
export function adoptOrphans(): void {
  checked(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl PR_SET_CHILD_SUBREAPER');
}

/** Its environment, memory and descriptors are shut to all others without CAP_SYS_PTRACE, root among them. Ends with execve(2). */
export function hideFromOthers(): void {
  checked(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 'prctl PR_SET_DUMPABLE');
}

/** Takes `hideFromOthers` back. */
export function showToOthers(): void {
  checked(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 'prctl PR_SET_DUMPABLE');
}

/** Collects this child if it is dead. Not for children of child_process, which waits for them itself. */
export function collectIfDead(pid: number): void {
  // ECHILD: it is not a child any more.
  waitpid(pid, null, WNOHANG);
}
