/**
 * Collects what a Dockerfile gets wrong, so that one run reports every fault. Errors and warnings are `TsbuildError`s
 * with a place; nothing here decides whether to go on.
 */
import { type SourceRange, TsbuildError } from '../errors.ts';

export interface Findings {
  readonly errors: TsbuildError[];
  readonly warnings: TsbuildError[];
}

/** A fault before it has a place. */
export interface Fault {
  readonly message: string;
  readonly hint?: string | undefined;
}

export function noFindings(): Findings {
  return { errors: [], warnings: [] };
}

export function syntaxError(fault: Fault, at: SourceRange): TsbuildError {
  return new TsbuildError('DOCKERFILE_SYNTAX', fault.message, { hint: fault.hint, at });
}

/** Reports about one instruction. Offsets count UTF-16 units of the logical line's text. */
export interface Reporter {
  error(fault: Fault, offset: number, width: number): void;
  warn(fault: Fault, offset: number, width: number): void;
}

export function reporter(findings: Findings, place: (offset: number, width: number) => SourceRange): Reporter {
  return {
    error(fault, offset, width) {
      findings.errors.push(syntaxError(fault, place(offset, width)));
    },
    warn(fault, offset, width) {
      findings.warnings.push(syntaxError(fault, place(offset, width)));
    },
  };
}
