/** `tsbuild doctor`: what works here, told to people or as JSON. An ordinary user's runs where its builds would: in a user namespace. */
import { resolve } from 'node:path';
import { doctorText } from '../report/doctor-text.ts';
import { type CommandFlag, type FlagSet, HELP_SWITCH, readGiven } from './command-flags.ts';
import type { CommandWorld, ExitKind } from './command-world.ts';
import { collectProblems } from './problems.ts';
import { colorOf } from './resolve-report.ts';

const FLAGS = [
  { name: 'json', kind: 'boolean', group: 'Flags', help: 'Write one JSON object instead of text.' },
  {
    name: 'cache-dir',
    kind: 'value',
    value: 'folder',
    group: 'Flags',
    help: 'The --cache-dir of the builds. Default: ~/.cache/tsbuild ($XDG_CACHE_HOME/tsbuild).',
  },
] as const satisfies readonly CommandFlag[];

const FLAG_SET: FlagSet = { command: 'tsbuild doctor', flags: FLAGS, unsupported: [], switches: [HELP_SWITCH] };

const INTRODUCTION =
  'Says which isolations of RUN steps work here, which one a build takes, why the others do not and what would enable them; where storage is, and which credentials are found.';

const AFTER = 'Exit codes: 0 some isolation works, 1 none does, 2 wrong command line.\n';

/** Throws TsbuildErrors of USAGE. */
export async function doctor(argv: readonly string[], world: CommandWorld): Promise<ExitKind | number> {
  const problems = collectProblems();
  const given = readGiven<(typeof FLAGS)[number]['name']>(argv, FLAG_SET, problems);
  for (const word of given.operands) problems.usage(`unexpected argument "${word}"`, 'tsbuild doctor takes flags only');
  if (given.asks('help')) {
    const { formatHelp } = await import('./help.ts');
    world.writeResult(`${formatHelp(FLAG_SET, INTRODUCTION, world.columns)}\n${AFTER}`);
    return 'told';
  }
  problems.throwIfAny();
  const elsewhere = await world.runElsewhere();
  // The other process has told everything.
  if (elsewhere !== null) return elsewhere;
  const cacheDir = given.value('cache-dir');
  const facts = await world.examine({ cacheDir: cacheDir === undefined ? null : resolve(world.cwd, cacheDir) });
  const json = given.boolean('json') ?? false;
  const color = colorOf({ logFormat: undefined, env: world.env, stream: world.stdout });
  world.writeResult(json ? `${JSON.stringify(facts, null, 2)}\n` : doctorText(facts, color));
  return facts.isolation === null || facts.cacheFault !== null ? 'failed' : 'told';
}
