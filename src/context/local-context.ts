/**
 * A folder of this machine as the build context, without what its .dockerignore hides. `<Dockerfile>.dockerignore` beside
 * the Dockerfile is used instead of the one in the context when it exists. Reference: docs.docker.com, "Build context".
 */
import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { bytesOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { Context, ContextSource } from './context.ts';
import { contextTree } from './host-tree.ts';
import { type IgnoreFile, ignoreFile, ignoringContext } from './ignoring-context.ts';

export interface LocalContextOptions {
  /** A path, or `dir://` and a path. Relative ones start at the working folder. */
  readonly context: string;
  /** --context-sub-path: a folder inside the context that is the context in its place. */
  readonly subPath?: string | undefined;
  /** For messages; the context as the user wrote it when absent. */
  readonly label?: string | undefined;
  /** Absolute path of the Dockerfile, wherever it is; null when it is no file of this machine. */
  readonly dockerfilePath: string | null;
}

export function localContext(options: LocalContextOptions): ContextSource {
  return {
    label: options.label ?? join(options.context, options.subPath ?? ''),
    async open() {
      return openFolder(contextFolder(options.context, options.subPath), options.dockerfilePath);
    },
  };
}

/** The absolute folder of a --context value. Throws NOT_SUPPORTED for other kinds of contexts and USAGE for a sub-path that leaves it. */
export function contextFolder(context: string, subPath?: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(context)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== 'dir') {
    throw new TsbuildError('NOT_SUPPORTED', `contexts of the kind ${scheme}:// are not supported yet`, {
      hint: 'fetch the files first and give their folder with --context dir:///path',
    });
  }
  const root = resolve(scheme === undefined ? context : context.slice('dir://'.length));
  if (subPath === undefined) return root;
  const folder = join(root, subPath);
  const below = relative(root, folder);
  if (below === '..' || below.startsWith('../') || isAbsolute(below)) {
    throw new TsbuildError('USAGE', `--context-sub-path "${subPath}" is not inside the context`);
  }
  return folder;
}

function openFolder(folder: string, dockerfilePath: string | null): Context {
  requireFolder(folder);
  return ignoringContext(contextTree(bytesOf(folder)), readIgnoreFile(folder, dockerfilePath));
}

function requireFolder(folder: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(folder).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw new TsbuildError('CONTEXT_READ', `cannot read the build context "${folder}": ${code ?? String(error)}`, { cause: error });
    }
    throw new TsbuildError('CONTEXT_NOT_FOUND', `the build context "${folder}" does not exist`, {
      hint: 'give the folder that holds your files with --context',
      cause: error,
    });
  }
  if (isFolder) return;
  throw new TsbuildError('CONTEXT_NOT_FOUND', `the build context "${folder}" is a file, not a folder`, {
    hint: 'give the folder that holds your files with --context, and a Dockerfile with --dockerfile',
  });
}

function readIgnoreFile(folder: string, dockerfilePath: string | null): IgnoreFile {
  const candidates = [...(dockerfilePath === null ? [] : [`${dockerfilePath}.dockerignore`]), join(folder, '.dockerignore')];
  for (const path of candidates) {
    const inside = relative(folder, path);
    const name = inside.startsWith('../') ? path : inside;
    const bytes = readIfThere(path, name);
    if (bytes !== undefined) return ignoreFile(name, bytes);
  }
  return ignoreFile('.dockerignore', undefined);
}

function readIfThere(path: string, name: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new TsbuildError('CONTEXT_READ', `cannot read ${name}: ${code ?? String(error)}`, { cause: error });
  }
}
