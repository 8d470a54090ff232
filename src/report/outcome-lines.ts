/** The lines that every reporter for people says alike: notes on the way, and how the build came out. */
import type { BuildEvent } from '../build/events.ts';
import { formatError } from './error-text.ts';
import type { Outcome, ReportOptions, ReportWorld, Verbosity } from './reporter.ts';
import { contextText, debugText, imageText, isolationText, placeText } from './step-text.ts';
import { pulledText, summaryLines, summaryTitle, warmedTitle } from './summary.ts';
import type { Totals } from './tally.ts';
import { type palette, withoutControls } from './terminal-text.ts';

export interface SaidLine {
  readonly level: Verbosity;
  readonly line: string;
}

export type Note = Extract<
  BuildEvent,
  { readonly type: 'isolation' | 'warning' | 'waiting' | 'context' | 'debug' | 'image' | 'published' }
>;

export function noteLine(event: Note, paint: ReturnType<typeof palette>): SaidLine {
  switch (event.type) {
    case 'isolation':
      // What people expect is not worth a line.
      return { level: event.name === 'namespaces' ? 'debug' : 'info', line: isolationText(event) };
    case 'warning':
      return { level: 'warn', line: `${paint.yellow('warning:')} ${withoutControls(event.message)}${sourceText(event)}` };
    case 'waiting':
      return { level: 'info', line: `${withoutControls(event.message)} ...` };
    case 'context':
      return { level: 'info', line: withoutControls(contextText(event)) };
    case 'debug':
      return { level: 'debug', line: paint.dim(debugText(event)) };
    case 'image':
      return { level: 'debug', line: imageText(event) };
    case 'published':
      return { level: 'debug', line: `published ${event.where} ${event.digest}` };
  }
}

/** `(Rule) Dockerfile:3` for a finding of a check, so that the name to skip it by stands out; else the place alone. */
function sourceText({ rule, at }: Extract<Note, { type: 'warning' }>): string {
  if (rule === undefined) return placeText(at);
  return ` (${rule})${at === undefined ? '' : ` ${withoutControls(at.file)}:${at.startLine}`}`;
}

export interface OutcomeContext {
  readonly options: ReportOptions;
  readonly paint: ReturnType<typeof palette>;
  readonly readSource: ReportWorld['readSource'];
  readonly totals: Totals;
  readonly seconds: number;
}

export function outcomeLines(outcome: Outcome, { options, paint, readSource, totals, seconds }: OutcomeContext): readonly SaidLine[] {
  if (outcome.kind === 'cancelled') return [{ level: 'error', line: paint.yellow('cancelled') }];
  if (outcome.kind === 'failed') {
    const text = formatError(outcome.error, { readSource, color: options.color, verbosity: options.verbosity });
    return text.split('\n').map((line) => ({ level: 'error', line }));
  }
  if (outcome.kind === 'warmed') {
    const pulled = pulledText(totals);
    return [{ level: 'info', line: `${warmedTitle(outcome.images, seconds)}${pulled === null ? '' : `: ${pulled}`}` }];
  }
  const title = paint.green(paint.bold(summaryTitle(seconds)));
  const rest = summaryLines(totals).map(({ label, text }) => `  ${paint.dim(label.padEnd(6))} ${withoutControls(text)}`);
  return [title, ...rest].map((line) => ({ level: 'info', line }));
}
