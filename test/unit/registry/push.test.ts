import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Transfer } from '../../../src/blob/blob.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { createRegistryClient } from '../../../src/registry/create-client.ts';
import type { RegistryOptions } from '../../../src/registry/registry-options.ts';
import { type FaultRegistry, faultRegistry, registryOptions, type Seen, sendJson } from '../../helpers/fault-registry.ts';

const never = new AbortController().signal;
const bytes = randomBytes(200_000);
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };

function blob() {
  const state = { opened: 0 };
  const open = (): Promise<Readable> => {
    state.opened++;
    return Promise.resolve(Readable.from([bytes.subarray(0, 70_000), bytes.subarray(70_000)], { objectMode: false }));
  };
  return { state, blob: { descriptor, open } };
}

type Intercept = (request: Seen, response: ServerResponse) => boolean;

/** Takes blobs as the specification says, with relative locations that change each time; `intercept` returns true when it answered. */
async function takingRegistry(intercept: Intercept = () => false): Promise<FaultRegistry & { readonly blobs: Map<string, Buffer> }> {
  const blobs = new Map<string, Buffer>();
  let step = 0;
  let received: Buffer = Buffer.alloc(0);
  const registry = await faultRegistry((request, response) => {
    if (intercept(request, response)) return;
    const { pathname, searchParams } = new URL(request.url, 'http://x');
    const next = `${pathname.replace(/uploads\/.*$/, 'uploads/')}session?_state=a%2Fb%3D${++step}`;
    const digest = searchParams.get('digest') ?? pathname.split('/').at(-1) ?? '';
    if (request.method === 'HEAD') response.writeHead(blobs.has(digest) ? 200 : 404).end();
    else if (request.method === 'POST' && searchParams.has('mount')) {
      const mounted = blobs.has(searchParams.get('mount') ?? '');
      response.writeHead(mounted ? 201 : 202, { location: next }).end();
    } else if (request.method === 'POST') response.writeHead(202, { location: next }).end();
    else if (request.method === 'PATCH') {
      received = request.body;
      response.writeHead(202, { location: next }).end();
    } else if (request.method === 'PUT') {
      if (request.headers['content-length'] !== '0') received = request.body;
      const actual = `sha256:${createHash('sha256').update(received).digest('hex')}`;
      if (actual === digest) blobs.set(digest, received);
      response.writeHead(actual === digest ? 201 : 400).end();
    } else response.writeHead(204).end();
  });
  return { ...registry, blobs, seen: registry.seen, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

function client(more: Partial<RegistryOptions> = {}) {
  return createRegistryClient(registryOptions(more));
}

const to = (registry: FaultRegistry, repository = 'app') => ({ registry: registry.host, repository });
const methods = (registry: FaultRegistry) => registry.seen.map((r) => r.method).join(' ');

test('a blob is asked for, opened and sent in one request', async () => {
  await using registry = await takingRegistry();
  const transfers: Transfer[] = [];
  await client({ onTransfer: (t) => transfers.push(t) }).pushBlob(to(registry), blob().blob, never);
  expect(registry.blobs.get(descriptor.digest)).toEqual(bytes);
  expect(methods(registry)).toBe('HEAD POST PUT');
  expect(registry.seen[2]?.headers).toMatchObject({ 'content-length': String(bytes.length), 'content-type': 'application/octet-stream' });
  // The registry's own query stays byte for byte.
  expect(registry.seen[2]?.url).toBe(`/v2/app/blobs/uploads/session?_state=a%2Fb%3D2&digest=${encodeURIComponent(descriptor.digest)}`);
  expect(transfers.at(-1)).toMatchObject({
    direction: 'push',
    label: `${registry.host}/app`,
    bytes: bytes.length,
    totalBytes: bytes.length,
    state: 'done',
  });
});

test('what is there is not sent, and asked for only once', async () => {
  await using registry = await takingRegistry();
  registry.blobs.set(descriptor.digest, bytes);
  const transfers: Transfer[] = [];
  const c = client({ onTransfer: (t) => transfers.push(t) });
  const { state, blob: b } = blob();
  await Promise.all([c.pushBlob(to(registry), b, never), c.pushBlob(to(registry), b, never)]);
  await c.pushBlob(to(registry), b, never);
  expect(methods(registry)).toBe('HEAD');
  expect(state.opened).toBe(0);
  expect(transfers).toEqual([expect.objectContaining({ state: 'exists' })]);
});

test('a blob is mounted from where it came, with the right to read there', async () => {
  const scopes: string[] = [];
  await using registry = await takingRegistry((request, response) => {
    if (request.url.startsWith('/token')) {
      scopes.push(new URL(request.url, 'http://x').searchParams.getAll('scope').join(' '));
      sendJson(response, 200, { token: 't' });
      return true;
    }
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
      return true;
    }
    if (request.method !== 'HEAD') return false;
    response.writeHead(404).end();
    return true;
  });
  registry.blobs.set(descriptor.digest, bytes);
  const { state, blob: b } = blob();
  await client().pushBlob(to(registry), { ...b, origins: [`${registry.host}/base/image`] }, never);
  expect(state.opened).toBe(0);
  expect(registry.seen.at(-1)?.url).toBe(`/v2/app/blobs/uploads/?mount=${descriptor.digest}&from=base%2Fimage`);
  expect(scopes).toEqual(['repository:app:pull,push', 'repository:app:pull,push repository:base/image:pull']);
});

test('a registry that does not mount has opened a session, which is used', async () => {
  await using registry = await takingRegistry();
  await client().pushBlob(to(registry), { ...blob().blob, origins: [`${registry.host}/base`] }, never);
  expect(methods(registry)).toBe('HEAD POST PUT');
  expect(registry.blobs.has(descriptor.digest)).toBe(true);
});

test('a mount that is forbidden becomes an upload', async () => {
  await using registry = await takingRegistry((request, response) => {
    if (!request.url.includes('mount=')) return false;
    response.writeHead(403).end();
    return true;
  });
  await client().pushBlob(to(registry), { ...blob().blob, origins: [`${registry.host}/base`] }, never);
  expect(methods(registry)).toBe('HEAD POST POST PUT');
});

test('blobs of other registries are not mounted', async () => {
  await using registry = await takingRegistry();
  await client().pushBlob(to(registry), { ...blob().blob, origins: ['docker.io/library/debian'] }, never);
  expect(registry.seen[1]?.url).toBe('/v2/app/blobs/uploads/');
});

test('two repositories of one registry get a blob once: the other mounts it', async () => {
  await using registry = await takingRegistry((request, response) => {
    if (request.method !== 'HEAD') return false;
    response.writeHead(404).end();
    return true;
  });
  const c = client();
  const { state, blob: b } = blob();
  await Promise.all([c.pushBlob(to(registry, 'one'), b, never), c.pushBlob(to(registry, 'two'), b, never)]);
  expect(state.opened).toBe(1);
  expect(registry.seen.filter((r) => r.url.includes('mount=')).map((r) => r.url)).toEqual([
    `/v2/two/blobs/uploads/?mount=${descriptor.digest}&from=one`,
  ]);
});

test('a token that expires in the middle of an upload is replaced, and the bytes are sent again', async () => {
  let issued = 0;
  let refused = false;
  await using registry = await takingRegistry((request, response) => {
    if (request.url.startsWith('/token')) {
      sendJson(response, 200, { token: `t${++issued}` });
      return true;
    }
    const stale = request.method === 'PUT' && !refused;
    if (stale) refused = true;
    if (!stale && request.headers.authorization === `Bearer t${issued}`) return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
    return true;
  });
  const { state, blob: b } = blob();
  await client().pushBlob(to(registry), b, never);
  expect(registry.blobs.get(descriptor.digest)).toEqual(bytes);
  expect(issued).toBe(2);
  expect(state.opened).toBe(2);
});

test('an upload that breaks starts again from a new session', async () => {
  let broken = false;
  await using registry = await takingRegistry((request, response) => {
    if (request.method !== 'PUT' || broken) return false;
    broken = true;
    response.socket?.resetAndDestroy();
    return true;
  });
  const { state, blob: b } = blob();
  await client().pushBlob(to(registry), b, never);
  expect(methods(registry)).toBe('HEAD POST PUT POST PUT');
  expect(state.opened).toBe(2);
});

test('a failed upload is tried anew by the next call', async () => {
  let down = true;
  await using registry = await takingRegistry((_, response) => {
    if (!down) return false;
    response.writeHead(500).end();
    return true;
  });
  const c = client();
  await expect(c.pushBlob(to(registry), blob().blob, never)).rejects.toMatchObject({ code: 'REGISTRY_FAILED', status: 500 });
  down = false;
  await c.pushBlob(to(registry), blob().blob, never);
  expect(registry.blobs.has(descriptor.digest)).toBe(true);
});

test('a source that fails fails the push with its own error', async () => {
  await using registry = await takingRegistry();
  const failure = Object.assign(new Error('disk'), { code: 'EIO' });
  const broken = async function* () {
    yield bytes.subarray(0, 1000);
    throw failure;
  };
  const b = { descriptor, open: () => Promise.resolve(Readable.from(broken(), { objectMode: false })) };
  await expect(client().pushBlob(to(registry), b, never)).rejects.toBe(failure);
});

test('an upload sent elsewhere carries no Authorization', async () => {
  await using elsewhere = await takingRegistry();
  await using registry = await takingRegistry((request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    }
    if (request.method !== 'POST') return false;
    response.writeHead(202, { location: `http://${elsewhere.host}/v2/app/blobs/uploads/x` }).end();
    return true;
  });
  const credentials = { find: () => Promise.resolve({ kind: 'password', username: 'u', password: 'p' } as const) };
  await client({ credentials }).pushBlob(to(registry), blob().blob, never);
  expect(elsewhere.blobs.has(descriptor.digest)).toBe(true);
  expect(elsewhere.seen.some((r) => r.headers.authorization !== undefined)).toBe(false);
});

test('a redirected upload is refused', async () => {
  await using registry = await takingRegistry((request, response) => {
    if (request.method !== 'POST') return false;
    response.writeHead(308, { location: '/elsewhere' }).end();
    return true;
  });
  await expect(client().pushBlob(to(registry), blob().blob, never)).rejects.toMatchObject({
    message: expect.stringContaining('redirects a POST'),
  });
});

test('the check opens an upload, cancels it, and is done once', async () => {
  await using registry = await takingRegistry();
  const c = client();
  await Promise.all([c.checkPush(to(registry), never), c.checkPush(to(registry), never)]);
  await expect.poll(() => methods(registry)).toBe('POST DELETE');
});

test('the check fails where pushing is denied, and passes where cancelling is not known', async () => {
  await using denied = await faultRegistry((_, response) =>
    sendJson(response, 403, { errors: [{ code: 'DENIED', message: 'read only' }] }),
  );
  await expect(client().checkPush(to(denied), never)).rejects.toMatchObject({
    code: 'REGISTRY_DENIED',
    message: expect.stringContaining('read only'),
  });
  await using simple = await takingRegistry((request, response) => {
    if (request.method !== 'DELETE') return false;
    response.writeHead(405).end();
    return true;
  });
  await client().checkPush(to(simple), never);
});

test('a blob whose digest is known last is streamed', async () => {
  await using registry = await takingRegistry();
  const upload = await client().blobSink(to(registry)).begin(never);
  for (let at = 0; at < bytes.length; at += 30_000) await upload.write(bytes.subarray(at, at + 30_000));
  await upload.commit(descriptor);
  expect(registry.blobs.get(descriptor.digest)).toEqual(bytes);
  expect(registry.seen[1]?.headers['transfer-encoding']).toBe('chunked');
});

test('a streamed upload that is given up is cancelled', async () => {
  await using registry = await takingRegistry();
  const upload = await client().blobSink(to(registry)).begin(never);
  await upload.write(bytes);
  await upload.abort();
  expect(registry.seen.at(-1)?.method).toBe('DELETE');
  expect(registry.blobs.size).toBe(0);
});

test('a streamed upload that the registry refuses fails', async () => {
  await using registry = await takingRegistry((request, response) => {
    if (request.method !== 'PATCH') return false;
    response.writeHead(403).end();
    return true;
  });
  const upload = await client().blobSink(to(registry)).begin(never);
  await upload.write(bytes);
  await expect(upload.commit(descriptor)).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  await upload.abort();
});

test('a registry that stores another manifest is told on', async () => {
  await using registry = await faultRegistry((_, response) =>
    response.writeHead(201, { 'docker-content-digest': digestOf('other') }).end(),
  );
  const manifest = { bytes: Buffer.from('{}'), descriptor: { mediaType: 'x/y', digest: digestOf('{}'), size: 2 } };
  await expect(client().pushManifest(to(registry), manifest, '1', never)).rejects.toMatchObject({
    message: expect.stringContaining('another manifest'),
  });
  expect(registry.seen[0]).toMatchObject({ method: 'PUT', url: '/v2/app/manifests/1', body: manifest.bytes });
  expect(registry.seen[0]?.headers['content-type']).toBe('x/y');
});

test('an aborted push stops reading', async () => {
  await using registry = await takingRegistry((request) => request.method === 'PUT');
  const controller = new AbortController();
  const reason = new Error('stop');
  setTimeout(() => controller.abort(reason), 50);
  await expect(client().pushBlob(to(registry), blob().blob, controller.signal)).rejects.toBe(reason);
});

test('a refusal in the middle of a body ends the sending', async () => {
  const server = createServer((request, response) => {
    if (request.method === 'HEAD') response.writeHead(404).end();
    else if (request.method === 'POST') response.writeHead(202, { location: '/session' }).end();
    else response.writeHead(403).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let source: Readable | undefined;
  const endless = function* () {
    for (;;) yield bytes;
  };
  const open = (): Promise<Readable> => {
    source = Readable.from(endless(), { objectMode: false });
    return Promise.resolve(source);
  };
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const huge = { descriptor: { ...descriptor, size: 10 ** 12 }, open };
  await expect(client().pushBlob({ registry: host, repository: 'app' }, huge, never)).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
  await expect.poll(() => source?.destroyed).toBe(true);
  server.closeAllConnections();
  server.close();
});
