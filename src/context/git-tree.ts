/**
 * The files of a git checkout as a FileTree that is the same on every machine: owners 0:0, modes as git records them
 * whatever the umask was, and no .git unless it is wanted. Nothing outside the checkout is ever looked at.
 */
import { type BytePath, bytesOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { contextTree } from './host-tree.ts';
import { folderInTree } from './tree-files.ts';

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
  const below = folderInTree(tree, bytesOf(options.subdir));
  if (!('why' in below)) return below;
  throw new TsbuildError('GIT_FAILED', `${options.label} has no folder "${options.subdir}" at this commit${below.why}`);
}

/** git records one bit of a mode. In .git there are read-only files besides. */
function recorded(entry: TreeEntry): TreeEntry {
  const { meta, node } = entry;
  if (node.type === 'symlink') return entry;
  const isExecutable = node.type === 'dir' || (meta.mode & 0o100) !== 0;
  const mode = isExecutable ? 0o755 : (meta.mode & 0o200) !== 0 ? 0o644 : 0o444;
  return { ...entry, meta: { ...meta, mode } };
}
