/**
 * COPY and ADD as pure synthesis: source trees and the tree of the stage in, layer entries out; no rootfs is touched.
 * Semantics: ../docs/SEMANTICS.md; reference: BuildKit solver/llbsolver/file and fsutil/copy.
 */
import type { BytePath } from '../bytes/byte-path.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { FileContent } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export type CopyInput =
  /** Paths of a tree, wildcards included; `pattern` is text from the Dockerfile (may begin with `/`, may hold `..`). */
  | { readonly kind: 'tree'; readonly tree: FileTree; readonly pattern: string; readonly hiddenBy?: (path: BytePath) => { file: string; line: number; pattern: string } | null; readonly label: string }
  /** One file that is in no tree: a heredoc, a download. */
  | { readonly kind: 'file'; readonly name: string; readonly content: FileContent; readonly size: number; readonly mode: number; readonly mtimeNs: bigint };

export interface CopyRequest {
  readonly inputs: readonly CopyInput[];
  /** Absolute; a trailing `/` means a folder. */
  readonly dest: string;
  /** The stage's files so far: where dest's symlinks lead, what exists. */
  readonly into: FileTree;
  /** Null: 0:0, and for COPY --from (preserveXattrs) also 0:0. */
  readonly owner: Owner | null;
  /** Maps a file's own mode to the new one; null keeps it. */
  readonly mode: ((mode: number, isDir: boolean) => number) | null;
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
  readonly signal: AbortSignal;
}

export interface CopyResult {
  /** Parents before children, byte order, no duplicates. */
  readonly entries: readonly LayerEntry[];
  readonly warnings: readonly string[];
}

/**
 * copy-entries.ts  copyEntries(request: CopyRequest): Promise<CopyResult>    throws COPY_SOURCE_NOT_FOUND, COPY_FAILED, ADD_FAILED
 * workdir.ts       workdirEntries(path, owner, into: FileTree, nowNs): LayerEntry[]
 * mode.ts          modeChange(change: ModeChange): (mode, isDir) => number   (ModeChange is plan/'s: take {kind:'octal'|'symbolic'})
 * resolve.ts       resolvePath(tree, path): BytePath   follows symlinks inside the tree, clamped at its root
 */
