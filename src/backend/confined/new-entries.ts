/**
 * Lets a confined command use what it makes in a split folder. Landlock allows inodes, so a stock of empty files and folders is
 * allowed before the command begins, and each new entry is one of the stock, moved there. Symlinks are made, and entries renamed
 * and removed, for the command. What is closed stays closed, because Landlock holds without this.
 *
 * The caller is hostile. Its paths are read once and only looked at; what is made is an entry of a split folder, made by that
 * folder's descriptor.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { type ByteString, forFs } from '../../bytes/byte-path.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import { makeNode, type SpecialNode } from '../../sys/mknod.ts';
import type { Answer, Listener, Notification } from '../../sys/seccomp-listener.ts';
import { type Caller, callerOf, readPath } from '../supervised/caller.ts';
import { type Supervisor, supervise } from '../supervised/supervise.ts';
import type { Confinement } from './confinement.ts';
import { type EntryCall, entryCall } from './entry-calls.ts';
import type { EntryStock } from './entry-stock.ts';
import { openSplitFolders, type SplitFolders } from './split-folders.ts';

const O_CLOEXEC = 0o2000000;

export interface NewEntriesPlace {
  readonly confinement: Confinement;
  readonly stock: EntryStock;
}

/** `process`: see supervise. Throws system errors. */
export function helpWithNewEntries(
  process: { readonly pid: number; readonly fd: number },
  { confinement, stock }: NewEntriesPlace,
  failed: (error: unknown) => void,
): Supervisor {
  const folders = openSplitFolders(confinement);
  try {
    const supervisor = supervise(process, (question, listener) => answer(question, listener, { folders, stock }), failed);
    return {
      stop() {
        supervisor.stop();
        folders[Symbol.dispose]();
      },
    };
  } catch (error) {
    folders[Symbol.dispose]();
    throw error;
  }
}

interface Place {
  readonly folders: SplitFolders;
  readonly stock: EntryStock;
}

/** A new file that is open already. */
interface Opened {
  readonly fd: number;
  readonly flags: number;
}

/** Whatever goes wrong, the kernel is left to say it. */
function answer(question: Notification, listener: Listener, place: Place): void {
  const help = attempt(() => helpWith(question, listener, place)) ?? 'continue';
  if (typeof help !== 'object') {
    listener.answer(question, help);
    return;
  }
  listener.answerWithDescriptor(question, help.fd, (help.flags & O_CLOEXEC) === 0 ? 'keep-on-exec' : 'close-on-exec');
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
    return undefined;
  }
}

/** 'continue' for what is not in a split folder, or not made by root, or there already. */
function helpWith(question: Notification, listener: Listener, { folders, stock }: Place): Answer | Opened {
  const call = entryCall(question);
  if (call === undefined) return 'continue';
  const { pid } = question;
  const texts = readTexts(pid, call);
  const entry = folders.entry({ pid, folder: call.path.folder, path: texts.path });
  const from = 'from' in call ? folders.entry({ pid, folder: call.from.folder, path: texts.other }) : undefined;
  if (entry === undefined && from === undefined) return 'continue';
  const caller = callerOf(pid);
  // From here on what was looked at is the caller's.
  if (caller.uid !== 0 || !listener.isWaiting(question)) return 'continue';
  if (call.kind === 'rename') return rename(from, entry, call.flags);
  if (call.kind === 'link') return link(from, entry, call.flags);
  if (entry === undefined) return 'continue';
  if (call.kind === 'remove') return changed(() => (call.what === 'dir' ? rmdirSync(entry) : unlinkSync(entry)));
  if (lstatSync(entry, { throwIfNoEntry: false }) !== undefined) return 'continue';
  switch (call.kind) {
    case 'dir':
      stock.take('dir', (one) => moveTo(entry, one, { mode: call.mode, caller }));
      return 0;
    case 'symlink':
      symlinkSync(forFs(texts.other), entry);
      lchownSync(entry, caller.uid, caller.gid);
      return 0;
    case 'node':
      return makeSpecial(entry, call, caller);
    case 'file': {
      const { mode, flags } = call;
      stock.take('file', (one) => moveTo(entry, one, { mode, caller }));
      return open(entry, flags);
    }
  }
}

const RENAME_NOREPLACE = 1;

/** Between a split folder and another one, programs are told to copy, as between file systems. */
function rename(from: string | Buffer | undefined, to: string | Buffer | undefined, flags: number): Answer {
  if (from === undefined || to === undefined) return -os.errno.EXDEV;
  if ((flags & ~RENAME_NOREPLACE) !== 0) return 'continue';
  if (flags === RENAME_NOREPLACE && lstatSync(to, { throwIfNoEntry: false }) !== undefined) return -os.errno.EEXIST;
  return changed(() => renameSync(from, to));
}

function link(from: string | Buffer | undefined, to: string | Buffer | undefined, flags: number): Answer {
  if (from === undefined || to === undefined) return -os.errno.EXDEV;
  return flags === 0 ? changed(() => linkSync(from, to)) : 'continue';
}

const CAP_MKNOD = 1n << 27n;
const NODES: Readonly<Record<number, SpecialNode['type']>> = {
  [constants.S_IFCHR]: 'char',
  [constants.S_IFBLK]: 'block',
  [constants.S_IFIFO]: 'fifo',
};

function makeSpecial(path: string | Buffer, { mode, device }: Extract<EntryCall, { kind: 'node' }>, caller: Caller): Answer {
  const type = NODES[mode & constants.S_IFMT];
  if (type === undefined || (type !== 'fifo' && (caller.capabilities & CAP_MKNOD) === 0n)) return 'continue';
  return changed(() => {
    makeNode(path, { type, mode: mode & 0o7777 & ~caller.umask, ...deviceNumbers(device) });
    lchownSync(path, caller.uid, caller.gid);
  });
}

/** The kernel's answer to the same call of this process. */
function changed(change: () => void): Answer {
  try {
    change();
    return 0;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return -Math.abs(errno);
  }
}

/** The kernel would refuse a file that is there already to who wants it new, and one that is not of the stock to everybody. */
function open(path: string | Buffer, flags: number): Answer | Opened {
  try {
    return { fd: openSync(path, (flags & ~(constants.O_CREAT | constants.O_EXCL)) | constants.O_NOFOLLOW), flags };
  } catch {
    // It was removed again in this moment.
    return -os.errno.EACCES;
  }
}

interface Texts {
  readonly path: ByteString;
  /** A symlink's target, the old name of what is renamed; else ''. */
  readonly other: ByteString;
}

/** `mkdir d/` makes d, where `ln -s x d/` makes nothing. */
function readTexts(pid: number, call: EntryCall): Texts {
  const memory = openSync(`/proc/${pid}/mem`, constants.O_RDONLY);
  try {
    const path = readPath(memory, call.path.at);
    if (call.kind === 'symlink') return { path, other: readPath(memory, call.targetAt) };
    if ('from' in call) return { path, other: readPath(memory, call.from.at) };
    return { path: call.kind === 'dir' ? path.replace(/\/+$/, '') : path, other: '' };
  } finally {
    closeSync(memory);
  }
}

/** A split folder may be a file system of its own: what is made there the command cannot open again. */
function moveTo(path: string | Buffer, from: string, { mode, caller }: { readonly mode: number; readonly caller: Caller }): void {
  const now = new Date();
  const dress = (entry: string | Buffer): void => {
    chownSync(entry, caller.uid, caller.gid);
    chmodSync(entry, mode & 0o7777 & ~caller.umask);
    utimesSync(entry, now, now);
  };
  dress(from);
  try {
    renameSync(from, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    if (lstatSync(from).isDirectory()) mkdirSync(path);
    else closeSync(openSync(path, 'wx'));
    dress(path);
    rmSync(from, { recursive: true });
  }
}
