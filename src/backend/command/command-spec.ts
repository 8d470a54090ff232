/** What tsbuild tells run.ts. JSON; both ends are of the same build, so it is not versioned. */
import type { RunUser } from '../backend.ts';

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
}
