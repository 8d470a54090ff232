/** Requests to one registry's API: scheme, authorization, redirects and errors. Tries again only what a 401 explains. */
import { createAuthorizer } from './authorizer.ts';
import type { Credentials } from './credentials.ts';
import { type Endpoint, isLoopback } from './endpoints.ts';
import type { Http, HttpRequest, HttpResponse, RequestBody } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { responseError } from './response-error.ts';
import { sharedWork } from './shared-work.ts';

export interface ApiRequest {
  readonly method: HttpRequest['method'];
  /** Below `/v2/`, or an absolute URL that the registry gave. */
  readonly target: string;
  readonly scopes: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Called again when the request has to be repeated. */
  readonly body?: () => RequestBody;
  readonly patience?: HttpRequest['patience'];
  /** Statuses that are answers; all others are errors. */
  readonly expect: readonly number[];
  /** The beginning of an error: "cannot pull docker.io/library/debian". */
  readonly what: string;
}

export interface Api {
  /** Throws REGISTRY_DENIED, REGISTRY_FAILED, AUTH_CONFIG_INVALID. */
  request(endpoint: Endpoint, request: ApiRequest, signal: AbortSignal): Promise<HttpResponse>;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export function createApi({ http, credentials }: { readonly http: Http; readonly credentials: Credentials }): Api {
  const authorizer = createAuthorizer({ http, credentials });
  const bases = sharedWork<string>('results');

  const baseOf = (endpoint: Endpoint, signal: AbortSignal): Promise<string> => {
    const { host, transport } = endpoint;
    if (transport.http === 'https-only') return Promise.resolve(`https://${host}`);
    return bases.get(host, (shared) => findScheme(endpoint, http, shared), signal);
  };

  return {
    async request(endpoint, request, signal) {
      const base = await baseOf(endpoint, signal);
      const url = /^https?:\/\//.test(request.target) ? request.target : `${base}/v2/${request.target}`;
      const authorized = { endpoint, base, scopes: request.scopes };
      for (let attempt = 1; ; attempt++) {
        const header = sameOrigin(url, base) ? await authorizer.header(authorized, signal) : null;
        const response = await follow(endpoint, { ...request, target: url }, { base, header, http, signal });
        if (request.expect.includes(response.status)) return response;
        const again = attempt === 1 && response.status === 401 && sameOrigin(response.url, base);
        if (again && authorizer.challenged(authorized, response.header('www-authenticate'), header)) {
          response.discard();
          continue;
        }
        throw await responseError(response, { what: request.what, hint: await loginHint(endpoint, response.status, credentials) });
      }
    },
  };
}

async function loginHint(endpoint: Endpoint, status: number, credentials: Credentials): Promise<string | undefined> {
  if (status !== 401 && status !== 403) return undefined;
  const known = await credentials.find(endpoint.registry, endpoint.path);
  if (known === null) return `no credentials for ${endpoint.registry} were found: log in with "docker login ${endpoint.registry}"`;
  return `the credentials for ${endpoint.registry} do not allow this, or they are out of date`;
}

interface Sending {
  readonly base: string;
  readonly header: string | null;
  readonly http: Http;
  readonly signal: AbortSignal;
}

async function follow(endpoint: Endpoint, request: ApiRequest, { base, header, http, signal }: Sending): Promise<HttpResponse> {
  let url = request.target;
  for (let redirects = 0; ; redirects++) {
    // Whoever is pointed to gets no credentials: object stores refuse them, and others must not have them.
    const authorization = header !== null && sameOrigin(url, base) ? { authorization: header } : {};
    const { method, patience } = request;
    const response = await http.send(
      {
        method,
        url,
        headers: { ...request.headers, ...authorization },
        body: request.body?.(),
        patience,
        certificates: endpoint.transport.certificates,
      },
      signal,
    );
    if (!REDIRECTS.has(response.status) || request.expect.includes(response.status)) return response;
    const location = response.header('location');
    const fail = (why: string, hint?: string): RegistryError =>
      new RegistryError('REGISTRY_FAILED', `${request.what}: ${endpoint.host} ${why}`, { ...response, retryable: false, hint });
    response.discard();
    if (location === null) throw fail('redirects to nowhere');
    if (method !== 'GET' && method !== 'HEAD') throw fail(`redirects a ${method}`, 'name the registry by the host that it redirects to');
    if (redirects === MAX_REDIRECTS) throw fail(`redirects more than ${MAX_REDIRECTS} times`);
    url = resolveLocation(location, url, endpoint, request.what);
  }
}

/** An address that a registry gave, in full. Throws REGISTRY_FAILED when it leaves HTTPS or is none. */
export function resolveLocation(location: string, from: string, endpoint: Endpoint, what: string): string {
  const fail = (why: string, hint?: string): RegistryError =>
    new RegistryError('REGISTRY_FAILED', `${what}: ${endpoint.host} ${why}`, {
      status: null,
      method: 'GET',
      url: from,
      retryable: false,
      hint,
    });
  let url: URL;
  try {
    url = new URL(location, from);
  } catch {
    throw fail('sends us to an address that is none');
  }
  if (url.protocol === 'http:' && from.startsWith('https:') && endpoint.transport.http === 'https-only') {
    throw fail('sends us from HTTPS to plain HTTP', 'the proxy before the registry should set X-Forwarded-Proto');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw fail('sends us to an address that is neither HTTP nor HTTPS');
  return url.href;
}

function sameOrigin(a: string, b: string): boolean {
  return new URL(a).origin === new URL(b).origin;
}

/** HTTPS when the host speaks it, else HTTP. On the way to this very machine nobody listens, so there HTTP, which is quicker, comes first. */
async function findScheme(endpoint: Endpoint, http: Http, signal: AbortSignal): Promise<string> {
  const { host } = endpoint;
  if (isLoopback(host) && (await speaks('http', endpoint, http, signal))) return `http://${host}`;
  return (await speaks('https', endpoint, http, signal)) ? `https://${host}` : `http://${host}`;
}

/** Servers that want HTTPS answer plain HTTP, if at all, with a 400, an upgrade that they require or a redirect. */
async function speaks(scheme: 'http' | 'https', { host, transport }: Endpoint, http: Http, signal: AbortSignal): Promise<boolean> {
  try {
    const { certificates } = transport;
    const response = await http.send({ method: 'GET', url: `${scheme}://${host}/v2/`, certificates }, signal);
    response.discard();
    return scheme === 'https' || !(response.status === 400 || response.status === 426 || REDIRECTS.has(response.status));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RegistryError) return false;
    throw error;
  }
}
