/** How the parts of the registry client come together. */
import { createApi } from './api.ts';
import { createHttp } from './http.ts';
import { createPull } from './pull.ts';
import { createPush } from './push.ts';
import type { RegistryClient } from './registry-client.ts';
import { DEFAULT_TIME_LIMITS, type RegistryOptions } from './registry-options.ts';
import { DEFAULT_RETRY, type RetryContext } from './retry.ts';

/** Contacts nothing and loads nothing. Throws USAGE for mirrors that are none. */
export function createRegistryClient(options: RegistryOptions): RegistryClient {
  const http = createHttp({ ...DEFAULT_TIME_LIMITS, ...options.timeLimits });
  const api = createApi({ http, credentials: options.credentials });
  const retrying = (signal: AbortSignal): RetryContext => ({
    policy: options.retry ?? DEFAULT_RETRY,
    signal,
    debug: options.debug ?? (() => undefined),
  });
  const parts = { http, api, options, retrying };
  return { ...createPull(parts), ...createPush(parts), close: () => http.close() };
}
