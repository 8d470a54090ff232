/**
 * The one error class a user can meet, and the closed list of its codes.
 *
 * A plain `Error` that reaches the CLI is a bug of tsbuild; everything else is a `TsbuildError` that says what failed,
 * where, why and what to try. Deeper code throws without a place; the step loop attaches the Dockerfile range once.
 */

/** Lines of a Dockerfile. Lines count from 1; `endLine` is inclusive. Columns count from 0 in UTF-16 units of that line. */
export interface SourceRange {
  readonly file: string;
  readonly startLine: number;
  readonly endLine: number;
  /** Where on `startLine` the fault is, when known: the caret stands below it. */
  readonly column?: number;
  /** How many characters the caret underlines. */
  readonly width?: number;
}

export type ErrorCode =
  | 'USAGE'
  | 'NOT_SUPPORTED'
  | 'DOCKERFILE_SYNTAX'
  | 'DOCKERFILE_SEMANTICS'
  | 'CHECKS_FAILED'
  | 'DOCKERIGNORE_SYNTAX'
  | 'CONTEXT_NOT_FOUND'
  | 'CONTEXT_READ'
  | 'COPY_SOURCE_NOT_FOUND'
  | 'COPY_FAILED'
  | 'ADD_FAILED'
  | 'GIT_FAILED'
  | 'USER_NOT_FOUND'
  | 'SECRET_NOT_FOUND'
  | 'RUN_FAILED'
  | 'BACKEND_UNAVAILABLE'
  | 'BACKEND_FAILED'
  | 'LAYER_INVALID'
  | 'LAYER_PATH_ESCAPE'
  | 'BLOB_DIGEST_MISMATCH'
  | 'BLOB_NOT_FOUND'
  | 'IMAGE_INVALID'
  | 'REFERENCE_INVALID'
  | 'PLATFORM_INVALID'
  | 'REGISTRY_DENIED'
  | 'REGISTRY_FAILED'
  | 'AUTH_CONFIG_INVALID'
  | 'OUTPUT_FAILED'
  | 'STORE_FAILED'
  | 'CANCELLED';

export interface ErrorDetails {
  /** The next thing to try, one sentence. */
  readonly hint?: string | undefined;
  readonly at?: SourceRange | undefined;
  readonly cause?: unknown;
}

/** An error with a code, for people. `message` is one line: what failed and why, without the place. */
export class TsbuildError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly at: SourceRange | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = 'TsbuildError';
    this.code = code;
    this.hint = details.hint;
    this.at = details.at;
  }
}

/** Several faults found at once, in the order of their lines: all errors of a Dockerfile are reported together. */
export class TsbuildErrors extends TsbuildError {
  readonly errors: readonly TsbuildError[];

  constructor(errors: readonly [TsbuildError, ...TsbuildError[]]) {
    super(errors[0].code, errors.map((e) => e.message).join('; '), { at: errors[0].at, hint: errors[0].hint });
    this.name = 'TsbuildErrors';
    this.errors = errors;
  }
}

/** The same error with a place; an error that has one already keeps it. Errors that are not ours pass through unchanged. */
export function locate(error: unknown, at: SourceRange): unknown {
  if (!(error instanceof TsbuildError) || error.at !== undefined || error instanceof TsbuildErrors) return error;
  const located = Object.create(Object.getPrototypeOf(error) as object, Object.getOwnPropertyDescriptors(error)) as TsbuildError;
  Object.defineProperty(located, 'at', { value: at, enumerable: true });
  return located;
}
