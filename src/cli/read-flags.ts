/**
 * argv -> which flag was given with which values, by commander over pflag's spellings. Collects every fault of the line
 * instead of stopping at the first; what the values mean is checked in parse-command-line.ts.
 */
import { Command, Option } from 'commander';
import { nearest } from '../words/nearest.ts';
import { FLAGS, type Flag, type FlagName } from './flags.ts';
import { UNSUPPORTED_KANIKO_FLAGS } from './kaniko-flags.ts';
import { type FlagShape, normalizeArguments } from './normalize-arguments.ts';
import type { Problems } from './problems.ts';

/** What the line said. A flag given with an empty value counts as not given, as an unset variable of a pipeline makes it. */
export interface GivenFlags {
  /** The last value; undefined when not given. */
  value(name: FlagName): string | undefined;
  /** All values in the order given, empty ones too. */
  list(name: FlagName): readonly string[];
  /** The last value; undefined when not given. */
  boolean(name: FlagName): boolean | undefined;
  readonly asks: 'help' | 'version' | 'build';
}

const SWITCHES = [
  { name: 'help', short: 'h', kind: 'switch' },
  { name: 'version', short: 'V', kind: 'switch' },
] as const satisfies readonly FlagShape[];

const TRUE_WORDS = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE_WORDS = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** `problems` takes what is wrong with the line. */
export function readFlags(argv: readonly string[], problems: Problems): GivenFlags {
  const given = new Map<string, string[]>();
  const unsupported = new Set<string>();
  const record = (name: string, value: string): void => {
    const values = given.get(name);
    if (values === undefined) given.set(name, [value]);
    else values.push(value);
  };
  const program = flagsProgram({ given: record, unsupported: (name) => unsupported.add(name) });
  const normalized = normalizeArguments(argv, shapes());
  const { operands, unknown } = program.parseOptions([...normalized.arguments]);

  for (const typed of normalized.withoutValue) problems.usage(`${typed} needs a value`, `write ${typed} VALUE or ${typed}=VALUE`);
  for (const name of unsupported) {
    problems.add(
      'NOT_SUPPORTED',
      `not supported yet: --${name}`,
      'this flag of Kaniko changes the build, so tsbuild does not ignore it; leave it out',
    );
  }
  for (const word of operands) {
    problems.usage(`unexpected argument "${word}"`, 'tsbuild takes flags only; the context is --context FOLDER');
  }
  // What follows an unknown flag without a dash is likely its value: naming it too would only hide the flag.
  for (const word of unknown.filter((w) => w.startsWith('-'))) {
    const name = word.split('=', 1)[0] ?? word;
    problems.usage(`unknown flag ${name}`, suggestionFor(name) ?? 'tsbuild --help lists all flags');
  }

  const booleans = readBooleans(given, problems);
  checkChoices(given, problems);
  return {
    value: (name) => given.get(name)?.at(-1) || undefined,
    list: (name) => given.get(name) ?? [],
    boolean: (name) => booleans.get(name),
    asks: given.has('help') ? 'help' : given.has('version') ? 'version' : 'build',
  };
}

interface Recorder {
  given(name: string, value: string): void;
  unsupported(name: string): void;
}

/** The commander program: `--help` and parsing share it. */
export function flagsProgram(recorder: Recorder): Command {
  const program = new Command('tsbuild').exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  program.helpOption(false);
  for (const flag of FLAGS as readonly Flag[]) {
    const names = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    const option = new Option(flag.kind === 'boolean' ? `${names} [bool]` : `${names} <${flag.value ?? 'value'}>`, helpOf(flag));
    program.addOption(option.helpGroup(`${flag.group}:`).argParser((value) => recorder.given(flag.name, value)));
    for (const alias of flag.aliases ?? []) {
      const old = new Option(flag.kind === 'boolean' ? `--${alias} [bool]` : `--${alias} <value>`).hideHelp();
      program.addOption(old.argParser((value) => recorder.given(flag.name, value)));
    }
  }
  for (const { name, short, kind } of UNSUPPORTED_KANIKO_FLAGS) {
    const names = short === undefined ? `--${name}` : `-${short}, --${name}`;
    const option = new Option(kind === 'boolean' ? `${names} [bool]` : `${names} <value>`).hideHelp();
    program.addOption(option.argParser(() => recorder.unsupported(name)));
  }
  for (const [name, short, help] of [
    ['help', 'h', 'Show this text.'],
    ['version', 'V', 'Show the version.'],
  ] as const) {
    const option = new Option(`-${short}, --${name}`, help).helpGroup('About:');
    program.addOption(option).on(`option:${name}`, () => recorder.given(name, 'true'));
  }
  return program;
}

function helpOf(flag: Flag): string {
  const notes = [
    ...(flag.choices === undefined ? [] : [flag.choices.join(', ')]),
    ...(flag.default === undefined ? [] : [`default: ${flag.default}`]),
  ];
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`;
}

function shapes(): readonly FlagShape[] {
  const own = (FLAGS as readonly Flag[]).flatMap((flag) => [
    { name: flag.name, kind: flag.kind, ...(flag.short === undefined ? {} : { short: flag.short }) },
    ...(flag.aliases ?? []).map((name) => ({ name, kind: flag.kind })),
  ]);
  return [...own, ...UNSUPPORTED_KANIKO_FLAGS, ...SWITCHES];
}

function readBooleans(given: ReadonlyMap<string, readonly string[]>, problems: Problems): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  for (const { name, kind } of FLAGS as readonly Flag[]) {
    const word = kind === 'boolean' ? given.get(name)?.at(-1) : undefined;
    if (word === undefined) continue;
    if (TRUE_WORDS.includes(word)) found.set(name, true);
    else if (FALSE_WORDS.includes(word)) found.set(name, false);
    else problems.usage(`--${name} is true or false, not "${word}"`, `write --${name}, --${name}=true or --${name}=false`);
  }
  return found;
}

function checkChoices(given: ReadonlyMap<string, readonly string[]>, problems: Problems): void {
  for (const { name, choices } of FLAGS as readonly Flag[]) {
    const word = given.get(name)?.at(-1);
    if (choices === undefined || word === undefined || word === '' || choices.includes(word)) continue;
    problems.usage(`--${name} cannot be "${word}"`, `choose one of ${choices.join(', ')}`);
  }
}

function suggestionFor(typed: string): string | undefined {
  const names = [...FLAGS, ...SWITCHES].map(({ name }) => `--${name}`);
  const near = nearest(typed, names);
  return near === undefined ? undefined : `did you mean ${near}?`;
}
