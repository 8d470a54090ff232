/** Becoming another program: execve(2), and what a process hands on to it without wanting to (signals, descriptors, session). */
import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { checked, cString, libcFunction } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

const execve = libcFunction('int execve(const char *path, const char **argv, const char **envp)');
const sigaction = libcFunction('int sigaction(int signal, const void *action, void *old)');
const sigprocmask = libcFunction('int sigprocmask(int how, const void *set, void *old)');
const fcntl = libcFunction('int fcntl(int fd, int command, long argument)');
const dup2 = libcFunction('int dup2(int from, int to)');
const setsid = libcFunction('int setsid(void)');
const pipe2 = libcFunction('int pipe2(void *fds, int flags)');

const { EBADF, EINVAL, ENOSYS } = constants.errno;
const { SIGKILL, SIGSTOP } = constants.signals;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const O_CLOEXEC = 0o2000000;
const CLOSE_RANGE_CLOEXEC = 4;
const SIG_SETMASK = 2;
const LAST_SIGNAL = 64;

/** Replaces this process. Returns, with minus the errno, only when that fails. */
export function replaceProcess(path: string, argv: readonly string[], env: readonly string[]): number {
  return execve(cString(path), terminated(argv), terminated(env));
}

function terminated(texts: readonly string[]): (string | null)[] {
  for (const text of texts) cString(text);
  return [...texts, null];
}

/** Every signal has its default action and none is blocked: ignored ones would stay ignored after execve, and Node ignores SIGPIPE. */
export function resetSignals(): void {
  // All zero: SIG_DFL, no flags, empty mask. Larger than any libc's `struct sigaction`.
  const defaultAction = new Uint8Array(256);
  for (let signal = 1; signal <= LAST_SIGNAL; signal += 1) {
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    const result = sigaction(signal, defaultAction, null);
    // libc keeps a few real-time signals to itself.
    if (result !== -EINVAL) checked(result, 'sigaction');
  }
  checked(sigprocmask(SIG_SETMASK, new Uint8Array(128), null), 'sigprocmask');
}

/** After execve only 0, 1 and 2 are open, those always: Node marks even them to be closed. */
export function keepOnlyStandardStreams(): void {
  for (const fd of [0, 1, 2]) checked(fcntl(fd, F_SETFD, 0), 'fcntl');
  handOnNoDescriptors();
}

/** No descriptor from 3 up goes to other programs, not even one that this process was itself started with; child_process's `stdio` still does. */
export function handOnNoDescriptors(): void {
  const result = syscallNumbers('close_range', 3, 0x7fffffff, CLOSE_RANGE_CLOEXEC);
  if (result === -ENOSYS || result === -EINVAL) markEachCloseOnExec();
  else checked(result, 'close_range');
}

/** For kernels before 5.11. */
function markEachCloseOnExec(): void {
  for (const fd of furtherDescriptors()) {
    const result = fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (result !== -EBADF) checked(result, 'fcntl');
  }
}

/**
 * Closes the folders that this process was started with: `/proc/self/fd/N/..` leads to the machine's files even after
 * the root has changed. To be called before this process opens folders itself; Node keeps none open.
 */
export function closeInheritedFolders(): void {
  for (const fd of furtherDescriptors()) if (isFolder(fd)) closeSync(fd);
}

/** Beside the standard streams. One of them was that of the listing itself. */
function furtherDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2);
}

function isFolder(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EBADF') return false;
    throw error;
  }
}

/** Standard input becomes this file, open for reading. */
export function openAsStdin(path: string): void {
  const fd = openSync(path, 'r');
  try {
    checked(dup2(fd, 0), 'dup2');
  } finally {
    closeSync(fd);
  }
}

/** What is written to stderr goes where stdout goes from now on. */
export function joinStderrToStdout(): void {
  checked(dup2(1, 2), 'dup2');
}

/** This process leads a new session: no terminal's signals or input injection reach it. */
export function startSession(): void {
  checked(setsid(), 'setsid');
}

/** A real pipe, which programs can open again as /dev/stdout; child_process makes sockets, which they cannot. Closed on exec. */
export function openPipe(): { readonly readEnd: number; readonly writeEnd: number } {
  const fds = Buffer.alloc(8);
  checked(pipe2(fds, O_CLOEXEC), 'pipe2');
  return { readEnd: fds.readInt32LE(0), writeEnd: fds.readInt32LE(4) };
}
