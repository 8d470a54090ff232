/** The client of all registries, with this user's credentials; transfers are reported. */
import type { Report } from '../build/events.ts';
import { createRegistryClient } from '../registry/create-client.ts';
import { dockerConfigFiles, dockerCredentials } from '../registry/credentials.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import { homeFolder } from './cache-place.ts';
import type { RegistryOptions } from './options.ts';

export function registryClient(registry: RegistryOptions, report: Report): RegistryClient {
  return createRegistryClient({
    ...registry,
    credentials: dockerCredentials(dockerConfigFiles(process.env, homeFolder()), process.env),
    debug: (message) => report({ type: 'debug', message }),
    onTransfer: (transfer) => report({ type: 'transfer', ...transfer }),
  });
}
