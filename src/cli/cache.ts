/** `tsbuild cache ls|prune|verify`: what the cache folder keeps. An ordinary user's runs where its builds would: in a user namespace. */
import { resolve } from 'node:path';
import type { PruneWish } from '../blob/prune.ts';
import { TsbuildError } from '../errors.ts';
import { parseDuration } from '../plan/durations.ts';
import { cacheTable, damageLine, prunedText } from '../report/cache-text.ts';
import { count } from '../report/units.ts';
import { nearest } from '../words/nearest.ts';
import { type CommandFlag, type FlagSet, type Given, HELP_SWITCH, readGiven } from './command-flags.ts';
import type { CacheUpkeep, CommandWorld, ExitKind } from './command-world.ts';
import { parseSize } from './parse-size.ts';
import { collectProblems, type Problems } from './problems.ts';

const CACHE_DIR = {
  name: 'cache-dir',
  kind: 'value',
  value: 'folder',
  group: 'Flags',
  help: 'The --cache-dir of the builds. Default: ~/.cache/tsbuild ($XDG_CACHE_HOME/tsbuild).',
} as const;
const JSON_FLAG = { name: 'json', kind: 'boolean', group: 'Flags', help: 'Write one JSON object instead of text.' } as const;

const FLAGS = {
  ls: [JSON_FLAG, CACHE_DIR],
  prune: [
    { name: 'all', kind: 'boolean', group: 'Flags', help: 'Remove all that no build uses right now.' },
    {
      name: 'older-than',
      kind: 'value',
      value: 'duration',
      group: 'Flags',
      help: 'Remove what has not been used for so long, such as 24h.',
    },
    {
      name: 'max-size',
      kind: 'value',
      value: 'size',
      group: 'Flags',
      help: 'Remove what was least recently used, until the cache is no larger: bytes, or with k, m, g or t.',
    },
    { name: 'mounts', kind: 'boolean', group: 'Flags', help: 'Remove caches of RUN --mount=type=cache, too. Without it, they stay.' },
    JSON_FLAG,
    CACHE_DIR,
  ],
  verify: [JSON_FLAG, CACHE_DIR],
} as const satisfies Readonly<Record<string, readonly CommandFlag[]>>;

type Action = keyof typeof FLAGS;
type GivenHere = Given<(typeof FLAGS)[Action][number]['name']>;

const ACTIONS: Readonly<Record<Action, string>> = {
  ls: 'List what the cache folder keeps, by kind, with sizes and the time of the last use.',
  prune: 'Remove things from the cache folder: one of --all, --older-than and --max-size says what. What a running build uses stays.',
  verify: 'Read every blob and look at all else that the cache folder keeps; what is damaged is removed.',
};

const AFTER: Readonly<Record<Action, string>> = {
  ls: 'Exit codes: 0 listed, 1 failed, 2 wrong command line.\n',
  prune: 'Exit codes: 0 pruned, 1 failed, 2 wrong command line.\n',
  verify: 'Exit codes: 0 all is sound, 1 something was damaged, 2 wrong command line.\n',
};

/** Throws TsbuildErrors of USAGE, and STORE_FAILED. */
export async function cache([word, ...argv]: readonly string[], world: CommandWorld): Promise<ExitKind | number> {
  const action = (Object.keys(FLAGS) as Action[]).find((name) => name === word);
  if (action === undefined) return overview(word, world);
  const set: FlagSet = { command: `tsbuild cache ${action}`, flags: FLAGS[action], unsupported: [], switches: [HELP_SWITCH] };
  const problems = collectProblems();
  const given: GivenHere = readGiven(argv, set, problems);
  for (const operand of given.operands) problems.usage(`unexpected argument "${operand}"`, `${set.command} takes flags only`);
  if (given.asks('help')) {
    const { formatHelp } = await import('./help.ts');
    world.writeResult(`${formatHelp(set, ACTIONS[action], world.columns)}\n${AFTER[action]}`);
    return 'told';
  }
  const wish = action === 'prune' ? pruneWish(given, world, problems) : undefined;
  problems.throwIfAny();
  const elsewhere = await world.runElsewhere();
  // The other process has told everything.
  if (elsewhere !== null) return elsewhere;
  const cacheDir = given.value('cache-dir');
  await using upkeep = await world.openCache(cacheDir === undefined ? null : resolve(world.cwd, cacheDir));
  const form = (given.boolean('json') ?? false) ? 'json' : 'text';
  if (action === 'ls') return list(upkeep, form, world);
  if (action === 'verify') return verify(upkeep, form, world);
  if (wish === undefined) throw new Error('nothing is wrong with the command line, and it says nothing');
  return runPrune(upkeep, { wish, form, kinds: given.boolean('mounts') === true ? undefined : WITHOUT_MOUNTS }, world);
}

type Form = 'json' | 'text';

const WITHOUT_MOUNTS = ['blob', 'layer', 'step', 'place', 'context'] as const;

async function overview(word: string | undefined, world: CommandWorld): Promise<ExitKind> {
  const names = Object.keys(ACTIONS);
  if (word === '--help' || word === '-h') {
    const lines = Object.entries(ACTIONS).map(([name, text]) => `  tsbuild cache ${name.padEnd(8)}${text}`);
    world.writeResult(
      `Usage: tsbuild cache ${names.join('|')} [flags]\n\n${lines.join('\n')}\n\n--help after each of them lists its flags.\n`,
    );
    return 'told';
  }
  const hint = `the commands are: ${names.map((name) => `tsbuild cache ${name}`).join(', ')}`;
  if (word === undefined || word.startsWith('-')) throw new TsbuildError('USAGE', 'tsbuild cache does not say what to do', { hint });
  const near = nearest(word, names);
  throw new TsbuildError('USAGE', `unknown command "cache ${word}"`, {
    hint: near === undefined ? hint : `did you mean "tsbuild cache ${near}"?`,
  });
}

function pruneWish(given: GivenHere, world: CommandWorld, problems: Problems): PruneWish | undefined {
  const [older, size] = [given.value('older-than'), given.value('max-size')];
  const wishes = [
    ...(given.boolean('all') === true ? [(): PruneWish => ({ kind: 'all' })] : []),
    ...(older === undefined ? [] : [(): PruneWish => ({ kind: 'unused', sinceMs: world.report.now().getTime() - ageMs(older) })]),
    ...(size === undefined ? [] : [(): PruneWish => ({ kind: 'size', maxBytes: parseSize(size) })]),
  ];
  const [wish] = wishes;
  if (wish !== undefined && wishes.length === 1) return problems.attempt(older === undefined ? '--max-size' : '--older-than', wish);
  problems.usage(
    'tsbuild cache prune needs one of --all, --older-than and --max-size',
    'for example: tsbuild cache prune --older-than 168h',
  );
  return undefined;
}

function ageMs(text: string): number {
  try {
    const ms = parseDuration(text) / 1e6;
    if (ms >= 0) return ms;
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
  }
  throw new TsbuildError('USAGE', `"${text}" is not a duration`, { hint: 'for example 90m, or 24h' });
}

async function list(upkeep: CacheUpkeep, form: Form, world: CommandWorld): Promise<ExitKind> {
  const things = await upkeep.list();
  world.writeResult(
    form === 'json' ? jsonText({ folder: upkeep.path, ...totals(things), things: things.map(asJson) }) : cacheTable(upkeep.path, things),
  );
  return 'told';
}

interface PruneTask {
  readonly wish: PruneWish;
  readonly form: Form;
  readonly kinds: typeof WITHOUT_MOUNTS | undefined;
}

async function runPrune(upkeep: CacheUpkeep, { wish, form, kinds }: PruneTask, world: CommandWorld): Promise<ExitKind> {
  const { evicted, inUse, leftBytes } = await upkeep.prune(wish, kinds);
  const freedBytes = totals(evicted).bytes;
  const json = { folder: upkeep.path, freedBytes, leftBytes, removed: evicted.map(asJson), inUse: inUse.map(asJson) };
  world.writeResult(form === 'json' ? jsonText(json) : prunedText({ evicted, inUse, leftBytes }));
  return 'told';
}

async function verify(upkeep: CacheUpkeep, form: Form, world: CommandWorld): Promise<ExitKind> {
  const damaged: object[] = [];
  let checked = 0;
  for await (const { thing, damage } of upkeep.verify()) {
    checked++;
    if (damage === null) continue;
    damaged.push({ ...asJson(thing), why: damage.why, removed: damage.outcome === 'evicted' });
    if (form === 'text') world.writeResult(damageLine(thing, damage));
  }
  const text =
    damaged.length === 0
      ? `${count(checked, 'thing')} checked, all sound\n`
      : `${count(checked, 'thing')} checked, ${damaged.length} damaged\n`;
  world.writeResult(form === 'json' ? jsonText({ folder: upkeep.path, checked, damaged }) : text);
  return damaged.length === 0 ? 'told' : 'failed';
}

type Thing = Awaited<ReturnType<CacheUpkeep['list']>>[number];

function totals(things: readonly Thing[]): { readonly count: number; readonly bytes: number } {
  return { count: things.length, bytes: things.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function asJson({ kind, label, bytes, lastUsedMs }: Thing) {
  return { kind, name: label, bytes, lastUsed: new Date(lastUsedMs).toISOString() };
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
