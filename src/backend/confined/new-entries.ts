/**
 * Lets a confined command use what it makes in a split folder. Landlock allows inodes, so a stock of empty files and folders is
 * allowed before the command begins, and each new entry is one of the stock, moved there. That only helps: whatever is answered
 * here, Landlock holds; and where no help is possible the kernel makes the entry, which the command then cannot open again.
 *
 * The caller is hostile. Its path is read once and only looked at; what is made is made in a split folder, by its descriptor, under
 * one name.
 */
import { chmodSync, chownSync, closeSync, constants, lstatSync, openSync, readlinkSync, renameSync, statSync, utimesSync } from 'node:fs';
import { constants as os } from 'node:os';
import { type ByteString, baseName, forFs } from '../../bytes/byte-path.ts';
import type { Listener, Notification } from '../../sys/seccomp-listener.ts';
import { askedName } from '../supervised/asking-filter.ts';
import { AT_FDCWD, type Caller, callerOf, readPath } from '../supervised/caller.ts';
import { type Supervisor, supervise } from '../supervised/supervise.ts';
import { ENTRY_CALLS } from './entry-calls.ts';
import type { EntryStock } from './entry-stock.ts';

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

interface SplitFolder {
  readonly fd: number;
  readonly dev: bigint;
  readonly ino: bigint;
}

export interface NewEntriesPlace {
  /** Confinement.split. */
  readonly split: readonly string[];
  readonly stock: EntryStock;
}

/** `process`: see supervise. Throws system errors. */
export function helpWithNewEntries(
  process: { readonly pid: number; readonly fd: number },
  { split, stock }: NewEntriesPlace,
  failed: (error: unknown) => void,
): Supervisor {
  const folders: SplitFolder[] = [];
  const close = (): void => {
    for (const { fd } of folders.splice(0)) closeSync(fd);
  };
  try {
    for (const path of split) folders.push(openFolder(path));
    const supervisor = supervise(process, (question, listener) => answer(question, listener, { folders, stock }), failed);
    return {
      stop() {
        supervisor.stop();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

function openFolder(path: string): SplitFolder {
  const fd = openSync(forFs(path), O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
  const { dev, ino } = statSync(`/proc/self/fd/${fd}`, { bigint: true });
  return { fd, dev, ino };
}

interface Place {
  readonly folders: readonly SplitFolder[];
  readonly stock: EntryStock;
}

/** Whatever goes wrong, the kernel is left to say it. */
function answer(question: Notification, listener: Listener, place: Place): void {
  const entry = attempt(() => wantedEntry(question, listener, place));
  const made = entry === undefined ? undefined : attempt(() => place.stock.place(entry.kind, (from) => moveTo(entry, from)));
  if (entry === undefined || made !== 'placed' || entry.kind === 'open') listener.answer(question, 'continue');
  else if (entry.kind === 'dir') listener.answer(question, 0);
  else answerOpened(question, listener, entry);
}

function answerOpened(question: Notification, listener: Listener, { path, flags }: NewEntry): void {
  const fd = attempt(() => openSync(path, (flags & ~(constants.O_CREAT | constants.O_EXCL)) | constants.O_NOFOLLOW));
  if (fd === undefined) {
    listener.answer(question, -os.errno.EACCES);
    return;
  }
  try {
    listener.answerWithDescriptor(question, fd, (flags & O_CLOEXEC) === 0 ? 'keep-on-exec' : 'close-on-exec');
  } finally {
    closeSync(fd);
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    return undefined;
  }
}

interface NewEntry {
  /** `exclusive`: the file must be new, so the kernel would refuse the one from the stock: the caller gets it opened. */
  readonly kind: 'dir' | 'open' | 'exclusive';
  readonly path: string | Buffer;
  readonly mode: number;
  readonly flags: number;
  readonly caller: Caller;
}

/** undefined: nothing that is made in a split folder, or not by root, or it is there already. */
function wantedEntry(question: Notification, listener: Listener, { folders }: Place): NewEntry | undefined {
  const call = callOf(question);
  if (call === undefined) return undefined;
  const { pid } = question;
  const path = readCallerPath(pid, call.pathAt).replace(/\/+$/, '');
  const name = baseName(path);
  if (name === '' || name === '.' || name === '..') return undefined;
  // In a chroot of its own the caller's paths mean something else.
  if (readlinkSync(`/proc/${pid}/root`) !== '/') return undefined;
  const above = path.slice(0, path.length - name.length);
  const from = call.folder === AT_FDCWD ? 'cwd' : `fd/${call.folder}`;
  const parent = statSync(forFs(path.startsWith('/') ? above : `/proc/${pid}/${from}/${above}`), { bigint: true });
  const folder = folders.find(({ dev, ino }) => dev === parent.dev && ino === parent.ino);
  if (folder === undefined) return undefined;
  const caller = callerOf(pid);
  if (caller.uid !== 0 || !listener.isWaiting(question)) return undefined;
  const target = forFs(`/proc/self/fd/${folder.fd}/${name}`);
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return undefined;
  return { kind: call.kind, path: target, mode: call.mode & 0o7777 & ~caller.umask, flags: call.flags, caller };
}

interface Call {
  readonly kind: NewEntry['kind'];
  /** AT_FDCWD or a descriptor of the caller. */
  readonly folder: number;
  readonly pathAt: bigint;
  readonly flags: number;
  readonly mode: number;
}

function callOf(question: Notification): Call | undefined {
  const name = askedName(ENTRY_CALLS, process.arch, question);
  const number = (position: number): number => Number(BigInt.asIntN(32, question.arguments[position] ?? 0n));
  const pathAt = (position: number): bigint => question.arguments[position] ?? 0n;
  const opening = (flags: number): 'open' | 'exclusive' => ((flags & constants.O_EXCL) === 0 ? 'open' : 'exclusive');
  switch (name) {
    case undefined:
      return undefined;
    case 'mkdir':
      return { kind: 'dir', folder: AT_FDCWD, pathAt: pathAt(0), flags: 0, mode: number(1) };
    case 'mkdirat':
      return { kind: 'dir', folder: number(0), pathAt: pathAt(1), flags: 0, mode: number(2) };
    case 'creat':
      return { kind: 'open', folder: AT_FDCWD, pathAt: pathAt(0), flags: 0, mode: number(1) };
    case 'open':
      return { kind: opening(number(1)), folder: AT_FDCWD, pathAt: pathAt(0), flags: number(1), mode: number(2) };
    case 'openat':
      return { kind: opening(number(2)), folder: number(0), pathAt: pathAt(1), flags: number(2), mode: number(3) };
  }
}

function readCallerPath(pid: number, at: bigint): ByteString {
  const memory = openSync(`/proc/${pid}/mem`, constants.O_RDONLY);
  try {
    return readPath(memory, at);
  } finally {
    closeSync(memory);
  }
}

function moveTo({ path, mode, caller }: NewEntry, from: string): void {
  const now = new Date();
  chownSync(from, caller.uid, caller.gid);
  chmodSync(from, mode);
  utimesSync(from, now, now);
  renameSync(from, path);
}
