/** A registry said no, said nonsense or said nothing. Spec: OCI distribution-spec, "Error Codes". */
import { type ErrorCode, type ErrorDetails, TsbuildError } from '../errors.ts';

export interface RegistryFailure extends ErrorDetails {
  /** Null when no answer came. */
  readonly status: number | null;
  readonly method: string;
  readonly url: string;
  /** `errors[].code` of the answer. */
  readonly registryCodes?: readonly string[];
  /** The same request may work a little later. */
  readonly retryable: boolean;
  /** The registry's own wish. */
  readonly retryAfterMs?: number | undefined;
}

export class RegistryError extends TsbuildError {
  readonly status: number | null;
  readonly method: string;
  /** Without user, password and query, which may hold signatures. */
  readonly url: string;
  readonly registryCodes: readonly string[];
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, failure: RegistryFailure) {
    super(code, message, failure);
    this.name = 'RegistryError';
    this.status = failure.status;
    this.method = failure.method;
    this.url = redactUrl(failure.url);
    this.registryCodes = failure.registryCodes ?? [];
    this.retryable = failure.retryable;
    this.retryAfterMs = failure.retryAfterMs;
  }
}

/** Only scheme, host and path. */
export function redactUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '(an invalid address)';
  }
}
