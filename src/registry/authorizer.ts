/**
 * The Authorization header of each request: what a registry asked for in its last 401, answered with the user's
 * credentials. Tokens are kept per set of scopes until they expire, and fetched once however many need them.
 * Spec: distribution "Token Authentication Specification" and "OAuth2 Token Authentication".
 */
import { basicHeader } from './basic-header.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { Endpoint } from './endpoints.ts';
import type { Http } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { sharedWork } from './shared-work.ts';
import { fetchToken, type Token } from './token.ts';

export interface AuthorizedRequest {
  readonly endpoint: Endpoint;
  /** `https://host` */
  readonly base: string;
  /** `repository:name:pull,push` */
  readonly scopes: readonly string[];
}

export interface Authorizer {
  /** Null: nothing was asked for so far, or nothing can be offered. Throws REGISTRY_DENIED, REGISTRY_FAILED, AUTH_CONFIG_INVALID. */
  header(request: AuthorizedRequest, signal: AbortSignal): Promise<string | null>;
  /** After a 401 that `used` got: remembers what the registry asks for, and forgets the token. False when it asks for nothing we know. */
  challenged(request: AuthorizedRequest, challengeHeader: string | null, used: string | null): boolean;
}

type Demand =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly service: string | null; readonly scope: string | null };

export function createAuthorizer({ http, credentials }: { readonly http: Http; readonly credentials: Credentials }): Authorizer {
  const demands = new Map<string, Demand>();
  const tokens = new Map<string, Token>();
  const fetching = sharedWork<Token>('nothing');

  const scopesOf = (demand: Extract<Demand, { kind: 'bearer' }>, scopes: readonly string[]): readonly string[] =>
    scopes.length > 0 || demand.scope === null ? [...scopes].sort() : demand.scope.split(' ');
  const keyOf = ({ base, scopes }: AuthorizedRequest): string => [base, ...[...scopes].sort()].join(' ');

  const fetchOnce = async (
    request: AuthorizedRequest,
    demand: Extract<Demand, { kind: 'bearer' }>,
    signal: AbortSignal,
  ): Promise<Token> => {
    const { endpoint, scopes } = request;
    const credential = await credentials.find(endpoint.registry, endpoint.path);
    if (credential?.kind === 'registry-token') return { text: credential.token, expiresAt: Number.POSITIVE_INFINITY };
    const { realm, service } = demand;
    const token = await fetchToken({ realm, service, scopes: scopesOf(demand, scopes), endpoint, credential }, http, signal);
    tokens.set(keyOf(request), token);
    return token;
  };

  const bearer = async (request: AuthorizedRequest, demand: Extract<Demand, { kind: 'bearer' }>, signal: AbortSignal): Promise<string> => {
    const key = keyOf(request);
    const known = tokens.get(key);
    if (known !== undefined && known.expiresAt > Date.now()) return known.text;
    return (await fetching.get(key, (shared) => fetchOnce(request, demand, shared), signal)).text;
  };

  return {
    async header(request, signal) {
      const demand = demands.get(request.base);
      if (demand === undefined) return null;
      if (demand.kind === 'bearer') return `Bearer ${await bearer(request, demand, signal)}`;
      const { registry, path } = request.endpoint;
      const credential = await credentials.find(registry, path);
      if (credential === null) return null;
      if (credential.kind === 'registry-token') return `Bearer ${credential.token}`;
      const secret = credential.kind === 'password' ? credential.password : credential.token;
      return basicHeader(credential.username, secret);
    },

    challenged(request, challengeHeader, used) {
      const demand = demandOf(parseChallenges(challengeHeader ?? ''), request);
      if (demand === null) return false;
      demands.set(request.base, demand);
      const key = keyOf(request);
      // Another request may have replaced the refused token already.
      if (used === `Bearer ${tokens.get(key)?.text}`) tokens.delete(key);
      return true;
    },
  };
}

function demandOf(challenges: readonly Challenge[], { endpoint, base }: AuthorizedRequest): Demand | null {
  const bearer = challenges.find((c) => c.scheme === 'bearer' && c.parameters.has('realm'));
  if (bearer === undefined) return challenges.some((c) => c.scheme === 'basic') ? { kind: 'basic' } : null;
  const realm = bearer.parameters.get('realm') as string;
  if (!/^https?:\/\//i.test(realm) || (base.startsWith('https:') && /^http:/i.test(realm) && endpoint.transport.http === 'https-only')) {
    throw new RegistryError('REGISTRY_FAILED', `${endpoint.host} sends us to a token server that is not safe to ask`, {
      status: 401,
      method: 'GET',
      url: realm,
      retryable: false,
      hint: `its address must begin with https://; if plain HTTP is meant, pass --insecure-registry=${endpoint.host}`,
    });
  }
  return { kind: 'bearer', realm, service: bearer.parameters.get('service') ?? null, scope: bearer.parameters.get('scope') ?? null };
}
