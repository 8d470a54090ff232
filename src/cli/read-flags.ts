/** The flags of a build's command line: which were given with which values. What the values mean is checked in parse-command-line.ts. */
import { type CommandSwitch, type FlagSet, type Given, HELP_SWITCH, readGiven } from './command-flags.ts';
import { FLAGS, type FlagName } from './flags.ts';
import { UNSUPPORTED_KANIKO_FLAGS } from './kaniko-flags.ts';
import type { Problems } from './problems.ts';
import { SUBCOMMANDS } from './subcommands.ts';

export interface GivenFlags extends Pick<Given<FlagName>, 'value' | 'list' | 'boolean'> {
  readonly asks: 'help' | 'version' | 'build';
}

const SWITCHES: readonly CommandSwitch[] = [HELP_SWITCH, { name: 'version', short: 'V', kind: 'switch', help: 'Show the version.' }];

export const BUILD_FLAGS: FlagSet = { command: 'tsbuild', flags: FLAGS, unsupported: UNSUPPORTED_KANIKO_FLAGS, switches: SWITCHES };

/** `problems` takes what is wrong with the line. */
export function readFlags(argv: readonly string[], problems: Problems): GivenFlags {
  const given = readGiven<FlagName>(argv, BUILD_FLAGS, problems);
  for (const word of given.operands) {
    const first = SUBCOMMANDS.some(({ name }) => name === word) ? `write "tsbuild ${word}" and its own flags after it` : undefined;
    problems.usage(`unexpected argument "${word}"`, first ?? 'tsbuild takes flags only; the context is --context FOLDER');
  }
  return { ...given, asks: given.asks('help') ? 'help' : given.asks('version') ? 'version' : 'build' };
}
