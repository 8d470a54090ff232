/**
 * A FileTree without what ignore patterns hide. A folder that is hidden itself but holds something taken back by a `!`
 * pattern stays visible, with its own metadata; a folder below which nothing can be taken back is never read.
 */
import { type BytePath, type ByteString, joinPath, parentOf } from '../bytes/byte-path.ts';
import type { FileTree } from '../layer/tree.ts';
import type { IgnorePatterns, IgnoreVerdict } from '../patterns/ignore-patterns.ts';

export function ignoredTree(tree: FileTree, patterns: IgnorePatterns): FileTree {
  if (patterns.isEmpty) return tree;
  /** Verdicts on folders only: they are asked for once per child. */
  const folders = new Map<BytePath, IgnoreVerdict>();
  const visible = new Map<BytePath, boolean>();
  const lists = new Map<BytePath, readonly ByteString[]>();

  function folderVerdict(folder: BytePath): IgnoreVerdict | null {
    if (folder === '') return null;
    const known = folders.get(folder);
    if (known !== undefined) return known;
    const verdict = patterns.judge(folder, folderVerdict(parentOf(folder)));
    folders.set(folder, verdict);
    return verdict;
  }

  function isVisible(path: BytePath): boolean {
    if (path === '') return true;
    const known = visible.get(path);
    if (known !== undefined) return known;
    const verdict = patterns.judge(path, folderVerdict(parentOf(path)));
    const shown = !verdict.ignored || leadsToVisible(path, verdict);
    visible.set(path, shown);
    return shown;
  }

  function leadsToVisible(path: BytePath, verdict: IgnoreVerdict): boolean {
    if (patterns.canPrune(path, verdict) || tree.lstat(path)?.node.type !== 'dir') return false;
    folders.set(path, verdict);
    return tree.list(path).some((name) => isVisible(joinPath(path, name)));
  }

  return {
    lstat: (path) => (isVisible(path) ? tree.lstat(path) : undefined),
    list(path) {
      const known = lists.get(path);
      if (known !== undefined) return known;
      const names = isVisible(path) ? tree.list(path).filter((name) => isVisible(joinPath(path, name))) : [];
      lists.set(path, names);
      return names;
    },
  };
}
