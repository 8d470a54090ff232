/**
 * Blob uploads: POST opens a session, then one PUT carries bytes and digest, as in containerd; or PATCH streams bytes and PUT
 * names the digest, for a blob whose digest is known only at its end. Spec: OCI distribution-spec, "Pushing blobs".
 */
import type { Digest } from '../image/digest.ts';
import { type Api, type ApiRequest, resolveLocation } from './api.ts';
import type { Endpoint } from './endpoints.ts';
import type { HttpResponse, RequestBody } from './http.ts';
import { RegistryError } from './registry-error.ts';

export interface UploadApi {
  readonly api: Api;
  readonly endpoint: Endpoint;
}

/** Where the next request of a session goes. It changes with every answer. */
export type UploadLocation = string & { readonly __location?: never };

export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

const whatOf = ({ registry, path }: Endpoint): string => `cannot push to ${registry}/${path}`;

export async function openUpload({ api, endpoint }: UploadApi, signal: AbortSignal): Promise<UploadLocation> {
  const response = await api.request(endpoint, { ...post(endpoint, ''), expect: [202] }, signal);
  return locationOf(response, endpoint);
}

/** Null: the registry took the blob from the other repository. Else the session that it opened instead. */
export async function mountBlob(
  { api, endpoint }: UploadApi,
  { digest, from }: { readonly digest: Digest; readonly from: string },
  signal: AbortSignal,
): Promise<UploadLocation | null> {
  const request = post(endpoint, `?mount=${digest}&from=${encodeURIComponent(from)}`);
  const scopes = [...request.scopes, `repository:${from}:pull`];
  const response = await api.request(endpoint, { ...request, scopes, expect: [201, 202] }, signal);
  if (response.status === 202) return locationOf(response, endpoint);
  response.discard();
  return null;
}

function post(endpoint: Endpoint, query: string): Omit<ApiRequest, 'expect'> {
  return {
    method: 'POST',
    target: `${endpoint.path}/blobs/uploads/${query}`,
    scopes: [pushScope(endpoint.path)],
    body: () => ({ kind: 'bytes', bytes: Buffer.alloc(0) }),
    what: whatOf(endpoint),
  };
}

/** Sends bytes in one PATCH. `body` is called again when the registry wants other credentials. */
export async function sendBytes(
  { api, endpoint }: UploadApi,
  { location, body }: { readonly location: UploadLocation; readonly body: () => RequestBody },
  signal: AbortSignal,
): Promise<UploadLocation> {
  const response = await api.request(
    endpoint,
    {
      method: 'PATCH',
      target: location,
      scopes: [pushScope(endpoint.path)],
      headers: { 'content-type': 'application/octet-stream' },
      body,
      patience: 'commit',
      // Docker's registry says 202; some others say 201 or 204.
      expect: [201, 202, 204],
      what: whatOf(endpoint),
    },
    signal,
  );
  return locationOf(response, endpoint);
}

/** Makes the bytes that were sent a blob. Throws REGISTRY_FAILED when the registry counted other bytes. */
export async function finishUpload(
  to: UploadApi,
  upload: { readonly location: UploadLocation; readonly digest: Digest },
  signal: AbortSignal,
): Promise<void> {
  await putBlob(to, { ...upload, headers: {}, body: () => ({ kind: 'bytes', bytes: Buffer.alloc(0) }) }, signal);
}

/** Sends a whole blob. `body` is called again when the registry wants other credentials. Throws as `finishUpload`. */
export async function sendBlob(
  to: UploadApi,
  upload: { readonly location: UploadLocation; readonly digest: Digest; readonly body: () => RequestBody },
  signal: AbortSignal,
): Promise<void> {
  await putBlob(to, { ...upload, headers: { 'content-type': 'application/octet-stream' } }, signal);
}

interface BlobPut {
  readonly location: UploadLocation;
  readonly digest: Digest;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: () => RequestBody;
}

async function putBlob({ api, endpoint }: UploadApi, { location, digest, headers, body }: BlobPut, signal: AbortSignal): Promise<void> {
  // Not by URLSearchParams, which would write the registry's own, perhaps signed, query anew.
  const target = `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
  const request = {
    method: 'PUT',
    target,
    scopes: [pushScope(endpoint.path)],
    headers,
    body,
    patience: 'commit',
    expect: [201, 204],
    what: whatOf(endpoint),
  } as const;
  const response = await api.request(endpoint, request, signal);
  response.discard();
}

/** Registries forget sessions by themselves: that one cannot be cancelled is no failure. */
export async function cancelUpload({ api, endpoint }: UploadApi, location: UploadLocation, signal: AbortSignal): Promise<void> {
  try {
    const request = {
      method: 'DELETE',
      target: location,
      scopes: [pushScope(endpoint.path)],
      expect: [200, 202, 204],
      what: whatOf(endpoint),
    } as const;
    (await api.request(endpoint, request, signal)).discard();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
  }
}

function locationOf(response: HttpResponse, endpoint: Endpoint): UploadLocation {
  const location = response.header('location');
  response.discard();
  if (location !== null) return resolveLocation(location, response.url, endpoint, whatOf(endpoint));
  throw new RegistryError('REGISTRY_FAILED', `${whatOf(endpoint)}: ${endpoint.host} opened an upload without saying where`, {
    ...response,
    retryable: false,
  });
}
