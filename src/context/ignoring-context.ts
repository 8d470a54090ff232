/** A tree without what an ignore file hides, as a build context that can say which line hid a path. */
import type { FileTree } from '../layer/tree.ts';
import { type IgnorePatterns, ignorePatterns, parseIgnoreFile } from '../patterns/ignore-patterns.ts';
import type { Context } from './context.ts';
import { ignoredTree } from './ignored-tree.ts';

export interface IgnoreFile {
  /** For messages. */
  readonly name: string;
  readonly patterns: IgnorePatterns;
}

/** `bytes` undefined: there is none. Throws DOCKERIGNORE_SYNTAX. */
export function ignoreFile(name: string, bytes: Uint8Array | undefined): IgnoreFile {
  return { name, patterns: bytes === undefined ? ignorePatterns([], name) : parseIgnoreFile(bytes, name) };
}

export function ignoringContext(tree: FileTree, { name, patterns }: IgnoreFile): Context {
  return {
    tree: ignoredTree(tree, patterns),
    ignores(path) {
      if (path === '') return false;
      const verdict = patterns.judgePath(path);
      return verdict.ignored && patterns.canPrune(path, verdict);
    },
    hiddenBy(path) {
      if (path === '') return null;
      const { ignored, by } = patterns.judgePath(path);
      if (!ignored || by === null || tree.lstat(path) === undefined) return null;
      return { file: name, line: by.line, pattern: by.text };
    },
    async [Symbol.asyncDispose]() {
      // Nothing is held open.
    },
  };
}
