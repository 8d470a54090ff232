/** Collects every fault of a Dockerfile, so that they are reported together, each with its place and none twice. */
import { shownMessage } from '../dockerfile/visible.ts';
import { locate, type SourceRange, TsbuildError, TsbuildErrors } from '../errors.ts';

export interface Faults {
  /** Runs `work`; what it throws is kept with the place, and null comes back. Errors that are not ours pass through. */
  collect<T>(at: SourceRange | undefined, work: () => T): T | null;
  /** `at`: for an error that has no place yet. */
  add(error: TsbuildError, at?: SourceRange): void;
  any(): boolean;
  /** In the order of lines; those without a place (an unknown target) come first. */
  all(): readonly TsbuildError[];
  /** Throws TsbuildErrors, in the order of lines, when there is any fault. */
  throwIfAny(): void;
}

export function createFaults(): Faults {
  const found = new Map<string, TsbuildError>();
  const all = (): readonly TsbuildError[] => [...found.values()].sort((a, b) => line(a) - line(b) || column(a) - column(b));
  const add = (error: TsbuildError, at?: SourceRange): void => {
    if (error instanceof TsbuildErrors) {
      for (const inner of error.errors) add(inner, at);
      return;
    }
    const placed = at === undefined ? error : locate(error, at);
    if (!(placed instanceof TsbuildError)) throw new Error('an error with a place is no other error');
    const located = presentable(placed);
    const key = `${located.at?.file}:${located.at?.startLine} ${located.message}`;
    if (!found.has(key)) found.set(key, located);
  };
  return {
    add,
    collect(at, work) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof TsbuildError)) throw error;
        add(error, at);
        return null;
      }
    },
    any: () => found.size > 0,
    all,
    throwIfAny() {
      const [first, ...rest] = all();
      if (first !== undefined) throw new TsbuildErrors([first, ...rest]);
    },
  };
}

/** The same with a message of one bearable line: it quotes the file and the command line, which may hold anything, of any length. */
export function presentable(error: TsbuildError): TsbuildError {
  const message = shownMessage(error.message);
  const hint = error.hint === undefined ? undefined : shownMessage(error.hint);
  if (message === error.message && hint === error.hint) return error;
  return new TsbuildError(error.code, message, { hint, at: error.at, cause: error.cause });
}

function line({ at }: TsbuildError): number {
  return at?.startLine ?? 0;
}

function column({ at }: TsbuildError): number {
  return at?.column ?? 0;
}

/** What `work` throws gets `prefix` before its message, which says what the fault is about, and loses its place. */
export function about<T>(prefix: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const code = error.code === 'NOT_SUPPORTED' ? error.code : 'DOCKERFILE_SEMANTICS';
    throw new TsbuildError(code, `${prefix}: ${error.message}`, { hint: error.hint });
  }
}

export function semanticError(message: string, hint?: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_SEMANTICS', message, { hint });
}

export function notSupported(message: string, hint?: string): TsbuildError {
  return new TsbuildError('NOT_SUPPORTED', message, { hint });
}
