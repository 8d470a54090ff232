/**
 * COPY and ADD as pure synthesis: source trees and the tree of the stage in, layer entries out; no rootfs is touched.
 * Semantics: ../docs/SEMANTICS.md; reference: BuildKit solver/llbsolver/file and fsutil/copy.
 */
import type { BytePath } from '../bytes/byte-path.ts';
import type { FileContent, LayerEntry } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What --chmod does. */
export interface ModeRule {
  /** The new mode of something that is copied; not asked for symlinks. */
  apply(mode: number, type: 'dir' | 'other'): number;
  /** Mode of the folders that the copy makes itself: dest and the missing ones above it. */
  readonly madeFolders: number;
}

export type CopyInput =
  /** Paths of a tree, wildcards included; `pattern` is text from the Dockerfile (may begin with `/`, may hold `..`). */
  | {
      readonly kind: 'tree';
      readonly tree: FileTree;
      readonly pattern: string;
      readonly hiddenBy?: (path: BytePath) => { readonly file: string; readonly line: number; readonly pattern: string } | null;
      /** Names the tree in messages. */
      readonly label: string;
    }
  /** One file that is in no tree: a heredoc, a download. */
  | {
      readonly kind: 'file';
      readonly name: string;
      readonly content: FileContent;
      readonly size: number;
      readonly mode: number;
      readonly mtimeNs: bigint;
    };

export interface CopyRequest {
  readonly inputs: readonly CopyInput[];
  /** Absolute; a trailing `/` means a folder. */
  readonly dest: string;
  /** The stage's files so far: where dest's symlinks lead, what exists. */
  readonly into: FileTree;
  /** Null: what is copied keeps its owner (a context's files are 0:0), folders that the copy makes are 0:0. */
  readonly owner: Owner | null;
  /** --chmod; null keeps the modes. */
  readonly mode: ModeRule | null;
  /** Paths to leave out, as --exclude patterns. */
  readonly exclude: readonly string[];
  readonly parents: boolean;
  /** COPY --link: dest's symlinks are replaced, the layer stands alone. */
  readonly link: boolean;
  /** xattrs survive between stages, not from the context. */
  readonly xattrs: 'keep' | 'drop';
  /** Extract sources that are archives (ADD). */
  readonly archives: 'extract' | 'keep' | 'extract-all';
  /** mtime of folders that the copy makes itself. */
  readonly nowNs: bigint;
  /** Existing folder of this machine for the content of extracted archives; it has to stay until the entries are packed. */
  readonly scratchFolder: string;
  readonly signal: AbortSignal;
}

export interface CopyResult {
  /** Parents before children, byte order, no duplicates. */
  readonly entries: readonly LayerEntry[];
  readonly warnings: readonly string[];
}
