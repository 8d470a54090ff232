/** Which paths of a tree a COPY source means: wildcards matched, and a helpful error when there is nothing. */
import { type BytePath, type ByteString, baseName, bytesOf, cleanPath, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';
import { crossesFolders, type GoMatcher, goMatcher, hasWildcard, unescapeGlob } from '../patterns/go-match.ts';
import { nearestNames } from '../words/nearest.ts';
import type { CopyInput } from './copy.ts';
import { resolvePath } from './resolve.ts';

/** Linux takes no longer one. */
const LONGEST_PATH = 4095;

export type TreeInput = Extract<CopyInput, { kind: 'tree' }>;

export interface FoundSource {
  /** As named or matched: its last part gives the name of a file copied into a folder. */
  readonly path: BytePath;
  /** Where it leads. It exists. */
  readonly followed: BytePath;
  readonly how: 'named' | 'matched';
}

/**
 * In the order of a walk. Empty only when wildcards match nothing. `pattern` may begin with `/` and hold `..`, which stops
 * at the root. Throws COPY_SOURCE_NOT_FOUND for a name that is not there and for a match that leads nowhere, COPY_FAILED
 * for a malformed wildcard.
 */
export function findSources(input: TreeInput, pattern: string): FoundSource[] {
  const clean = cleanPath(bytesOf(pattern));
  refuseTooLong(input, clean);
  if (!hasWildcard(clean)) {
    const path = literalPath(input.tree, clean);
    return [{ path, followed: existing(input, path), how: 'named' }];
  }
  return matches(input.tree, clean, pattern).map((path) => ({ path, followed: existing(input, path), how: 'matched' }));
}

/** Where --parents looks, and which pattern below that. */
export interface ParentsSources {
  /** What stands before the pivot (`/./`), the root where there is none. */
  readonly bases: readonly Pick<FoundSource, 'path' | 'followed'>[];
  readonly pattern: ByteString;
}

/**
 * The sources of --parents: nothing on the way below the pivot is dereferenced, so a symlinked folder leads nowhere.
 * Throws as `findSources`.
 */
export function findParentsSources(input: TreeInput): ParentsSources {
  const pivot = input.pattern.indexOf('/./');
  const bases = pivot < 0 ? [{ path: '', followed: '' }] : findSources(input, input.pattern.slice(0, pivot));
  const pattern = cleanPath(bytesOf(pivot < 0 ? input.pattern : input.pattern.slice(pivot + 3)));
  refuseTooLong(input, pattern);
  for (const { path, followed } of hasWildcard(pattern) ? [] : bases) {
    if (input.tree.lstat(joinPath(followed, pattern)) === undefined) throw sourceNotFound(input, joinPath(path, pattern));
  }
  return { bases, pattern };
}

/** Such a path cannot be there, and to look for it part by part would take long. */
function refuseTooLong({ label }: TreeInput, path: BytePath): void {
  if (path.length <= LONGEST_PATH) return;
  throw new TsbuildError('COPY_SOURCE_NOT_FOUND', `"${textOf(path)}" is not in ${label}: a path has at most ${LONGEST_PATH} bytes`);
}

/** A backslash is part of a name if such a name exists (as in BuildKit), else it escapes. */
function literalPath(tree: FileTree, path: BytePath): BytePath {
  if (!path.includes('\\') || tree.lstat(resolvePath(tree, path)) !== undefined) return path;
  return cleanPath(unescapeGlob(path));
}

function matches(tree: FileTree, clean: BytePath, pattern: string): BytePath[] {
  const parts = clean.split('/');
  const first = parts.findIndex((part) => hasWildcard(part));
  const base = resolvePath(tree, literalPath(tree, parts.slice(0, first).join('/')));
  const wild = parts.slice(first);
  const whole = matcherFor(wild.join('/'), pattern);
  // Part by part a walk enters only folders that can lead to a match.
  const byPart = crossesFolders(wild.join('/')) ? null : wild.map((part) => matcherFor(part, pattern));
  const found: BytePath[] = [];
  function walk(relative: BytePath, depth: number): void {
    for (const name of tree.list(joinPath(base, relative))) {
      const path = joinPath(relative, name);
      if (byPart !== null && byPart[depth]?.(name) !== true) continue;
      if (whole(path)) found.push(joinPath(base, path));
      else if ((byPart === null || depth + 1 < byPart.length) && tree.lstat(joinPath(base, path))?.node.type === 'dir')
        walk(path, depth + 1);
    }
  }
  walk('', 0);
  return found;
}

function matcherFor(wild: ByteString, pattern: string): GoMatcher {
  const matcher = goMatcher(wild);
  if (matcher !== null) return matcher;
  throw new TsbuildError('COPY_FAILED', `"${pattern}" is a malformed wildcard`, { hint: 'a literal [ is written as [[]' });
}

function existing(input: TreeInput, path: BytePath): BytePath {
  const followed = resolvePath(input.tree, path);
  if (input.tree.lstat(followed) === undefined) throw sourceNotFound(input, path);
  return followed;
}

/** Says why `path` is not in the tree: hidden by an ignore file, a link that leads nowhere, or a name that is near. */
export function sourceNotFound(input: TreeInput, path: BytePath): TsbuildError {
  const { tree, label } = input;
  const followed = resolvePath(tree, path);
  const hidden = input.hiddenBy?.(path) ?? input.hiddenBy?.(followed) ?? null;
  if (hidden !== null) {
    return new TsbuildError('COPY_SOURCE_NOT_FOUND', `"${textOf(path)}" is excluded by ${hidden.file}:${hidden.line} (${hidden.pattern})`, {
      hint: `change that line, or add the line !${textOf(path)} below it`,
    });
  }
  const link = tree.lstat(path)?.node;
  if (link?.type === 'symlink') {
    const message = `"${textOf(path)}" is a symbolic link to "${textOf(link.target)}", which is not in ${label}`;
    return new TsbuildError('COPY_SOURCE_NOT_FOUND', message);
  }
  return new TsbuildError('COPY_SOURCE_NOT_FOUND', `"${textOf(path)}" is not in ${label}`, { hint: nearHint(tree, path) });
}

function nearHint(tree: FileTree, path: BytePath): string | undefined {
  const parent = parentOf(path);
  const folder = resolvePath(tree, parent);
  const node = tree.lstat(folder)?.node;
  if (node === undefined) return parent === '' ? undefined : (nearHint(tree, parent) ?? missingFolder(tree, parent));
  if (node.type !== 'dir') return `"${textOf(parent)}" is not a folder`;
  const near = nearestNames(textOf(baseName(path)), tree.list(folder).map(textOf));
  if (near.length === 0) return undefined;
  return `did you mean ${near.map((name) => `"${textOf(parent)}${parent === '' ? '' : '/'}${name}"`).join(' or ')}?`;
}

function missingFolder(tree: FileTree, folder: BytePath): string {
  const node = tree.lstat(folder)?.node;
  const name = textOf(folder);
  return node?.type === 'symlink'
    ? `"${name}" is a symbolic link to "${textOf(node.target)}", which is not there`
    : `"${name}" does not exist there either`;
}
