/** What reading a command line needs of the process that it was typed for. */

/** What a command line means depends on where it is typed. */
export interface CommandLineWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  readonly stderr: 'terminal' | 'pipe';
}
