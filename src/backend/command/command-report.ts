/** What the process that becomes a command says of itself, as lines of JSON, until execve(2) has replaced it. */

/** `executing` is said just before execve(2); when no other line follows it, the command ran. No line at all: the process did not come up. */
export type CommandReport =
  | { readonly kind: 'executing' }
  /** What the command needs cannot be made: which call failed (in words) and how. */
  | { readonly kind: 'setup'; readonly what: string; readonly why: string; readonly code: string | null }
  | ({ readonly kind: 'exec' } & ExecFailure);

/** Why argv[0] cannot be executed. `path`: the file that was tried. */
export type ExecFailure =
  | { readonly reason: 'not-found'; readonly path: string; readonly searched: string | null }
  | { readonly reason: 'not-executable'; readonly path: string }
  | { readonly reason: 'no-interpreter'; readonly path: string; readonly interpreter: string; readonly from: 'shebang' | 'elf' }
  | { readonly reason: 'wrong-architecture'; readonly path: string; readonly architecture: string }
  | { readonly reason: 'not-a-program'; readonly path: string }
  | { readonly reason: 'failed'; readonly path: string; readonly code: string };

/** The descriptors of such a process beside the standard streams: it reads what to do from one, and reports on the other. */
export const COMMAND_FDS = { spec: 3, report: 4 } as const;
