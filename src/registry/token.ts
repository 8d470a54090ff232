/** Fetches one token from a token server. Spec: distribution "Token Authentication Specification", "OAuth2 Token Authentication". */
import { basicHeader } from './basic-header.ts';
import type { Credential } from './credential.ts';
import type { Endpoint } from './endpoints.ts';
import type { Http, HttpResponse } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { responseError } from './response-error.ts';

export interface Token {
  readonly text: string;
  /** Milliseconds since the epoch, a little before the server's own view. */
  readonly expiresAt: number;
}

export interface TokenQuery {
  readonly realm: string;
  readonly service: string | null;
  readonly scopes: readonly string[];
  readonly endpoint: Endpoint;
  readonly credential: Exclude<Credential, { kind: 'registry-token' }> | null;
}

const CLIENT_ID = 'tsbuild';
const MAX_TOKEN_BYTES = 128 * 1024;
/** What the specification says of answers without `expires_in`. */
const DEFAULT_LIFE_SECONDS = 60;

/** Throws REGISTRY_DENIED, REGISTRY_FAILED. */
export async function fetchToken(query: TokenQuery, http: Http, signal: AbortSignal): Promise<Token> {
  const { credential, endpoint } = query;
  const asked = Date.now();
  let response =
    credential?.kind === 'identity-token' ? await postForm(query, credential.token, http, signal) : await get(query, http, signal);
  if (credential?.kind === 'identity-token' && (response.status === 404 || response.status === 405)) {
    // Token servers without OAuth2 take the identity token as a password.
    response.discard();
    response = await get(query, http, signal);
  }
  if (response.status !== 200) {
    throw await responseError(response, {
      what: `cannot log in to ${endpoint.registry} for ${endpoint.path}`,
      hint:
        credential === null && (response.status === 401 || response.status === 403)
          ? `log in with "docker login ${endpoint.registry}"`
          : undefined,
    });
  }
  return parseToken(await response.bytes(MAX_TOKEN_BYTES), asked, response);
}

function get({ realm, service, scopes, endpoint, credential }: TokenQuery, http: Http, signal: AbortSignal): Promise<HttpResponse> {
  const url = new URL(realm);
  if (service !== null) url.searchParams.append('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  url.searchParams.append('client_id', CLIENT_ID);
  if (credential !== null && credential.username !== '') url.searchParams.append('account', credential.username);
  const secret = credential?.kind === 'password' ? credential.password : credential?.token;
  const headers = credential === null ? {} : { authorization: basicHeader(credential.username, secret ?? '') };
  return http.send({ method: 'GET', url: url.href, headers, certificates: endpoint.transport.certificates }, signal);
}

function postForm(query: TokenQuery, refreshToken: string, http: Http, signal: AbortSignal): Promise<HttpResponse> {
  const { realm, service, scopes, endpoint } = query;
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: CLIENT_ID,
    scope: scopes.join(' '),
  });
  if (service !== null) form.set('service', service);
  const body = { kind: 'bytes' as const, bytes: Buffer.from(form.toString()) };
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return http.send({ method: 'POST', url: realm, headers, body, certificates: endpoint.transport.certificates }, signal);
}

interface TokenAnswer {
  readonly token?: unknown;
  readonly access_token?: unknown;
  readonly expires_in?: unknown;
}

/** Null for what is not JSON: it may hold half a token, so it is not shown. */
function parseAnswer(bytes: Buffer): TokenAnswer | null {
  try {
    return JSON.parse(bytes.toString('utf8')) as TokenAnswer | null;
  } catch {
    return null;
  }
}

function parseToken(bytes: Buffer, asked: number, { method, url, status }: HttpResponse): Token {
  const answer = parseAnswer(bytes);
  const text = answer?.token || answer?.access_token;
  // What cannot stand in a header must not get there.
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
    throw new RegistryError('REGISTRY_FAILED', `the token server ${new URL(url).host} answered without a token`, {
      status,
      method,
      url,
      retryable: false,
    });
  }
  const life = typeof answer?.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_LIFE_SECONDS;
  // A tenth of it may go by on the way.
  return { text, expiresAt: asked + life * 900 };
}
