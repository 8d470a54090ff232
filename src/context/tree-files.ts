/** Single files of a fetched tree, such as its Dockerfile. Symbolic links lead nowhere but inside the tree. */
import { readFileSync } from 'node:fs';
import { type BytePath, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { followLinks } from '../layer/follow-links.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';

/** Where `path` leads when links are followed, be it there or not; null: they lead in circles. */
export function followInTree(tree: FileTree, path: BytePath): BytePath | null {
  try {
    return followLinks(path, (at) => {
      const node = tree.lstat(at)?.node;
      return node?.type === 'symlink' ? node.target : undefined;
    });
  } catch (error) {
    if (error instanceof TsbuildError && error.code === 'LAYER_INVALID') return null;
    throw error;
  }
}

/** The tree below the folder that `path` leads to; else why there is none, to follow "there is no folder NAME". */
export function folderInTree(tree: FileTree, path: BytePath): FileTree | { readonly why: string } {
  const root = followInTree(tree, path);
  if (root === null) return { why: ': its symbolic links lead nowhere' };
  const node = tree.lstat(root)?.node;
  if (node === undefined) return { why: root === path ? '' : `: it leads to "${textOf(root)}", which is not there` };
  if (node.type !== 'dir') return { why: ': that is a file' };
  return { lstat: (below) => tree.lstat(joinPath(root, below)), list: (below) => tree.list(joinPath(root, below)) };
}

export type TreeFile =
  | { readonly is: 'file'; readonly bytes: Uint8Array }
  /** Nothing has that name. */
  | { readonly is: 'missing' }
  /** Something has, but it is no file, or a link that leads to none inside the tree. */
  | { readonly is: 'other'; readonly what: string };

/** Throws CONTEXT_READ. */
export function readTreeFile(tree: FileTree, path: BytePath): TreeFile {
  const own = tree.lstat(path)?.node.type;
  const followed = followInTree(tree, path);
  const entry = followed === null ? undefined : tree.lstat(followed);
  if (entry === undefined) {
    return own === 'symlink' ? { is: 'other', what: 'a symbolic link that leads to nothing inside the context' } : { is: 'missing' };
  }
  if (entry.node.type === 'dir') return { is: 'other', what: 'a folder' };
  if (entry.node.type !== 'file') return { is: 'other', what: 'no regular file' };
  return { is: 'file', bytes: contentOf(entry.node, path) };
}

function contentOf({ content }: Extract<TreeEntry['node'], { type: 'file' }>, path: BytePath): Uint8Array {
  if (content.at === 'memory') return content.bytes;
  if (content.at === 'deferred') throw new Error('a fetched tree has its files on this machine');
  try {
    return readFileSync(content.path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TsbuildError('CONTEXT_READ', `cannot read "${textOf(path)}" of the context: ${code ?? message}`, { cause });
  }
}
