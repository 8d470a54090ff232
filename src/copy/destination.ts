/** Where a copy puts what: dest's meaning (folder or file name), its symlinks, and the folders that have to be made. */
import { type BytePath, type ByteString, bytesOf, cleanPath, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileMeta } from '../layer/entry.ts';
import type { TreeEntry } from '../layer/tree.ts';
import type { CopyRequest } from './copy.ts';
import { resolvePath } from './resolve.ts';
import { nameOf, type Staging } from './staging.ts';

export interface Destination {
  /** Dest as a folder, made if missing. */
  folder(): BytePath;
  /** The same for an archive, which --chmod does not concern. */
  archiveFolder(): BytePath;
  /** The path for a file of this name: below dest where that is a folder, else dest itself. Folders above it are made. */
  file(name: ByteString): BytePath;
  /** Puts something that is no folder. Throws COPY_FAILED when a folder is in its place, or a file that this copy has put under dest's own name. */
  put(path: BytePath, entry: TreeEntry): void;
}

export function destination(request: CopyRequest, stage: Staging): Destination {
  const dest = cleanPath(bytesOf(request.dest));
  const isFolder = /(?:^|\/)\.{0,2}$/.test(request.dest);
  const { uid, gid } = request.owner ?? { uid: 0, gid: 0 };
  const archiveMade: FileMeta = { mode: 0o755, uid, gid, mtimeNs: request.nowNs };
  const made: FileMeta = { ...archiveMade, mode: request.mode?.madeFolders ?? 0o755 };
  /** What lies under dest's own name, put there by this copy. */
  let ownFile: BytePath | null = null;

  function folder(meta: FileMeta): BytePath {
    const path = resolvePath(stage, dest);
    stage.makeFolders(path, meta);
    return path;
  }

  return {
    folder: () => folder(made),
    archiveFolder: () => folder(archiveMade),
    file(name) {
      if (isFolder) return joinPath(folder(made), name);
      const path = resolvePath(stage, dest);
      if (stage.lstat(path)?.node.type === 'dir') return joinPath(path, name);
      if (ownFile === path) {
        throw new TsbuildError('COPY_FAILED', `several files would be copied to the one file "${request.dest}"`, {
          hint: `write "${request.dest}/" to copy them into a folder`,
        });
      }
      ownFile = path;
      stage.makeFolders(parentOf(path), made);
      return path;
    },
    put(path, entry) {
      const found = stage.lstat(path);
      if (found?.node.type === 'dir') {
        throw new TsbuildError('COPY_FAILED', `a ${nameOf(entry)} cannot be copied to "/${textOf(path)}": a folder is there`);
      }
      stage.put(path, entry);
    },
  };
}
