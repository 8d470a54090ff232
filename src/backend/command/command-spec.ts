/** What tsbuild tells run.ts. JSON; both ends are of the same build, so it is not versioned. */
import type { RunUser } from '../backend.ts';
import type { Confinement } from '../confined/confinement.ts';
import type { CommandReport } from './command-report.ts';

export interface CommandSpec {
  /** Absolute: the process changes its root to it. null: it stays where it is. */
  readonly root: string | null;
  readonly network: 'host' | 'none';
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: RunUser;
  /** What the command may have of this process's: bit n is capability n; hexadecimal. */
  readonly capabilities: string;
  /** What it may not open although it is in its root; null: it may open all. */
  readonly confinement: Confinement | null;
}

export type RunReport =
  | CommandReport
  /** Descriptor `fd` of the process is the listener of its seccomp filter. It waits until a call of its own is answered there. */
  | { readonly kind: 'listening'; readonly fd: number };
