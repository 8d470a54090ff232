/** The flags that say how registries are spoken to. */

import type { CommandLineWorld } from './command-line-world.ts';
import { UNSUPPORTED_KANIKO_VARIABLES } from './kaniko-flags.ts';
import type { RegistryOptions } from './options.ts';
import type { Problems } from './problems.ts';
import type { GivenFlags } from './read-flags.ts';

type RegistryFlags = Pick<GivenFlags, 'list' | 'boolean'>;

export function registryOptions(flags: RegistryFlags, world: Pick<CommandLineWorld, 'env'>, problems: Problems): RegistryOptions {
  for (const name of UNSUPPORTED_KANIKO_VARIABLES) {
    if (world.env[name]) problems.add('NOT_SUPPORTED', `not supported yet: the variable ${name}`, `unset ${name}`);
  }
  const fromEnvironment = world.env['KANIKO_REGISTRY_MIRROR'];
  const mirrors = [...flags.list('registry-mirror'), ...(fromEnvironment ? [fromEnvironment] : [])];
  for (const mirror of mirrors) {
    if (/:\/\//.test(mirror) || mirror === '')
      problems.usage(`--registry-mirror "${mirror}" is not a host`, 'write host, host:port or host/path, without https://');
  }
  return {
    push: {
      http: flags.boolean('insecure') ? 'http-allowed' : 'https-only',
      certificates: flags.boolean('skip-tls-verify') ? 'accept-any' : 'verify',
    },
    pull: {
      http: flags.boolean('insecure-pull') ? 'http-allowed' : 'https-only',
      certificates: flags.boolean('skip-tls-verify-pull') ? 'accept-any' : 'verify',
    },
    httpHosts: hosts('insecure-registry', flags, problems),
    unverifiedHosts: hosts('skip-tls-verify-registry', flags, problems),
    mirrors,
  };
}

function hosts(name: 'insecure-registry' | 'skip-tls-verify-registry', flags: RegistryFlags, problems: Problems): readonly string[] {
  const found = flags.list(name);
  for (const host of found) {
    if (host === '' || host.includes('/'))
      problems.usage(`--${name} "${host}" is not a host`, 'write host or host:port, without http:// and path');
  }
  return found;
}
