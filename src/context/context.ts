/** The build context: files that COPY, ADD and bind mounts may take, without what .dockerignore hides. */
import type { FileTree } from '../layer/tree.ts';

export interface ContextSource {
  /** For messages: the folder or URL, without credentials. */
  readonly label: string;
  /** Throws CONTEXT_NOT_FOUND, CONTEXT_READ, DOCKERIGNORE_SYNTAX. */
  open(signal: AbortSignal): Promise<Context>;
}

export interface Context extends AsyncDisposable {
  readonly tree: FileTree;
  /** Whether the ignore file leaves out a path, be it there or not, with all below it. `path` is a BytePath. */
  ignores(path: string): boolean;
  /** Why a path is not in the tree: the .dockerignore line (1-based) that hides it, or null. `path` is a BytePath. */
  hiddenBy(path: string): { readonly file: string; readonly line: number; readonly pattern: string } | null;
}
