/** What every reporter is: it takes the events of a build and shows them, on stderr only. stdout belongs to results. */
import type { Report } from '../build/events.ts';

/** Least to most: each shows all before it. `info` is what a build says when nothing is asked. */
export type Verbosity = 'error' | 'warn' | 'info' | 'debug' | 'trace';

export type Progress = 'tty' | 'plain' | 'json' | 'quiet';

/** How a build is shown; what depends on the terminal is decided already. */
export interface ReportOptions {
  readonly progress: Progress;
  readonly verbosity: Verbosity;
  readonly color: 'color' | 'no-color';
  readonly timestamps: 'timestamps' | 'no-timestamps';
}

/** How a build came out, for the last lines. */
export type Outcome = { readonly kind: 'built' } | { readonly kind: 'failed'; readonly error: unknown } | { readonly kind: 'cancelled' };

export interface Reporter {
  readonly report: Report;
  /** The last lines: summary or error. Once, before `close`. */
  finish(outcome: Outcome): void;
  /** Gives the terminal back. May be called at any time and more than once. */
  close(): void;
}
