/**
 * A file system that can be looked at without being mounted: a context folder, or a stack of layers known by their
 * headers alone. COPY, WORKDIR and user look-ups need no more than this, so they need no rootfs.
 */
import type { BytePath, ByteString } from '../bytes/byte-path.ts';
import type { FileMeta, FileNode } from './entry.ts';

/** One file of a tree. Hard links appear as `file` nodes that share `link`. */
export interface TreeEntry {
  readonly meta: FileMeta;
  /** Never 'hardlink'. */
  readonly node: Exclude<FileNode, { type: 'hardlink' }>;
  /** Set when more names than this one may share the file: equal keys within a tree mean the same file. */
  readonly link?: string;
}

/** Synchronous look-ups; nothing is followed: a path whose parent is a symlink does not exist. May be used concurrently. */
export interface FileTree {
  /** undefined: nothing there. '' is always a folder. */
  lstat(path: BytePath): TreeEntry | undefined;
  /** Names in a folder, in byte order; empty when there is no such folder. */
  list(path: BytePath): readonly ByteString[];
}
