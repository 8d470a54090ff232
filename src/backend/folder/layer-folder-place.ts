/** Where a rootfs lies on this machine, and which of its paths are out of the build's reach. */
import { type BytePath, bytesOf, forFs, parentOf } from '../../bytes/byte-path.ts';

export interface Place {
  /** Absolute. */
  readonly root: string;
  /** For fs calls. */
  host(path: BytePath): string | Buffer;
  /** Whether a path is out of the build's reach, or below one that is. */
  isKept(path: BytePath): boolean;
  /** A folder on the way to a kept path: it stays, too, though it may be changed otherwise. */
  isAboveKept(path: BytePath): boolean;
}

/** `root`: absolute. `kept`: paths inside it, none of them the root itself. */
export function placeOf(root: string, kept: Iterable<BytePath>): Place {
  const prefix = root.endsWith('/') ? bytesOf(root) : `${bytesOf(root)}/`;
  const all = new Set(kept);
  const above = new Set<BytePath>();
  if (all.has('')) throw new Error('a rootfs cannot be kept as a whole');
  for (const path of all) for (let at = path; at !== ''; ) above.add((at = parentOf(at)));
  return {
    root,
    host: (path) => (path === '' ? root : forFs(prefix + path)),
    isKept(path) {
      if (all.size === 0) return false;
      for (let at = path; at !== ''; at = parentOf(at)) if (all.has(at)) return true;
      return false;
    },
    isAboveKept: (path) => above.has(path),
  };
}
