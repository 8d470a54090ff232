/** Where a path leads in a tree: symlinks followed, never out of the tree. As containerd's fs.RootPath. */
import { type BytePath, type ByteString, cleanPath, joinPath, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';

/** The kernel's limit (path_resolution(7)). */
const MOST_LINKS = 40;

/**
 * The path that `path` leads to, its last part followed as well. Absolute links and `..` are clamped at the tree's root.
 * Parts that do not exist are kept as they are. `path` is any spelling; a `..` in it means the folder above in the text,
 * as Docker cleans paths before it looks. Throws COPY_FAILED after 40 links.
 */
export function resolvePath(tree: Pick<FileTree, 'lstat'>, path: ByteString): BytePath {
  let resolved: BytePath = '';
  let links = 0;
  const rest = cleanPath(path).split('/').reverse();
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      resolved = resolved.slice(0, Math.max(0, resolved.lastIndexOf('/')));
      continue;
    }
    const next = joinPath(resolved, part);
    const node = tree.lstat(next)?.node;
    if (node?.type !== 'symlink') {
      resolved = next;
      continue;
    }
    if (++links > MOST_LINKS) throw new TsbuildError('COPY_FAILED', `too many symbolic links on the way to "/${textOf(cleanPath(path))}"`);
    if (node.target.startsWith('/')) resolved = '';
    rest.push(...node.target.split('/').reverse());
  }
  return resolved;
}
