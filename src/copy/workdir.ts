/** WORKDIR: makes the folder, as far as it is missing. Semantics: Docker's; BuildKit owns new folders by the current USER. */
import { bytesOf } from '../bytes/byte-path.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';
import type { Owner } from './copy.ts';
import { resolvePath } from './resolve.ts';
import { staging } from './staging.ts';

/**
 * Every missing part of `path` (absolute text) as a folder 0755 of `owner`; symlinks are followed inside the tree. Empty
 * when the folder is there. Throws COPY_FAILED when a part is no folder.
 */
export function workdirEntries(path: string, owner: Owner, into: FileTree, nowNs: bigint): LayerEntry[] {
  const stage = staging(into);
  stage.makeFolders(resolvePath(into, bytesOf(path)), { mode: 0o755, uid: owner.uid, gid: owner.gid, mtimeNs: nowNs });
  return stage.entries();
}
