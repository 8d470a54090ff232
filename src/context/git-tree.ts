/**
 * The files of a git checkout as a FileTree that is the same on every machine: owners 0:0, modes as git records them
 * whatever the umask was, and no .git unless it is wanted. Nothing outside the checkout is ever looked at.
 */
import { type BytePath, bytesOf, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { followLinks } from '../layer/follow-links.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { contextTree } from './host-tree.ts';

export interface GitTreeOptions {
  readonly gitDir: 'keep' | 'drop';
  /** Relative, clean; '' is the whole checkout. Symlinks on the way are followed inside the checkout. */
  readonly subdir: string;
  /** Names the repository in messages. */
  readonly label: string;
}

/** `folder`: absolute path of the checkout. Throws GIT_FAILED when `subdir` is no folder of it. */
export function gitTree(folder: string, options: GitTreeOptions): FileTree {
  const whole = contextTree(bytesOf(folder));
  const isHidden = (path: BytePath): boolean => options.gitDir === 'drop' && path.split('/').includes('.git');
  const tree: FileTree = {
    lstat(path) {
      const entry = isHidden(path) ? undefined : whole.lstat(path);
      return entry === undefined ? undefined : recorded(entry);
    },
    list: (path) => (isHidden(path) ? [] : whole.list(path).filter((name) => !isHidden(name))),
  };
  if (options.subdir === '') return tree;
  const root = subdirOf(tree, options);
  return { lstat: (path) => tree.lstat(joinPath(root, path)), list: (path) => tree.list(joinPath(root, path)) };
}

/** git records one bit of a mode. In .git there are read-only files besides. */
function recorded(entry: TreeEntry): TreeEntry {
  const { meta, node } = entry;
  if (node.type === 'symlink') return entry;
  const isExecutable = node.type === 'dir' || (meta.mode & 0o100) !== 0;
  const mode = isExecutable ? 0o755 : (meta.mode & 0o200) !== 0 ? 0o644 : 0o444;
  return { ...entry, meta: { ...meta, mode } };
}

function subdirOf(tree: FileTree, { subdir, label }: GitTreeOptions): BytePath {
  const missing = (why: string, cause?: unknown) =>
    new TsbuildError('GIT_FAILED', `${label} has no folder "${subdir}" at this commit${why}`, { cause });
  let path: BytePath;
  try {
    path = followLinks(bytesOf(subdir), (at) => {
      const node = tree.lstat(at)?.node;
      return node?.type === 'symlink' ? node.target : undefined;
    });
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw missing(': its symbolic links lead nowhere', error);
  }
  const node = tree.lstat(path)?.node;
  if (node === undefined) throw missing(path === bytesOf(subdir) ? '' : `: it leads to "${textOf(path)}", which is not there`);
  if (node.type !== 'dir') throw missing(': that is a file');
  return path;
}
