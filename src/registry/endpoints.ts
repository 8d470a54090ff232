/** Where the images of a registry are asked for, and how that host is spoken to. Pure. */
import { TsbuildError } from '../errors.ts';
import { DOCKER_HUB, isDockerHub } from '../image/reference.ts';
import type { RegistryOptions, Transport } from './registry-options.ts';

/** One repository at one host. */
export interface Endpoint {
  /** As in references: `docker.io`. Credentials are kept under it. */
  readonly registry: string;
  /** Where the API is: `registry-1.docker.io`. */
  readonly host: string;
  /** The repository there. */
  readonly path: string;
  readonly transport: Transport;
}

type EndpointOptions = Pick<RegistryOptions, 'push' | 'pull' | 'httpHosts' | 'unverifiedHosts' | 'mirrors' | 'hubAfterMirrors'>;

export function pushEndpoint(registry: string, path: string, options: EndpointOptions): Endpoint {
  return endpoint(registry, path, options, options.push);
}

/** In the order in which they are tried. Mirrors hold images of Docker Hub only, as in Docker and Kaniko. Throws USAGE for what is not a mirror. */
export function pullEndpoints(registry: string, path: string, options: EndpointOptions): readonly [Endpoint, ...Endpoint[]] {
  const own = endpoint(registry, path, options, options.pull);
  if (!isDockerHub(registry)) return [own];
  const [first, ...others] = options.mirrors.map((mirror) => {
    const { host, prefix } = parseMirror(mirror);
    return endpoint(host, prefix === '' ? path : `${prefix}/${path}`, options, options.pull);
  });
  if (first === undefined) return [own];
  return options.hubAfterMirrors === 'never' ? [first, ...others] : [first, ...others, own];
}

/** `host[:port][/path]`. Throws USAGE. */
export function parseMirror(mirror: string): { readonly host: string; readonly prefix: string } {
  const [host = '', ...path] = mirror.replace(/\/+$/, '').split('/');
  if (!/^[A-Za-z0-9.-]+(:\d+)?$|^\[[0-9A-Fa-f:]+\](:\d+)?$/.test(host) || path.includes('')) {
    throw new TsbuildError('USAGE', `"${mirror}" is not a registry mirror`, { hint: 'write host[:port][/path], without https://' });
  }
  return { host, prefix: path.join('/') };
}

function endpoint(registry: string, path: string, options: EndpointOptions, general: Transport): Endpoint {
  const hub = isDockerHub(registry);
  const host = hub ? 'registry-1.docker.io' : registry;
  const listed = (hosts: readonly string[]): boolean => hosts.some((h) => h === host || (hub && isDockerHub(h)));
  const http = general.http === 'http-allowed' || listed(options.httpHosts) || isLoopback(host) ? 'http-allowed' : 'https-only';
  // Where plain HTTP will do, a certificate that nobody vouches for is no worse. Docker does the same.
  const unverified = general.certificates === 'accept-any' || listed(options.unverifiedHosts) || http === 'http-allowed';
  return { registry: hub ? DOCKER_HUB : registry, host, path, transport: { http, certificates: unverified ? 'accept-any' : 'verify' } };
}

export function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}
