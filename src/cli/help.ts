/** The text of `--help`, and the README's table of flags: both from the same list, so that they cannot differ. */
import { type FlagSet, flagsProgram } from './command-flags.ts';
import { FLAGS, type Flag } from './flags.ts';
import { BUILD_FLAGS } from './read-flags.ts';
import { SUBCOMMANDS } from './subcommands.ts';

const INTRODUCTION = 'Builds container images from Dockerfiles without a daemon.';

const EXAMPLES = [
  'Examples:',
  '  tsbuild -d registry.example/team/app:1.2                 build . and push',
  '  tsbuild -c app -f app/Dockerfile.prod --no-push          build only',
  '  tsbuild -d app:dev --tar-path app.tar                    for "docker load"',
  '',
  'Results go to stdout, one "reference@digest" per line; all else to stderr.',
  'Exit codes: 0 built, 1 failed, 2 wrong command line, 130 interrupted.',
  '',
].join('\n');

/** Columns for the flags; a flag that is longer stands on a line of its own. */
const TERM_COLUMNS = 34;
const INDENT = 2;
const NARROWEST = 80;
const WIDEST = 110;

/** For a terminal `columns` wide. */
export function helpText(columns: number): string {
  const commands = ['Commands:', ...SUBCOMMANDS.map(({ name, summary }) => `  ${`tsbuild ${name}`.padEnd(TERM_COLUMNS)}${summary}`), ''];
  return [formatHelp(BUILD_FLAGS, INTRODUCTION, columns), ...commands, EXAMPLES].join('\n');
}

/** Usage, `introduction`, and the flags by group. Ends with a newline. */
export function formatHelp(set: FlagSet, introduction: string, columns: number): string {
  const width = Math.max(NARROWEST, Math.min(columns, WIDEST));
  const program = flagsProgram(set, { given: () => undefined, unsupported: () => undefined });
  program
    .usage('[flags]')
    .description(introduction)
    .configureHelp({
      helpWidth: width,
      // Flags without a short name line up with those that have one.
      optionTerm: (option) => (option.short === undefined ? '    ' : '') + option.flags.replace(' [bool]', ''),
      formatItem(term, _, description, helper) {
        const lines = helper.boxWrap(description, width - INDENT - TERM_COLUMNS).split('\n');
        const indent = ' '.repeat(INDENT);
        const own = term.length > TERM_COLUMNS - 2 ? [indent + term] : [];
        const first = own.length === 0 ? indent + term.padEnd(TERM_COLUMNS) + (lines.shift() ?? '') : null;
        return [...own, ...(first === null ? [] : [first]), ...lines.map((line) => ' '.repeat(INDENT + TERM_COLUMNS) + line)].join('\n');
      },
    });
  return program.helpInformation();
}

/** A Markdown table of all flags. */
export function flagsTable(): string {
  const rows = (FLAGS as readonly Flag[]).map((flag) => {
    const value = flag.kind === 'boolean' ? '' : ` <${flag.value ?? 'value'}>`;
    const short = flag.short === undefined ? '' : `, \`-${flag.short}\``;
    const choices = flag.choices === undefined ? '' : ` One of ${flag.choices.join(', ')}.`;
    const standard = flag.default === undefined ? '' : ` Default: ${flag.default}`;
    return `| \`--${flag.name}${value}\`${short} | ${flag.help}${choices}${standard} |`;
  });
  return ['| flag | meaning |', '|---|---|', ...rows].join('\n');
}
