/** Manifests and blobs out of registries, from mirrors first. Spec: OCI distribution-spec, "Pull". */
import { reportTransfer } from '../blob/report-transfer.ts';
import { TsbuildError } from '../errors.ts';
import { isForeignLayer } from '../image/assemble.ts';
import { type Digest, digestOf, parseDigest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../image/media-types.ts';
import { formatReference, type Reference, withDefaultTag } from '../image/reference.ts';
import type { Api } from './api.ts';
import type { ClientParts } from './client-parts.ts';
import { type BlobPlace, download } from './download.ts';
import { type Endpoint, parseMirror, pullEndpoints } from './endpoints.ts';
import type { Http, HttpResponse } from './http.ts';
import type { FetchedManifest, RegistryClient, RepositoryName } from './registry-client.ts';
import { RegistryError, redactUrl } from './registry-error.ts';
import { responseError } from './response-error.ts';
import { retry } from './retry.ts';

/** The limit that registries have for manifests. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ');

export function createPull({
  http,
  api,
  options,
  retrying,
}: ClientParts): Pick<RegistryClient, 'findDigest' | 'getManifest' | 'openBlob' | 'hasBlob'> {
  options.mirrors.forEach(parseMirror);

  const manifestRequest = (reference: Reference, endpoint: Endpoint, method: 'GET' | 'HEAD') => ({
    method,
    target: `${endpoint.path}/manifests/${reference.digest ?? withDefaultTag(reference).tag}`,
    scopes: [pullScope(endpoint)],
    headers: { accept: ACCEPT },
    expect: [200],
    what: `cannot pull ${formatReference(reference)}`,
  });

  const openHere = async (from: RepositoryName, descriptor: Descriptor, signal: AbortSignal) => {
    const what = `cannot pull blob ${descriptor.digest} of ${from.registry}/${from.repository}`;
    const [first, ...others] = pullEndpoints(from.registry, from.repository, options).map((endpoint): BlobPlace => {
      return { name: nameOf(endpoint), get: (offset, stop) => getBlob(api, endpoint, { descriptor, offset, what }, stop) };
    });
    const foreign = isForeignLayer(descriptor) ? (descriptor.urls ?? []) : [];
    const places: BlobPlace[] = foreign.map((url) => ({
      name: redactUrl(url),
      get: (offset, stop) => getUrl(http, { url, offset, what }, stop),
    }));
    const label = `${from.registry}/${from.repository}`;
    const report = reportTransfer(options.onTransfer, {
      id: `pull ${descriptor.digest}`,
      direction: 'pull',
      label,
      totalBytes: descriptor.size,
    });
    const [place, ...rest] = [...places, first as BlobPlace, ...others] as [BlobPlace, ...BlobPlace[]];
    return download(descriptor, [place, ...rest], { context: retrying(signal), report });
  };

  return {
    async findDigest(reference, signal) {
      if (reference.digest !== undefined) throw new Error('a digest needs no look-up');
      for (const endpoint of pullEndpoints(reference.registry, reference.repository, options)) {
        try {
          const response = await api.request(endpoint, manifestRequest(reference, endpoint, 'HEAD'), signal);
          response.discard();
          const digest = digestIn(response);
          if (digest !== null) return { digest, origin: nameOf(endpoint) };
        } catch (error) {
          // A HEAD's errors have no text: the GET that follows tries again and says what is wrong.
          if (!(error instanceof RegistryError)) throw error;
        }
      }
      return null;
    },

    async getManifest(reference, signal) {
      const failures: RegistryError[] = [];
      for (const endpoint of pullEndpoints(reference.registry, reference.repository, options)) {
        try {
          return await retry(async () => {
            const response = await api.request(endpoint, manifestRequest(reference, endpoint, 'GET'), signal);
            return verifiedManifest(reference, response, { origin: nameOf(endpoint), bytes: await response.bytes(MAX_MANIFEST_BYTES) });
          }, retrying(signal));
        } catch (error) {
          if (!(error instanceof RegistryError)) throw error;
          failures.push(error);
        }
      }
      throw summary(failures);
    },

    async openBlob(from, descriptor, signal) {
      try {
        return await openHere(from, descriptor, signal);
      } catch (error) {
        if (error instanceof RegistryError && error.status === 404) {
          throw new TsbuildError('BLOB_NOT_FOUND', `${from.registry}/${from.repository} has no blob ${descriptor.digest}`, {
            cause: error,
          });
        }
        throw error;
      }
    },

    async hasBlob(from, { digest }, signal) {
      for (const endpoint of pullEndpoints(from.registry, from.repository, options)) {
        const request = {
          method: 'HEAD',
          target: `${endpoint.path}/blobs/${digest}`,
          scopes: [pullScope(endpoint)],
          expect: [200, 404],
          what: `cannot look for blob ${digest} of ${from.registry}/${from.repository}`,
        } as const;
        try {
          const response = await retry(() => api.request(endpoint, request, signal), retrying(signal));
          response.discard();
          if (response.status === 200) return true;
        } catch (error) {
          // Object stores that registries redirect to may refuse a HEAD.
          if (error instanceof RegistryError && error.status !== null) return true;
          throw error;
        }
      }
      return false;
    },
  };
}

function pullScope(endpoint: Endpoint): string {
  return `repository:${endpoint.path}:pull`;
}

function nameOf({ registry, path }: Endpoint): string {
  return `${registry}/${path}`;
}

interface BlobPart {
  readonly offset: number;
  readonly what: string;
}

function getBlob(
  api: Api,
  endpoint: Endpoint,
  part: BlobPart & { readonly descriptor: Descriptor },
  signal: AbortSignal,
): Promise<HttpResponse> {
  const request = {
    method: 'GET',
    target: `${endpoint.path}/blobs/${part.descriptor.digest}`,
    scopes: [pullScope(endpoint)],
    headers: rangeFrom(part.offset),
    expect: [200, 206],
    what: part.what,
  } as const;
  return api.request(endpoint, request, signal);
}

/** A foreign layer's own address: no credentials, and a registry's rules do not apply. */
async function getUrl(http: Http, { url, offset, what }: BlobPart & { readonly url: string }, signal: AbortSignal): Promise<HttpResponse> {
  if (!/^https?:\/\//.test(url)) {
    throw new RegistryError('REGISTRY_FAILED', `${what}: ${redactUrl(url)} is not a web address`, {
      status: null,
      method: 'GET',
      url,
      retryable: false,
    });
  }
  const response = await http.send({ method: 'GET', url, headers: rangeFrom(offset), certificates: 'verify' }, signal);
  if (response.status !== 200 && response.status !== 206) throw await responseError(response, { what });
  return response;
}

function rangeFrom(offset: number): Record<string, string> {
  return offset === 0 ? {} : { range: `bytes=${offset}-` };
}

function digestIn(response: HttpResponse): Digest | null {
  const header = response.header('docker-content-digest');
  return header !== null && /^sha256:[0-9a-f]{64}$/.test(header) ? parseDigest(header) : null;
}

function verifiedManifest(
  reference: Reference,
  response: HttpResponse,
  { bytes, origin }: { readonly bytes: Buffer; readonly origin: string },
): FetchedManifest {
  const digest = digestOf(bytes);
  const expected = reference.digest ?? digestIn(response);
  if (expected !== null && expected !== digest) {
    throw new TsbuildError(
      'BLOB_DIGEST_MISMATCH',
      `the manifest of ${formatReference(reference)} from ${origin} is damaged: its digest is ${digest}, not ${expected}`,
    );
  }
  return { bytes, digest, contentType: response.header('content-type'), origin };
}

/** An answer says more than none; what the other places said is told with it. */
function summary(failures: readonly RegistryError[]): RegistryError {
  const main = failures.findLast((e) => e.status !== null) ?? failures.at(-1);
  if (main === undefined) throw new Error('nobody was asked');
  const others = failures.filter((e) => e !== main).map((e) => e.message);
  if (others.length === 0) return main;
  return new RegistryError(main.code, `${main.message} (and: ${others.join('; ')})`, { ...main, hint: main.hint, cause: main });
}
