/** What the halves of the client share. */
import type { Api } from './api.ts';
import type { Http } from './http.ts';
import type { RegistryOptions } from './registry-options.ts';
import type { RetryContext } from './retry.ts';

export interface ClientParts {
  readonly http: Http;
  readonly api: Api;
  readonly options: RegistryOptions;
  readonly retrying: (signal: AbortSignal) => RetryContext;
}
