/** Where the files of a proot's command are on this machine. */
import { lstatSync } from 'node:fs';
import { posix } from 'node:path';
import { bytesOf, forFs } from '../../bytes/byte-path.ts';
import type { ExecFailure } from '../command/command-report.ts';
import { explainExecution, type FileView, searchProgram } from '../command/explain-execution.ts';
import { SetupError } from '../command/setup-error.ts';
import { findTarget } from '../folder/find-target.ts';
import type { FolderCommand } from '../folder/parts.ts';

type Place = Pick<FolderCommand, 'root' | 'cwd' | 'binds'>;

export function guestFiles({ root, cwd, binds }: Place): FileView {
  const host = (path: string): string | Buffer => forFs(path === '' ? bytesOf(root) : `${bytesOf(root)}/${path}`);
  return (path) => {
    try {
      const found = `/${findTarget(host, posix.resolve(cwd, path)).path}`;
      const bind = binds.findLast(({ target }) => found === bytesOf(target) || found.startsWith(`${bytesOf(target)}/`));
      if (bind === undefined) return host(found.slice(1));
      return forFs(bytesOf(bind.hostPath) + found.slice(bytesOf(bind.target).length));
    } catch (error) {
      if (error instanceof SetupError) return undefined;
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOTDIR' || code === 'ENOENT') return undefined;
      throw error;
    }
  };
}

/** The file that argv[0] names. Root may execute what anybody may; whether another user may, execve(2) will say. */
export function findProgram({ argv, env }: Pick<FolderCommand, 'argv' | 'env'>, view: FileView): { readonly path: string } | ExecFailure {
  let program: string | undefined;
  const failure = searchProgram(argv[0] ?? '', env, (path) => {
    if (program !== undefined) return undefined;
    const file = view(path);
    const stats = file === undefined ? undefined : lstatSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (!stats.isFile() || (stats.mode & 0o111) === 0) return { reason: 'not-executable', path };
    program = path;
    return undefined;
  });
  if (program === undefined) return failure;
  // proot loads programs itself, whatever they are for.
  const foreign = explainExecution(program, 'ENOEXEC', view);
  return foreign?.reason === 'wrong-architecture' && !ownArchitectures().includes(foreign.architecture) ? foreign : { path: program };
}

/** What proot can load on this machine: its own programs, and those of 32 bits where it comes with a loader for them. */
export function ownArchitectures(): readonly string[] {
  return process.arch === 'arm64' ? ['arm64'] : ['amd64', '386'];
}

/** Why execve(2) failed with this code. */
export function explain(path: string, code: string, view: FileView): ExecFailure {
  return explainExecution(path, code, view) ?? { reason: 'not-found', path, searched: null };
}
