/** --context, --context-sub-path and --dockerfile as absolute paths that exist, and the Dockerfile's bytes. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { SourceOptions } from './options.ts';
import type { Problems } from './problems.ts';

/** Kaniko's default context. */
const KANIKO_CONTEXT = '/workspace/';

export interface SourceFlags {
  readonly context: string | undefined;
  readonly contextSubPath: string | undefined;
  readonly dockerfile: string | undefined;
  /** Absolute. */
  readonly cwd: string;
}

/** Undefined when something is wrong; `problems` knows what. */
export function resolveSource(flags: SourceFlags, problems: Problems): SourceOptions | undefined {
  const context = resolveContext(flags, problems);
  if (context === undefined) return undefined;
  const name = flags.dockerfile ?? 'Dockerfile';
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) {
    problems.add('NOT_SUPPORTED', `not supported yet: --dockerfile ${name}`, 'fetch the file first and give its path');
    return undefined;
  }
  if (name === '-') {
    problems.add('NOT_SUPPORTED', 'a Dockerfile on stdin is not supported yet', 'write it into a file and give its path with --dockerfile');
    return undefined;
  }
  const candidates = [...new Set(isAbsolute(name) ? [name] : [join(context.folder, name), resolve(flags.cwd, name)])];
  const found = candidates.map((candidate) => ({ candidate, type: typeOf(candidate) }));
  // A candidate that cannot be looked at might be the one that is meant: the next one must not take its place.
  const first = found.find(({ type }) => type !== 'missing' && type !== 'folder');
  if (first === undefined) {
    const folder = found.find(({ type }) => type === 'folder');
    if (folder === undefined)
      problems.usage(`there is no Dockerfile: looked for ${candidates.join(' and ')}`, otherNames(context.folder, flags.dockerfile));
    else problems.usage(`the Dockerfile ${folder.candidate} is a folder`, 'name the file itself with --dockerfile');
    return undefined;
  }
  const { candidate: path, type } = first;
  if (typeof type === 'object') {
    problems.add('CONTEXT_READ', `the Dockerfile ${path} cannot be read: ${type.code}`, hintFor(type.code, path));
    return undefined;
  }
  return {
    contextFolder: context.folder,
    contextLabel: context.label,
    dockerfilePath: path,
    dockerfileLabel: labelOf(path, flags.cwd),
  };
}

function resolveContext(flags: SourceFlags, problems: Problems): { folder: string; label: string } | undefined {
  const given = flags.context ?? (typeOf(KANIKO_CONTEXT) === 'folder' ? KANIKO_CONTEXT : '.');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'dir') {
    problems.add(
      'NOT_SUPPORTED',
      `not supported yet: --context ${scheme}://`,
      'fetch the context into a folder first and give that folder',
    );
    return undefined;
  }
  const written = scheme === 'dir' ? given.slice('dir://'.length) : given;
  const whole = resolve(flags.cwd, written);
  const folder = flags.contextSubPath === undefined ? whole : join(whole, flags.contextSubPath);
  if (relative(whole, folder).split('/')[0] === '..') {
    problems.usage(`--context-sub-path ${flags.contextSubPath} leads out of the context`, 'name a folder inside the context');
    return undefined;
  }
  const outer = typeOf(whole);
  if (outer === 'missing')
    problems.add('CONTEXT_NOT_FOUND', `the context ${written} does not exist`, 'give an existing folder with --context');
  else if (outer === 'file')
    problems.add('CONTEXT_NOT_FOUND', `the context ${written} is a file`, 'give the folder that holds your files with --context');
  else if (outer !== 'folder')
    problems.add('CONTEXT_READ', `the context ${written} cannot be read: ${outer.code}`, hintFor(outer.code, whole));
  if (outer !== 'folder') return undefined;
  if (flags.contextSubPath === undefined) return { folder, label: written };
  const type = typeOf(folder);
  if (type === 'folder') return { folder, label: join(written, flags.contextSubPath) };
  const what = `--context-sub-path ${flags.contextSubPath}: ${folder}`;
  if (type === 'missing') problems.add('CONTEXT_NOT_FOUND', `${what} does not exist`, 'name a folder inside the context');
  else if (type === 'file') problems.add('CONTEXT_NOT_FOUND', `${what} is a file`, 'name a folder inside the context');
  else problems.add('CONTEXT_READ', `${what} cannot be read: ${type.code}`, hintFor(type.code, folder));
  return undefined;
}

function hintFor(code: string | undefined, path: string): string {
  return code === 'EACCES' || code === 'EPERM'
    ? 'let the user who builds read it, and enter the folders above it (chmod)'
    : `look at it: ls -lL ${path}`;
}

/** The object: what the kernel said when it would not tell. */
function typeOf(path: string): 'file' | 'folder' | 'missing' | { readonly code: string } {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return 'missing';
    return stat.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { code };
  }
}

/** The bytes of a Dockerfile that `resolveSource` found. Throws CONTEXT_READ. */
export function readDockerfile({ dockerfilePath, dockerfileLabel }: SourceOptions): Uint8Array {
  try {
    return readFileSync(dockerfilePath);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TsbuildError('CONTEXT_READ', `the Dockerfile ${dockerfileLabel} cannot be read: ${code ?? message}`, {
      hint: hintFor(code, dockerfilePath),
      cause,
    });
  }
}

/** Relative to the working folder where that is shorter to read, so that terminals can follow it. */
function labelOf(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith('..') ? path : near;
}

function otherNames(folder: string, dockerfile: string | undefined): string {
  const near = ['Containerfile', 'dockerfile'].find((name) => existsSync(join(folder, name)));
  if (dockerfile === undefined && near !== undefined) return `the context has a ${near}: add --dockerfile ${near}`;
  return 'name the file with --dockerfile and the folder of your files with --context';
}
