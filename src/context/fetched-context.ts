/**
 * Files that were fetched for one build (a git checkout, an unpacked archive) as its context, and the Dockerfile, which is one
 * of them unless it is a file of this machine. What they hold is a stranger's: links in them lead to nothing of this machine.
 */
import { existsSync, readFileSync } from 'node:fs';
import { bytesOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';
import { nearestNames } from '../words/nearest.ts';
import type { ContextSource } from './context.ts';
import { type IgnoreFile, ignoreFile, ignoringContext } from './ignoring-context.ts';
import { readTreeFile } from './tree-files.ts';

export type FetchedDockerfile =
  /** Relative to the context, clean. */
  | { readonly kind: 'in-context'; readonly path: string }
  /** A file of this machine: absolute. `label`: for messages. */
  | { readonly kind: 'file'; readonly path: string; readonly label: string };

export interface FetchedFiles {
  readonly tree: FileTree;
  /** For messages, without credentials. */
  readonly label: string;
  readonly dockerfile: FetchedDockerfile;
}

export interface FetchedContext {
  readonly source: ContextSource;
  readonly dockerfile: { readonly file: string; readonly bytes: Uint8Array };
}

/** Throws USAGE when there is no such Dockerfile, CONTEXT_READ; opening the source throws CONTEXT_READ and DOCKERIGNORE_SYNTAX. */
export function fetchedContext(files: FetchedFiles): FetchedContext {
  const { tree, label, dockerfile } = files;
  const source: ContextSource = { label, open: async () => ignoringContext(tree, readIgnoreFile(files)) };
  if (dockerfile.kind === 'file') {
    return { source, dockerfile: { file: dockerfile.label, bytes: readLocal(dockerfile.path, `the Dockerfile ${dockerfile.label}`) } };
  }
  const found = readTreeFile(tree, bytesOf(dockerfile.path));
  if (found.is === 'file') return { source, dockerfile: { file: dockerfile.path, bytes: found.bytes } };
  const why =
    found.is === 'missing'
      ? `there is no Dockerfile "${dockerfile.path}" in ${label}`
      : `the Dockerfile "${dockerfile.path}" of ${label} is ${found.what}`;
  throw new TsbuildError('USAGE', why, { hint: hintFor(tree, dockerfile.path) });
}

function hintFor(tree: FileTree, path: string): string {
  const files = tree.list('').filter((name) => tree.lstat(name)?.node.type === 'file');
  const [near] = ['Dockerfile', 'Containerfile', 'dockerfile'].filter((name) => files.includes(name));
  const alike = near ?? nearestNames(path, files)[0];
  const instead = alike === undefined || alike === path ? '' : `: there is a ${alike}`;
  return `name it with --dockerfile, relative to the context and its --context-sub-path${instead}`;
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile counts instead of `.dockerignore`, as everywhere. */
function readIgnoreFile({ tree, label, dockerfile }: FetchedFiles): IgnoreFile {
  const own = `${dockerfile.path}.dockerignore`;
  if (dockerfile.kind === 'file' && existsSync(own)) return ignoreFile(own, readLocal(own, own));
  for (const path of dockerfile.kind === 'file' ? ['.dockerignore'] : [own, '.dockerignore']) {
    const found = readTreeFile(tree, bytesOf(path));
    if (found.is === 'file') return ignoreFile(path, found.bytes);
    // What it was to keep out must not get in.
    if (found.is === 'other') throw new TsbuildError('CONTEXT_READ', `the ${path} of ${label} cannot be read: it is ${found.what}`);
  }
  return ignoreFile('.dockerignore', undefined);
}

function readLocal(path: string, what: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TsbuildError('CONTEXT_READ', `${what} cannot be read: ${code ?? message}`, { cause });
  }
}
