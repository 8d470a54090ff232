/** --context, --context-sub-path and --dockerfile: a folder and a file that exist, or what is to be fetched when the build begins. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, posix, relative, resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { ArchiveSource, FetchedDockerfile, FolderSource, SourceOptions } from './options.ts';
import { isGitContext, parseGitContext } from './parse-git-context.ts';
import type { Problems } from './problems.ts';

/** Kaniko's default context. */
const KANIKO_CONTEXT = '/workspace/';

export interface SourceFlags {
  readonly context: string | undefined;
  readonly contextSubPath: string | undefined;
  readonly dockerfile: string | undefined;
  /** --git. */
  readonly git: readonly string[];
  /** --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR. */
  readonly keepGitDir: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
}

/** Undefined when something is wrong; `problems` knows what. */
export function resolveSource(flags: SourceFlags, problems: Problems): SourceOptions | undefined {
  const { context = '' } = flags;
  if (isGitContext(context)) return resolveRepository(context, flags, problems);
  if (flags.git.some((text) => text !== ''))
    problems.usage('--git is for a context that is a git repository', 'leave it out, or give one: --context git://HOST/PATH');
  if (/^tar:\/\//i.test(context)) return resolveArchive(context.slice('tar://'.length), flags, problems);
  return resolveFolder(flags, problems);
}

function resolveRepository(context: string, flags: SourceFlags, problems: Problems): SourceOptions | undefined {
  const subPath = fetchedSubPath(flags, problems);
  const dockerfile = fetchedDockerfile(flags, problems);
  const parsed = problems.attempt('--context', () => parseGitContext(context, { ...flags, subPath: subPath ?? '' }));
  return parsed === undefined || subPath === undefined || dockerfile === undefined ? undefined : { ...parsed, dockerfile };
}

function resolveArchive(written: string, flags: SourceFlags, problems: Problems): ArchiveSource | undefined {
  const from: ArchiveSource['from'] = written === 'stdin' ? { kind: 'stdin' } : { kind: 'file', path: resolve(flags.cwd, written) };
  const label = from.kind === 'stdin' ? 'the archive on stdin' : `the archive ${written}`;
  const subPath = fetchedSubPath(flags, problems);
  const dockerfile = fetchedDockerfile(flags, problems);
  const type = from.kind === 'stdin' ? 'file' : written === '' ? 'missing' : typeOf(from.path);
  if (type === 'missing') problems.add('CONTEXT_NOT_FOUND', `${label} does not exist`, 'write --context tar://FILE or tar://stdin');
  else if (type === 'folder') problems.add('CONTEXT_NOT_FOUND', `${label} is a folder`, `write --context dir://${written}`);
  else if (type !== 'file') problems.add('CONTEXT_READ', `${label} cannot be read: ${type.code}`, hintFor(type.code, written));
  if (type !== 'file' || subPath === undefined || dockerfile === undefined) return undefined;
  return { kind: 'archive', from, label, subPath, dockerfile };
}

function fetchedSubPath({ contextSubPath = '' }: SourceFlags, problems: Problems): string | undefined {
  const clean = posix
    .join('.', contextSubPath)
    .replace(/^\.?\/?$/, '')
    .replace(/(?<=.)\/$/, '');
  if (clean.split('/')[0] !== '..') return clean;
  problems.usage(`--context-sub-path ${contextSubPath} leads out of the context`, 'name a folder inside the context');
  return undefined;
}

/** Kaniko takes a file of this machine first, which a pod has mounted; of a relative name, only the context's is meant. */
function fetchedDockerfile(flags: SourceFlags, problems: Problems): FetchedDockerfile | undefined {
  const name = flags.dockerfile ?? 'Dockerfile';
  if (refuseDockerfile(name, problems)) return undefined;
  const type = isAbsolute(name) ? typeOf(name) : 'missing';
  if (type === 'file') return { kind: 'file', path: name, label: labelOf(name, flags.cwd) };
  if (typeof type === 'object') {
    problems.add('CONTEXT_READ', `the Dockerfile ${name} cannot be read: ${type.code}`, hintFor(type.code, name));
    return undefined;
  }
  const path = posix.join('.', name);
  if (path.split('/')[0] !== '..') return { kind: 'in-context', path };
  problems.usage(`--dockerfile ${name} leads out of the context`, 'name a file inside the context, or give its absolute path');
  return undefined;
}

function refuseDockerfile(name: string, problems: Problems): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) {
    problems.add('NOT_SUPPORTED', `not supported yet: --dockerfile ${name}`, 'fetch the file first and give its path');
    return true;
  }
  if (name !== '-') return false;
  problems.add('NOT_SUPPORTED', 'a Dockerfile on stdin is not supported yet', 'write it into a file and give its path with --dockerfile');
  return true;
}

function resolveFolder(flags: SourceFlags, problems: Problems): FolderSource | undefined {
  const context = resolveContext(flags, problems);
  if (context === undefined) return undefined;
  const name = flags.dockerfile ?? 'Dockerfile';
  if (refuseDockerfile(name, problems)) return undefined;
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
    kind: 'folder',
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
      scheme === 'https' || scheme === 'http'
        ? 'the URL of a git repository ends in .git; anything else: fetch it into a folder first and give that folder'
        : 'fetch the context into a folder first and give that folder',
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
export function readDockerfile({ dockerfilePath, dockerfileLabel }: FolderSource): Uint8Array {
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
