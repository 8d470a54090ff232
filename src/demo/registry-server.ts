/**
 * A small registry on 127.0.0.1, in this process: for the demo and for tests. Strict where clients may be wrong: it checks
 * digests, ranges and that a manifest's blobs are there. No authentication, no deletion. Spec: OCI distribution-spec 1.1.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { finished } from 'node:stream/promises';
import { BlobFiles } from './blob-files.ts';
import { acceptManifest, MANIFEST_LIMIT_BYTES } from './manifest-checks.ts';
import { RegistryFault } from './registry-fault.ts';
import { newRepository, type Repository } from './repository.ts';

export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
}

export interface RegistryServer extends AsyncDisposable {
  /** `127.0.0.1:port` */
  readonly host: string;
  /** Every answered request, in order. */
  readonly requests: readonly SeenRequest[];
}

export interface RegistryServerOptions {
  /** Answers a request instead of the registry, where it returns something: for tests of clients. */
  intercept?(
    request: IncomingMessage,
  ): { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string } | undefined;
}

const NAME = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*)*';
const DIGEST = 'sha256:[0-9a-f]{64}';
const ROUTES = {
  uploads: new RegExp(`^/v2/(${NAME})/blobs/uploads/?$`),
  upload: new RegExp(`^/v2/(${NAME})/blobs/uploads/([0-9a-f-]{36})$`),
  blob: new RegExp(`^/v2/(${NAME})/blobs/(${DIGEST})$`),
  manifest: new RegExp(`^/v2/(${NAME})/manifests/(${DIGEST}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$`),
  tags: new RegExp(`^/v2/(${NAME})/tags/list$`),
} as const;

/** Blobs live in a temporary folder until the server is disposed of. */
export async function startRegistry(options: RegistryServerOptions = {}): Promise<RegistryServer> {
  const files = await BlobFiles.create();
  const repositories = new Map<string, Repository>();
  const requests: SeenRequest[] = [];
  const repository = (name: string): Repository => {
    const known = repositories.get(name) ?? newRepository();
    repositories.set(name, known);
    return known;
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    response.once('finish', () => requests.push({ method: request.method ?? '', path, status: response.statusCode }));
    const instead = options.intercept?.(request);
    if (instead !== undefined) {
      request.resume();
      response.writeHead(instead.status, { ...instead.headers }).end(instead.body ?? '');
      return;
    }
    serve(request, response, { files, repository, repositories }).catch((error: unknown) => answerFault(request, response, error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await files[Symbol.asyncDispose]();
    },
  };
}

interface State {
  readonly files: BlobFiles;
  readonly repositories: ReadonlyMap<string, Repository>;
  /** Made when missing: a first push makes a repository. */
  repository(name: string): Repository;
}

async function serve(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://registry');
  const method = request.method ?? 'GET';
  if (/^\/v2\/?$/.test(url.pathname)) {
    if (method !== 'GET' && method !== 'HEAD') throw new RegistryFault(405, 'UNSUPPORTED', `${method} is not served here`);
    return answer(response, 200, { 'content-type': 'application/json' }, '{}');
  }
  for (const [kind, pattern] of Object.entries(ROUTES)) {
    const match = pattern.exec(url.pathname);
    if (match === null) continue;
    const [, name = '', what = ''] = match;
    const call: Call = { request, response, url, name, what, state };
    const handler = HANDLERS[`${method} ${kind}`];
    if (handler === undefined) throw new RegistryFault(405, 'UNSUPPORTED', `${method} is not served here`);
    return handler(call);
  }
  throw new RegistryFault(404, 'NAME_INVALID', `${url.pathname} is no path of a registry`);
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** The repository. */
  readonly name: string;
  /** Digest, tag or upload id. */
  readonly what: string;
  readonly state: State;
}

const HANDLERS: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  'POST uploads': beginUpload,
  'GET upload': async ({ response, name, what, state }) => answer(response, 204, uploadHeaders(name, what, state)),
  'PATCH upload': patchUpload,
  'PUT upload': finishUpload,
  'DELETE upload': async ({ response, what, state }) => {
    await state.files.abort(what);
    answer(response, 204, {});
  },
  'HEAD blob': sendBlob,
  'GET blob': sendBlob,
  'PUT manifest': putManifest,
  'HEAD manifest': sendManifest,
  'GET manifest': sendManifest,
  'GET tags': async ({ response, name, state }) => {
    const found = state.repositories.get(name);
    if (found === undefined) throw new RegistryFault(404, 'NAME_UNKNOWN', `there is no repository ${name}`);
    answer(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ name, tags: [...found.tags.keys()].sort() }));
  },
};

async function beginUpload(call: Call): Promise<void> {
  const { request, response, url, name, state } = call;
  const mount = url.searchParams.get('mount');
  const from = url.searchParams.get('from');
  if (mount !== null && from !== null && state.repositories.get(from)?.blobs.has(mount) === true) {
    state.repository(name).blobs.add(mount);
    request.resume();
    return answer(response, 201, { location: `/v2/${name}/blobs/${mount}`, 'docker-content-digest': mount });
  }
  const id = await state.files.begin();
  const digest = url.searchParams.get('digest');
  if (digest === null) {
    request.resume();
    return answer(response, 202, uploadHeaders(name, id, state));
  }
  await state.files.append(id, request);
  return commit(call, id, digest);
}

async function patchUpload({ request, response, name, what, state }: Call): Promise<void> {
  const range = request.headers['content-range'];
  const size = state.files.sizeOf(what);
  if (range !== undefined) {
    const [, start, end] = /^(\d+)-(\d+)$/.exec(range) ?? [];
    if (Number(start) !== size || Number(end) < Number(start)) {
      throw new RegistryFault(416, 'BLOB_UPLOAD_INVALID', `the range ${range} does not begin at ${size}`, uploadHeaders(name, what, state));
    }
    await state.files.append(what, request);
    const got = state.files.sizeOf(what) - size;
    if (got !== Number(end) - Number(start) + 1) throw new RegistryFault(400, 'SIZE_INVALID', `the range ${range} came with ${got} bytes`);
  } else {
    await state.files.append(what, request);
  }
  answer(response, 202, uploadHeaders(name, what, state));
}

async function finishUpload(call: Call): Promise<void> {
  const digest = call.url.searchParams.get('digest');
  if (digest === null) throw new RegistryFault(400, 'DIGEST_INVALID', 'PUT needs a digest');
  await call.state.files.append(call.what, call.request);
  await commit(call, call.what, digest);
}

async function commit({ response, name, state }: Call, id: string, digest: string): Promise<void> {
  await state.files.commit(id, digest);
  state.repository(name).blobs.add(digest);
  answer(response, 201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
}

function uploadHeaders(name: string, id: string, state: State): Record<string, string> {
  const size = state.files.sizeOf(id);
  // The form that every registry sends; an empty upload is "0-0" by distribution's custom.
  return { location: `/v2/${name}/blobs/uploads/${id}`, range: `0-${Math.max(0, size - 1)}`, 'docker-upload-uuid': id };
}

async function sendBlob({ request, response, name, what, state }: Call): Promise<void> {
  if (state.repositories.get(name)?.blobs.has(what) !== true) throw new RegistryFault(404, 'BLOB_UNKNOWN', `${name} has no blob ${what}`);
  const size = await state.files.blobSize(what);
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  const start = from === undefined ? 0 : Number(from);
  if (start > 0 && start >= size)
    throw new RegistryFault(416, 'BLOB_UNKNOWN', `the blob has ${size} bytes`, { 'content-range': `bytes */${size}` });
  const headers = { 'content-type': 'application/octet-stream', 'docker-content-digest': what, 'accept-ranges': 'bytes' };
  response.writeHead(from === undefined ? 200 : 206, {
    ...headers,
    'content-length': size - start,
    ...(from === undefined ? {} : { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || size === start) {
    response.end();
    return;
  }
  const body = state.files.read(what, start);
  body.pipe(response);
  // A client that goes away is its own affair.
  await finished(body).catch(() => response.destroy());
}

async function putManifest({ request, response, name, what, state }: Call): Promise<void> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MANIFEST_LIMIT_BYTES) throw new RegistryFault(413, 'SIZE_INVALID', 'the manifest is too large');
    chunks.push(chunk);
  }
  const into = state.repository(name);
  const { digest, manifest } = acceptManifest(
    { bytes: Buffer.concat(chunks), contentType: request.headers['content-type'] ?? '', reference: what },
    into,
  );
  into.manifests.set(digest, manifest);
  if (what !== digest) into.tags.set(what, digest);
  answer(response, 201, { location: `/v2/${name}/manifests/${digest}`, 'docker-content-digest': digest });
}

async function sendManifest({ request, response, name, what, state }: Call): Promise<void> {
  const found = state.repositories.get(name);
  const digest = what.startsWith('sha256:') ? what : found?.tags.get(what);
  const manifest = digest === undefined ? undefined : found?.manifests.get(digest);
  if (digest === undefined || manifest === undefined) throw new RegistryFault(404, 'MANIFEST_UNKNOWN', `${name} has no manifest ${what}`);
  response.writeHead(200, { 'content-type': manifest.mediaType, 'content-length': manifest.bytes.length, 'docker-content-digest': digest });
  response.end(request.method === 'HEAD' ? undefined : manifest.bytes);
}

function answer(response: ServerResponse, status: number, headers: Readonly<Record<string, string>>, body = ''): void {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body);
}

function answerFault(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  request.resume();
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const fault = error instanceof RegistryFault ? error : new RegistryFault(500, 'UNKNOWN', String(error));
  const body = JSON.stringify({ errors: [{ code: fault.code, message: fault.message }] });
  answer(response, fault.status, { 'content-type': 'application/json', ...fault.headers }, body);
}
