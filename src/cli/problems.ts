/** Faults of a command line, gathered so that the user sees all of them at once. */
import { type ErrorCode, TsbuildError, TsbuildErrors } from '../errors.ts';

export interface Problems {
  add(code: ErrorCode, message: string, hint: string): void;
  /** One that says all itself. */
  found(error: TsbuildError): void;
  any(): boolean;
  /** A fault of code USAGE. */
  usage(message: string, hint: string): void;
  /** Runs `work`; a TsbuildError of it becomes a problem with `prefix` before its message, and the result undefined. */
  attempt<T>(prefix: string, work: () => T): T | undefined;
  /** Throws TsbuildErrors with every problem so far, if there is one. */
  throwIfAny(): void;
}

export function collectProblems(): Problems {
  const found: TsbuildError[] = [];
  const add = (code: ErrorCode, message: string, hint?: string): void => {
    found.push(new TsbuildError(code, message, { hint }));
  };
  return {
    add,
    found: (error) => found.push(error),
    any: () => found.length > 0,
    usage: (message, hint) => add('USAGE', message, hint),
    attempt(prefix, work) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof TsbuildError)) throw error;
        add(error.code, `${prefix}: ${error.message}`, error.hint);
        return undefined;
      }
    },
    throwIfAny() {
      const [first, ...rest] = found;
      if (first !== undefined) throw new TsbuildErrors([first, ...rest]);
    },
  };
}
