/**
 * argv -> which flag was given with which values, by commander over pflag's spellings, for any list of flags: a build's
 * (read-flags.ts) and those of each sub-command. Collects every fault of the line instead of stopping at the first.
 */
import { Command, Option } from 'commander';
import { nearest } from '../words/nearest.ts';
import type { Flag } from './flags.ts';
import { type FlagShape, normalizeArguments } from './normalize-arguments.ts';
import type { Problems } from './problems.ts';

/** `group`: the heading of help that it stands below. */
export type CommandFlag = Omit<Flag, 'group'> & { readonly group: string };

export interface FlagSet {
  /** What is typed before the flags: `tsbuild`, `tsbuild doctor`. */
  readonly command: string;
  readonly flags: readonly CommandFlag[];
  /** Known, so that their values are not taken for something else, and reported as not supported. */
  readonly unsupported: readonly (FlagShape & { readonly hint?: string })[];
  readonly switches: readonly CommandSwitch[];
}

export interface CommandSwitch extends FlagShape {
  readonly short: string;
  readonly help: string;
}

export const HELP_SWITCH: CommandSwitch = { name: 'help', short: 'h', kind: 'switch', help: 'Show this text.' };

/** What the line said. A flag given with an empty value counts as not given, as an unset variable of a pipeline makes it. */
export interface Given<Name extends string> {
  /** The last value; undefined when not given. */
  value(name: Name): string | undefined;
  /** All values in the order given, empty ones too. */
  list(name: Name): readonly string[];
  /** The last value; undefined when not given. */
  boolean(name: Name): boolean | undefined;
  /** Whether a switch stands on the line. */
  asks(name: string): boolean;
  /** Words that belong to no flag. */
  readonly operands: readonly string[];
}

const TRUE_WORDS = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE_WORDS = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/** `problems` takes what is wrong with the line; operands are for the caller to judge. */
export function readGiven<Name extends string>(argv: readonly string[], set: FlagSet, problems: Problems): Given<Name> {
  const given = new Map<string, string[]>();
  const unsupported = new Set<string>();
  const record = (name: string, value: string): void => {
    const values = given.get(name);
    if (values === undefined) given.set(name, [value]);
    else values.push(value);
  };
  const program = flagsProgram(set, { given: record, unsupported: (name) => unsupported.add(name) });
  const normalized = normalizeArguments(argv, shapes(set));
  const { operands, unknown } = program.parseOptions([...normalized.arguments]);

  for (const typed of normalized.withoutValue) problems.usage(`${typed} needs a value`, `write ${typed} VALUE or ${typed}=VALUE`);
  for (const name of unsupported) {
    problems.add(
      'NOT_SUPPORTED',
      `not supported yet: --${name}`,
      set.unsupported.find((flag) => flag.name === name)?.hint ??
        'this flag of Kaniko changes the build, so tsbuild does not ignore it; leave it out',
    );
  }
  // What follows an unknown flag without a dash is likely its value: naming it too would only hide the flag.
  for (const word of unknown.filter((w) => w.startsWith('-'))) {
    const name = word.split('=', 1)[0] ?? word;
    problems.usage(`unknown flag ${name}`, suggestionFor(name, set) ?? `${set.command} --help lists all flags`);
  }

  const booleans = readBooleans(given, set, problems);
  checkChoices(given, set, problems);
  return {
    value: (name) => given.get(name)?.at(-1) || undefined,
    list: (name) => given.get(name) ?? [],
    boolean: (name) => booleans.get(name),
    asks: (name) => given.has(name),
    operands,
  };
}

interface Recorder {
  given(name: string, value: string): void;
  unsupported(name: string): void;
}

/** The commander program: help and parsing share it. */
export function flagsProgram({ command, flags, unsupported, switches }: FlagSet, recorder: Recorder): Command {
  const program = new Command(command).exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  program.helpOption(false);
  for (const flag of flags) {
    const names = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
    const option = new Option(flag.kind === 'boolean' ? `${names} [bool]` : `${names} <${flag.value ?? 'value'}>`, helpOf(flag));
    program.addOption(option.helpGroup(`${flag.group}:`).argParser((value) => recorder.given(flag.name, value)));
    for (const alias of flag.aliases ?? []) {
      const old = new Option(flag.kind === 'boolean' ? `--${alias} [bool]` : `--${alias} <value>`).hideHelp();
      program.addOption(old.argParser((value) => recorder.given(flag.name, value)));
    }
  }
  for (const { name, short, kind } of unsupported) {
    const names = short === undefined ? `--${name}` : `-${short}, --${name}`;
    const option = new Option(kind === 'boolean' ? `${names} [bool]` : `${names} <value>`).hideHelp();
    program.addOption(option.argParser(() => recorder.unsupported(name)));
  }
  for (const { name, short, help } of switches) {
    const option = new Option(`-${short}, --${name}`, help).helpGroup('About:');
    program.addOption(option).on(`option:${name}`, () => recorder.given(name, 'true'));
  }
  return program;
}

function helpOf(flag: CommandFlag): string {
  const notes = [
    ...(flag.choices === undefined ? [] : [flag.choices.join(', ')]),
    ...(flag.default === undefined ? [] : [`default: ${flag.default}`]),
  ];
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`;
}

function shapes({ flags, unsupported, switches }: FlagSet): readonly FlagShape[] {
  const own = flags.flatMap((flag) => [
    { name: flag.name, kind: flag.kind, ...(flag.short === undefined ? {} : { short: flag.short }) },
    ...(flag.aliases ?? []).map((name) => ({ name, kind: flag.kind })),
  ]);
  return [...own, ...unsupported, ...switches];
}

function readBooleans(given: ReadonlyMap<string, readonly string[]>, { flags }: FlagSet, problems: Problems): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  for (const { name, kind } of flags) {
    const word = kind === 'boolean' ? given.get(name)?.at(-1) : undefined;
    if (word === undefined) continue;
    if (TRUE_WORDS.includes(word)) found.set(name, true);
    else if (FALSE_WORDS.includes(word)) found.set(name, false);
    else problems.usage(`--${name} is true or false, not "${word}"`, `write --${name}, --${name}=true or --${name}=false`);
  }
  return found;
}

function checkChoices(given: ReadonlyMap<string, readonly string[]>, { flags }: FlagSet, problems: Problems): void {
  for (const { name, choices } of flags) {
    const word = given.get(name)?.at(-1);
    if (choices === undefined || word === undefined || word === '' || choices.includes(word)) continue;
    problems.usage(`--${name} cannot be "${word}"`, `choose one of ${choices.join(', ')}`);
  }
}

function suggestionFor(typed: string, { flags, switches }: FlagSet): string | undefined {
  const names = [...flags, ...switches].map(({ name }) => `--${name}`);
  const near = nearest(typed, names);
  return near === undefined ? undefined : `did you mean ${near}?`;
}
