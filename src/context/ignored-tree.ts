/**
 * A FileTree without what ignore patterns hide. A folder that is hidden itself but holds something taken back by a `!`
 * pattern stays visible, with its own metadata; a folder below which nothing can be taken back is never read.
 */
import { type BytePath, type ByteString, baseName, joinPath, parentOf } from '../bytes/byte-path.ts';
import type { FileTree } from '../layer/tree.ts';
import type { IgnorePatterns, IgnoreVerdict } from '../patterns/ignore-patterns.ts';
import { positionOf } from './sorted-names.ts';

export function ignoredTree(tree: FileTree, patterns: IgnorePatterns): FileTree {
  if (patterns.isEmpty) return tree;
  /** Verdicts on folders only: they are asked for once per child. */
  const folders = new Map<BytePath, IgnoreVerdict>();
  /** Whether a hidden folder is shown for what is in it. */
  const leading = new Map<BytePath, boolean>();
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
    const verdict = patterns.judge(path, folderVerdict(parentOf(path)));
    return !verdict.ignored || leadsToVisible(path, verdict);
  }

  function leadsToVisible(path: BytePath, verdict: IgnoreVerdict): boolean {
    const known = leading.get(path);
    if (known !== undefined) return known;
    if (patterns.canPrune(path, verdict) || tree.lstat(path)?.node.type !== 'dir') return false;
    folders.set(path, verdict);
    const leads = tree.list(path).some((name) => isVisible(joinPath(path, name)));
    leading.set(path, leads);
    return leads;
  }

  /** Names that were listed need not be judged again, nor kept twice. */
  function isListed(path: BytePath): boolean | undefined {
    const names = path === '' ? undefined : lists.get(parentOf(path));
    return names === undefined ? undefined : positionOf(names, baseName(path)) >= 0;
  }

  return {
    lstat: (path) => ((isListed(path) ?? isVisible(path)) ? tree.lstat(path) : undefined),
    list(path) {
      const known = lists.get(path);
      if (known !== undefined) return known;
      const all = isVisible(path) ? tree.list(path) : [];
      const shown = all.filter((name) => isVisible(joinPath(path, name)));
      const names = shown.length === all.length ? all : shown;
      lists.set(path, names);
      return names;
    },
  };
}
