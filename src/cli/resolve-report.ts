/** Which reporter, colors and how much, from flags, the terminal and the environment. */
import type { ReportOptions, Verbosity } from '../report/reporter.ts';
import type { VERBOSITY_NAMES } from './flags.ts';
import type { Problems } from './problems.ts';

export interface ReportFlags {
  readonly progress: string | undefined;
  readonly logFormat: string | undefined;
  readonly verbosity: string | undefined;
  readonly logTimestamp: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderr: 'terminal' | 'pipe';
}

/** logrus, Kaniko's logger, has two levels above error that tsbuild has no use for. */
const VERBOSITIES: Readonly<Record<(typeof VERBOSITY_NAMES)[number], Verbosity>> = {
  panic: 'error',
  fatal: 'error',
  error: 'error',
  warn: 'warn',
  info: 'info',
  debug: 'debug',
  trace: 'trace',
};

export function resolveReport(flags: ReportFlags, problems: Problems): ReportOptions {
  const verbosity = Object.entries(VERBOSITIES).find(([name]) => name === flags.verbosity)?.[1] ?? 'info';
  const progress = progressOf(flags, problems);
  const notice =
    flags.progress === 'tty' && progress === 'plain' ? { notice: '--progress tty needs a terminal on stderr: plain is used' } : {};
  return {
    progress,
    ...notice,
    verbosity,
    color: colorOf({ ...flags, stream: flags.stderr }),
    timestamps: flags.logTimestamp ? 'timestamps' : 'no-timestamps',
  };
}

function progressOf(flags: ReportFlags, problems: Problems): ReportOptions['progress'] {
  const { progress = 'auto', logFormat } = flags;
  if (logFormat === 'json') {
    if (progress !== 'auto' && progress !== 'json') {
      problems.usage(`--log-format json and --progress ${progress} exclude each other`, 'leave one of them out');
    }
    return 'json';
  }
  if (progress === 'plain' || progress === 'json' || progress === 'quiet') return progress;
  if (flags.stderr === 'pipe' || flags.env['TERM'] === 'dumb') return 'plain';
  if (progress === 'tty') return 'tty';
  // A time before each line asks for lines.
  return isSet(flags.env['CI']) || flags.logTimestamp ? 'plain' : 'tty';
}

/** `stream`: what the text is written to. */
export function colorOf({ logFormat, env, stream }: ColorSurroundings): ReportOptions['color'] {
  if (logFormat === 'text') return 'no-color';
  if (logFormat === 'color') return 'color';
  // https://no-color.org: any value that is not empty.
  if ((env['NO_COLOR'] ?? '') !== '') return 'no-color';
  if (isSet(env['FORCE_COLOR'])) return 'color';
  return stream === 'terminal' && env['TERM'] !== 'dumb' ? 'color' : 'no-color';
}

export interface ColorSurroundings extends Pick<ReportFlags, 'logFormat' | 'env'> {
  readonly stream: 'terminal' | 'pipe';
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0' && value !== 'false';
}
