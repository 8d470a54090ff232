/** Which file argv[0] names, as for execvp(3), and why execve(2) refuses it: what is missing and what is foreign look like "not found". */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { ExecFailure } from './command-report.ts';

/** Docker's default, for an environment without PATH. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where the command's files are, seen from this process. undefined: there is no such file. */
export type FileView = (path: string) => string | Buffer | undefined;

export const AS_IT_IS: FileView = (path) => path;

/**
 * Tries each file that `name` may mean, until one is not missing. `attempt` gives undefined for a missing file; what it throws or
 * never returns from ends the search.
 */
export function searchProgram(name: string, env: readonly string[], attempt: (path: string) => ExecFailure | undefined): ExecFailure {
  if (name.includes('/')) return attempt(name) ?? { reason: 'not-found', path: name, searched: null };
  const searched = env.findLast((pair) => pair.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  let denied: ExecFailure | undefined;
  for (const folder of name === '' ? [] : searched.split(':')) {
    const failure = attempt(`${folder === '' ? '.' : folder}/${name}`);
    if (failure?.reason === 'not-executable') denied ??= failure;
    else if (failure !== undefined) return failure;
  }
  return denied ?? { reason: 'not-found', path: name, searched };
}

/** `code`: what execve(2) said of this file. undefined: there is no such file. */
export function explainExecution(path: string, code: string, view: FileView): ExecFailure | undefined {
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENOEXEC') {
    return exists(path, view) ? diagnose(path, { code, depth: 0 }, view) : undefined;
  }
  // A folder on the way that may not be entered gives EACCES, too.
  if (code === 'EACCES') return exists(path, view) ? { reason: 'not-executable', path } : undefined;
  return { reason: 'failed', path, code };
}

function exists(path: string, view: FileView): boolean {
  const file = view(path);
  if (file === undefined) return false;
  try {
    statSync(file);
    return true;
  } catch {
    return false;
  }
}

/** A file that is there and could not be executed: what its first bytes name is missing, or it is for another machine. */
function diagnose(path: string, { code, depth }: { readonly code: string; readonly depth: number }, view: FileView): ExecFailure {
  const head = readHead(view(path) ?? path);
  // The kernel follows five interpreters (BINPRM_MAX_RECURSION).
  if (head === undefined || depth > 5) return { reason: 'failed', path, code };
  if (head.toString('latin1', 0, 2) === '#!') {
    const interpreter = /^#![ \t]*([^ \t\n]*)/.exec(head.toString('utf8'))?.[1] ?? '';
    return exists(interpreter, view)
      ? diagnose(interpreter, { code, depth: depth + 1 }, view)
      : { reason: 'no-interpreter', path, interpreter, from: 'shebang' };
  }
  const elf = readElf(head);
  if (elf === undefined) return { reason: 'not-a-program', path };
  if (code === 'ENOEXEC') return { reason: 'wrong-architecture', path, architecture: elf.architecture };
  if (elf.interpreter !== undefined && !exists(elf.interpreter, view)) {
    return { reason: 'no-interpreter', path, interpreter: elf.interpreter, from: 'elf' };
  }
  return { reason: 'failed', path, code };
}

function readHead(path: string | Buffer): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    // Executable without being readable: nothing can be said about it.
    return undefined;
  }
  try {
    const head = Buffer.alloc(4096);
    return head.subarray(0, readSync(fd, head));
  } finally {
    closeSync(fd);
  }
}

const MACHINES: Readonly<Record<number, string>> = {
  3: '386',
  8: 'mips',
  21: 'ppc64le',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const PT_INTERP = 3;

/** ELF header and program headers; the interpreter's name lies in the first page of every linker's output. Spec: elf(5). */
function readElf(head: Buffer): { readonly architecture: string; readonly interpreter: string | undefined } | undefined {
  if (head.length < 64 || head.toString('latin1', 0, 4) !== '\x7fELF') return undefined;
  const wide = head[4] === 2;
  const little = head[5] === 1;
  const u16 = (at: number): number => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const u32 = (at: number): number => (little ? head.readUInt32LE(at) : head.readUInt32BE(at));
  // 64-bit offsets whose upper half is not zero are beyond the first page anyway.
  const word = (at: number): number => (wide ? u32(little ? at : at + 4) : u32(at));
  const machine = u16(18);
  const architecture = MACHINES[machine] ?? `machine ${machine}`;
  const [start, size, count] = wide ? [word(32), u16(54), u16(56)] : [word(28), u16(42), u16(44)];
  for (let at = start; at < start + size * count && at + size <= head.length; at += size) {
    if (u32(at) !== PT_INTERP) continue;
    const offset = word(at + (wide ? 8 : 4));
    const length = word(at + (wide ? 32 : 16));
    return { architecture, interpreter: head.toString('utf8', offset, offset + length).replace(/\0.*$/s, '') };
  }
  return { architecture, interpreter: undefined };
}
