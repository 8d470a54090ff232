/** What tsbuild tells run-proot.ts, and what it answers. JSON; both ends are of the same build, so it is not versioned. */
import type { CommandReport } from '../command/command-report.ts';

export interface ProotSpec {
  /** The program and its arguments, all of them. */
  readonly argv: readonly [proot: string, ...string[]];
  /** proot's own; those of the command are among the arguments. */
  readonly env: readonly string[];
  /** argv[0] of the command, for errors. */
  readonly command: string;
  readonly files: FileRules | null;
}

/** What proot and the command may do with files of this machine, by Landlock; null: this kernel cannot hold them. */
export interface FileRules {
  readonly version: number;
  /** Absolute. */
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

export type ProotReport =
  | CommandReport
  /** The filter's listener is this descriptor. The process waits in a chown(2) of its own for the answer that all is ready. */
  | { readonly kind: 'listening'; readonly fd: number };
