/**
 * Errors as people read them: what failed, the place with its lines, why in plain words, what to try. What is not a
 * TsbuildError is a bug of ours and says so; stacks are shown from verbosity debug on.
 */
import { excerpt } from '../dockerfile/excerpt.ts';
import type { SourceText } from '../dockerfile/instruction.ts';
import { type SourceRange, TsbuildError, TsbuildErrors } from '../errors.ts';
import { isForWantOfSpace, isMachineTrouble, plainCause } from './plain-cause.ts';
import { type ReportOptions, shows, type Verbosity } from './reporter.ts';
import { palette, withoutControls } from './terminal-text.ts';

export interface ErrorDescription {
  /** Null for bugs. */
  readonly code: string | null;
  readonly message: string;
  readonly at: SourceRange | undefined;
  /** Outermost first, without what `message` says already. */
  readonly causes: readonly string[];
  readonly hint: string | undefined;
  /** Only at debug. */
  readonly stack: string | undefined;
}

export interface ErrorTextOptions {
  readonly color: ReportOptions['color'];
  readonly verbosity: Verbosity;
  /** The file that an error's place names; null when it cannot be read: the place then stands without its lines. */
  readSource(file: string): SourceText | null;
}

/** A file of another kind than it was taken for has a fault in every line. */
const MOST_SHOWN = 20;

/** One text for all that `error` holds, without a newline at its end. */
export function formatError(error: unknown, options: ErrorTextOptions): string {
  const found = describeErrors(error, options.verbosity);
  const texts = found.slice(0, MOST_SHOWN).map((description) => textOf(description, options));
  const count = found.length > MOST_SHOWN ? `${found.length} errors, of which these are the first ${MOST_SHOWN}` : `${found.length} errors`;
  const sum = found.length < 2 ? [] : [palette(options.color).red(count)];
  return [...texts, ...sum].join('\n\n');
}

/** One description per error, in order. */
export function describeErrors(error: unknown, verbosity: Verbosity): readonly ErrorDescription[] {
  // What cleaning up after a failure met must not hide the failure.
  if (isSuppressed(error)) return [...describeErrors(error.suppressed, verbosity), ...describeErrors(error.error, verbosity)];
  if (error instanceof TsbuildErrors) return error.errors.flatMap((each) => describeErrors(each, verbosity));
  const stack = shows(verbosity, 'debug') && error instanceof Error ? stackOf(error) : undefined;
  if (error instanceof TsbuildError) {
    return [
      {
        code: error.code,
        message: clean(error.message),
        at: error.at,
        causes: causesOf(error),
        hint: error.hint ?? spaceHint(error),
        stack,
      },
    ];
  }
  if (isMachineTrouble(error)) {
    return [{ code: null, message: plainCause(error), at: undefined, causes: [], hint: spaceHint(error), stack }];
  }
  const message = clean(error instanceof Error ? error.message : String(error));
  return [
    {
      code: null,
      message: `this is a bug in tsbuild: ${message}`,
      at: undefined,
      causes: error instanceof Error ? causesOf(error) : [],
      hint: stack === undefined ? 'please report it with the output of --verbosity debug' : 'please report it with all of this output',
      stack,
    },
  ];
}

/** What to do about a full disk, whatever met it. */
function spaceHint(error: Error): string | undefined {
  if (!isForWantOfSpace(error)) return undefined;
  return error instanceof TsbuildError && error.code === 'OUTPUT_FAILED'
    ? 'free disk space there, or write to another folder'
    : 'free disk space, or choose another folder with --cache-dir';
}

/** What `await using` throws when disposal fails after a failure: `suppressed` came first. Node 20 has no such class. */
function isSuppressed(error: unknown): error is Error & { readonly error: unknown; readonly suppressed: unknown } {
  return error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error && 'error' in error;
}

function textOf(description: ErrorDescription, options: ErrorTextOptions): string {
  const paint = palette(options.color);
  const { message, at, causes, hint, stack } = description;
  const [first = '', ...more] = message.split('\n');
  const lines = [`${paint.red(paint.bold('error:'))} ${paint.bold(first)}`, ...more.map((line) => `  ${line}`)];
  if (at !== undefined) {
    const [place = '', ...quoted] = placeOf(at, options).split('\n');
    lines.push(`  ${paint.cyan('-->')} ${place}`, ...quoted.map((line) => `  ${line}`));
  }
  for (const cause of causes) lines.push(`  ${paint.dim('cause:')} ${cause}`);
  if (hint !== undefined) lines.push(`  ${paint.cyan('hint:')} ${clean(hint)}`);
  if (stack !== undefined) lines.push(paint.dim(stack));
  return lines.join('\n');
}

/** The first line names the place, the others quote it. */
function placeOf(at: SourceRange, options: ErrorTextOptions): string {
  const source = options.readSource(at.file);
  const quoted = source === null ? '' : excerpt(source, at);
  return quoted === '' ? `${withoutControls(at.file)}:${at.startLine}` : quoted;
}

function causesOf(error: Error): readonly string[] {
  const causes: string[] = [];
  const seen = new Set<unknown>([error]);
  let said = error.message;
  for (let cause = error.cause; cause !== undefined && cause !== null && !seen.has(cause); cause = (cause as { cause?: unknown }).cause) {
    seen.add(cause);
    const raw = cause instanceof Error ? cause.message : String(cause);
    // Callers that put the cause's words into their own message have said it.
    if (raw !== '' && !said.includes(raw)) causes.push(clean(plainCause(cause)));
    said += `\n${raw}`;
  }
  return causes;
}

function stackOf(error: Error): string {
  const stacks: string[] = [];
  for (let each: unknown = error; each instanceof Error && stacks.length < 5; each = each.cause) stacks.push(each.stack ?? String(each));
  return stacks.join('\ncaused by: ');
}

/** Messages may quote file names and answers of servers. */
function clean(text: string): string {
  return text.split('\n').map(withoutControls).join('\n');
}
