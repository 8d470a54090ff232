/**
 * The other end of a seccomp filter that asks: system calls of the filtered processes wait until they are answered here.
 * seccomp_unotify(2), pidfd_getfd(2). Not here: what is answered. The same numbers on every architecture that tsbuild knows.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { checked, libcFunction, systemError, waitingLibcFunction } from './libc.ts';
import { syscallNumbers } from './syscalls.ts';

const ioctl = libcFunction('int ioctl(int fd, unsigned long request, void *data)');
const poll = libcFunction('int poll(void *fds, unsigned long count, int timeout)');
const waitingPoll = waitingLibcFunction('int poll(void *fds, unsigned long count, int timeout)');

const NOTIF_RECV = 0xc050_2100;
const NOTIF_SEND = 0xc018_2101;
/** With the direction that kernels before 5.10 want and later ones also take. */
const NOTIF_ID_VALID = 0x8008_2102;
const NOTIF_ADDFD = 0x4018_2103;
const NOTIF_BYTES = 80;
const RESPONSE_BYTES = 24;
const ADDFD_BYTES = 24;
const O_CLOEXEC = 0o2000000;
const FLAG_CONTINUE = 1;
const POLLIN = 1;
const POLLHUP = 16;
const { EINTR, ENOENT, EPERM } = constants.errno;

export interface Notification {
  readonly id: bigint;
  /** Of the thread that waits; 0 when this process cannot see it. */
  readonly pid: number;
  readonly number: number;
  /** AUDIT_ARCH_ of its call. */
  readonly arch: number;
  readonly arguments: readonly bigint[];
}

/** What the call returns: 0, a negative errno, or what the kernel itself says to it. */
export type Answer = number | 'continue';

export interface Listener {
  /** undefined: nobody waits now, or asks within the time, for which this process stands still. 'ended': nobody is under the filter any more. */
  next(withinMs?: number): Notification | 'ended' | undefined;
  /** Whether it still waits: if so, its pid has meant that thread all the time. */
  isWaiting(notification: Notification): boolean;
  answer(notification: Notification, answer: Answer): void;
  /** The call returns a copy of this descriptor, which the caller gets closed on exec or not; it is closed here. Since Linux 5.9. */
  answerWithDescriptor(notification: Notification, fd: number, closing: 'close-on-exec' | 'keep-on-exec'): void;
  /** Waits for a question, or for so long, without keeping the process from other work. */
  wait(ms: number): Promise<void>;
  close(): void;
}

/** Whether descriptors of other processes can be taken over here. */
export function canTakeDescriptors(): boolean {
  try {
    closeSync(takeDescriptor(process.pid, 2));
    return true;
  } catch {
    return false;
  }
}

/** The listener that is descriptor `fd` of process `pid`. */
export function takeListener(pid: number, fd: number): Listener {
  return listenerOf(takeDescriptor(pid, fd));
}

function takeDescriptor(pid: number, fd: number): number {
  const process = checked(syscallNumbers('pidfd_open', pid, 0, 0), 'pidfd_open');
  try {
    return checked(syscallNumbers('pidfd_getfd', process, fd, 0), 'pidfd_getfd');
  } finally {
    closeSync(process);
  }
}

function listenerOf(fd: number): Listener {
  return {
    next(withinMs = 0) {
      const waits = pollFor(fd, withinMs);
      if (waits !== 'yes') return waits === 'ended' ? 'ended' : undefined;
      const bytes = Buffer.alloc(NOTIF_BYTES);
      const result = ioctl(fd, NOTIF_RECV, bytes);
      // The thread was killed in this moment.
      if (result === -ENOENT || result === -EINTR) return undefined;
      checked(result, 'SECCOMP_IOCTL_NOTIF_RECV');
      return {
        id: bytes.readBigUInt64LE(0),
        pid: bytes.readUInt32LE(8),
        number: bytes.readInt32LE(16),
        arch: bytes.readUInt32LE(20),
        arguments: [0, 1, 2, 3, 4, 5].map((i) => bytes.readBigUInt64LE(32 + 8 * i)),
      };
    },
    isWaiting({ id }) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(id);
      return ioctl(fd, NOTIF_ID_VALID, bytes) === 0;
    },
    answer({ id }, answer) {
      const bytes = Buffer.alloc(RESPONSE_BYTES);
      bytes.writeBigUInt64LE(id, 0);
      if (answer === 'continue') bytes.writeUInt32LE(FLAG_CONTINUE, 20);
      else bytes.writeInt32LE(answer, 16);
      let result = ioctl(fd, NOTIF_SEND, bytes);
      // Kernels before 5.5 cannot let a call go on.
      if (result < 0 && result !== -ENOENT && answer === 'continue') {
        bytes.writeUInt32LE(0, 20);
        bytes.writeInt32LE(-EPERM, 16);
        result = ioctl(fd, NOTIF_SEND, bytes);
      }
      // It does not wait any more: a signal came, or it was killed.
      if (result !== -ENOENT) checked(result, 'SECCOMP_IOCTL_NOTIF_SEND');
    },
    answerWithDescriptor({ id }, given, closing) {
      const bytes = Buffer.alloc(ADDFD_BYTES);
      bytes.writeBigUInt64LE(id, 0);
      bytes.writeUInt32LE(given, 12);
      bytes.writeUInt32LE(closing === 'close-on-exec' ? O_CLOEXEC : 0, 20);
      const installed = ioctl(fd, NOTIF_ADDFD, bytes);
      // Not at once with the answer: a program that the caller writes cannot be executed while it is open for writing here, too.
      closeSync(given);
      if (installed === -ENOENT) return;
      checked(installed, 'SECCOMP_IOCTL_NOTIF_ADDFD');
      const response = Buffer.alloc(RESPONSE_BYTES);
      response.writeBigUInt64LE(id, 0);
      response.writeBigInt64LE(BigInt(installed), 8);
      const result = ioctl(fd, NOTIF_SEND, response);
      if (result !== -ENOENT) checked(result, 'SECCOMP_IOCTL_NOTIF_SEND');
    },
    async wait(ms) {
      await waitingPoll(pollEntry(fd), 1, ms);
    },
    close: () => closeSync(fd),
  };
}

function pollFor(fd: number, ms: number): 'yes' | 'no' | 'ended' {
  const entry = pollEntry(fd);
  const count = poll(entry, 1, ms);
  if (count === -EINTR || count === 0) return 'no';
  if (count < 0) throw systemError(-count, 'poll');
  const events = entry.readInt16LE(6);
  if ((events & POLLIN) !== 0) return 'yes';
  return (events & POLLHUP) !== 0 ? 'ended' : 'no';
}

function pollEntry(fd: number): Buffer {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(fd, 0);
  entry.writeInt16LE(POLLIN, 4);
  return entry;
}
