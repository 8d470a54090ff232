/** What every reporter is: it takes the events of a build and shows them, on stderr only. stdout belongs to results. */
import type { Report } from '../build/events.ts';
import type { SourceText } from '../dockerfile/instruction.ts';

/** Least to most: each shows all before it. `info` is what a build says when nothing is asked. */
export type Verbosity = 'error' | 'warn' | 'info' | 'debug' | 'trace';

export type Progress = 'tty' | 'plain' | 'json' | 'quiet';

/** How a build is shown; what depends on the terminal is decided already. */
export interface ReportOptions {
  readonly progress: Progress;
  readonly verbosity: Verbosity;
  readonly color: 'color' | 'no-color';
  readonly timestamps: 'timestamps' | 'no-timestamps';
  /** A warning to begin with: why `progress` is not what was asked for. */
  readonly notice?: string;
}

/** Where a reporter writes and what it knows of the world. */
export interface ReportWorld {
  write(text: string): void;
  /** Columns and rows of the terminal now; null where there is none. */
  size(): { readonly columns: number; readonly rows: number } | null;
  /** For timestamps. */
  now(): Date;
  /** Seconds of a clock that never jumps. */
  clock(): number;
  /** The text that an error's place quotes; null when it cannot be read. */
  readSource(file: string): SourceText | null;
}

/** How a build, or the warming of a cache, came out: for the last lines. */
export type Outcome =
  | { readonly kind: 'built' }
  | { readonly kind: 'warmed'; readonly images: number }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'cancelled' };

export interface Reporter {
  readonly report: Report;
  /** The last lines: summary or error. Once, before `close`. */
  finish(outcome: Outcome): void;
  /** Gives the terminal back. May be called at any time and more than once. */
  close(): void;
}

const ORDER: readonly Verbosity[] = ['error', 'warn', 'info', 'debug', 'trace'];

/** Whether something of `level` is said under `verbosity`. */
export function shows(verbosity: Verbosity, level: Verbosity): boolean {
  return ORDER.indexOf(level) <= ORDER.indexOf(verbosity);
}
