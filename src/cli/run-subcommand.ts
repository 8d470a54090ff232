/** What each sub-command does: a file of its own, loaded only when it is asked for, with its own flags and `--help`. */
import type { CommandWorld, ExitKind } from './command-world.ts';
import type { SubcommandName } from './subcommands.ts';

/** `argv` without the sub-command's own name. Throws TsbuildError; USAGE is a wrong command line. */
type Subcommand = (argv: readonly string[], world: CommandWorld) => Promise<ExitKind | number>;

const LOAD: Readonly<Record<SubcommandName, () => Promise<Subcommand>>> = {
  doctor: async () => (await import('./doctor.ts')).doctor,
  warm: async () => (await import('./warm.ts')).warm,
  cache: async () => (await import('./cache.ts')).cache,
};

export async function runSubcommand(name: SubcommandName, ...given: Parameters<Subcommand>): Promise<ExitKind | number> {
  const run = await LOAD[name]();
  return run(...given);
}
