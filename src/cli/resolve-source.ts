/** --context, --context-sub-path and --dockerfile as absolute paths that exist. Reads no file. */
import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
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
  const candidates = [...new Set(isAbsolute(name) ? [name] : [join(context.folder, name), resolve(flags.cwd, name)])];
  const path = candidates.find((candidate) => typeOf(candidate) === 'file');
  if (path === undefined) {
    const looked = candidates.map((candidate) => labelOf(candidate, flags.cwd)).join(' and ');
    problems.usage(`there is no Dockerfile: looked for ${looked}`, otherNames(context.folder, flags.dockerfile));
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
  const label = flags.contextSubPath === undefined ? written : join(written, flags.contextSubPath);
  const type = typeOf(folder);
  if (type === 'missing')
    problems.add('CONTEXT_NOT_FOUND', `the context ${label} does not exist`, 'give an existing folder with --context');
  else if (type === 'file')
    problems.add('CONTEXT_NOT_FOUND', `the context ${label} is a file`, 'give the folder that holds your files with --context');
  return type === 'folder' ? { folder, label } : undefined;
}

function typeOf(path: string): 'file' | 'folder' | 'missing' {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'missing';
  return stat.isDirectory() ? 'folder' : 'file';
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
