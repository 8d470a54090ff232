import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/image/digest.ts';
import { OCI_MANIFEST } from '../../../src/image/media-types.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { createRegistryClient } from '../../../src/registry/create-client.ts';
import type { Credential } from '../../../src/registry/credential.ts';
import type { RegistryError } from '../../../src/registry/registry-error.ts';
import type { RegistryOptions } from '../../../src/registry/registry-options.ts';
import { type Answer, type FaultRegistry, faultRegistry, registryOptions, sendJson } from '../../helpers/fault-registry.ts';
import { sha256Of } from '../../helpers/test-image.ts';

const never = new AbortController().signal;
const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST });
const blob = randomBytes(300_000);
const descriptor = { mediaType: 'application/octet-stream', digest: digestOf(blob), size: blob.length };

function client(more: Partial<RegistryOptions> = {}) {
  return createRegistryClient(registryOptions(more));
}

function withCredential(credential: Credential): Partial<RegistryOptions> {
  return { credentials: { find: () => Promise.resolve(credential) } };
}

function sendManifest(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': OCI_MANIFEST, 'docker-content-digest': digestOf(MANIFEST) }).end(MANIFEST);
}

function reference(registry: FaultRegistry, name = 'app:1') {
  return parseReference(`${registry.host}/${name}`);
}

async function failure(work: Promise<unknown>): Promise<RegistryError> {
  return (await work.then(
    () => {
      throw new Error('it worked');
    },
    (error: unknown) => error,
  )) as RegistryError;
}

describe('authorization', () => {
  /** A registry with a token server: tokens are `<scopes>#<count>`, and only the newest is valid. */
  async function bearerRegistry(answer: Answer = (_, response) => sendManifest(response), life = 300) {
    let count = 0;
    const valid = new Set<string>();
    const registry: FaultRegistry = await faultRegistry((request, response) => {
      const url = new URL(request.url, 'http://x');
      if (url.pathname === '/token') {
        const scopes =
          request.method === 'POST'
            ? new URLSearchParams(request.body.toString()).get('scope')
            : url.searchParams.getAll('scope').join(' ');
        const token = Buffer.from(`${scopes}#${++count}`).toString('base64url');
        valid.clear();
        valid.add(`Bearer ${token}`);
        sendJson(response, 200, { token, expires_in: life });
        return;
      }
      if (valid.has(request.headers.authorization ?? '')) return answer(request, response);
      const challenge = `Bearer realm="http://${registry.host}/token",service="the, registry",scope="repository:app:pull"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
    });
    return { registry, revoke: () => valid.clear(), tokens: () => count };
  }

  test('a token is asked for with service and scope, and used until it expires', async () => {
    const { registry, tokens } = await bearerRegistry();
    await using _ = registry;
    const c = client();
    await c.getManifest(reference(registry), never);
    await c.getManifest(reference(registry), never);
    expect(registry.seen.map((r) => `${r.method} ${r.url.split('?')[0]}`)).toEqual([
      'GET /v2/app/manifests/1',
      'GET /token',
      'GET /v2/app/manifests/1',
      'GET /v2/app/manifests/1',
    ]);
    const query = new URL(registry.seen[1]?.url ?? '', 'http://x').searchParams;
    expect(query.get('service')).toBe('the, registry');
    expect(query.get('scope')).toBe('repository:app:pull');
    expect(tokens()).toBe(1);
  });

  test('an expired token is replaced before it is used', async () => {
    const { registry, tokens } = await bearerRegistry(undefined, 0.01);
    await using _ = registry;
    const c = client();
    await c.getManifest(reference(registry), never);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await c.getManifest(reference(registry), never);
    expect(tokens()).toBe(2);
    expect(registry.seen).toHaveLength(5);
  });

  test('a token that was revoked is replaced once', async () => {
    const { registry, revoke, tokens } = await bearerRegistry();
    await using _ = registry;
    const c = client();
    await c.getManifest(reference(registry), never);
    revoke();
    await c.getManifest(reference(registry), never);
    expect(tokens()).toBe(2);
  });

  test('many requests at once share one token', async () => {
    const { registry, tokens } = await bearerRegistry();
    await using _ = registry;
    const c = client();
    await c.getManifest(reference(registry), never);
    await Promise.all([1, 2, 3, 4].map(() => c.getManifest(parseReference(`${registry.host}/other:1`), never)));
    expect(tokens()).toBe(2);
  });

  test('a password goes to the token server only', async () => {
    const { registry } = await bearerRegistry();
    await using _ = registry;
    await client(withCredential({ kind: 'password', username: 'u', password: 'p:q' })).getManifest(reference(registry), never);
    const basic = `Basic ${Buffer.from('u:p:q').toString('base64')}`;
    expect(registry.seen.map((r) => r.headers.authorization === basic)).toEqual([false, true, false]);
  });

  test('an identity token is exchanged by POST', async () => {
    const { registry } = await bearerRegistry();
    await using _ = registry;
    await client(withCredential({ kind: 'identity-token', username: 'u', token: 'refresh' })).getManifest(reference(registry), never);
    const form = new URLSearchParams(registry.seen[1]?.body.toString());
    expect(registry.seen[1]?.method).toBe('POST');
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'refresh',
      scope: 'repository:app:pull',
      client_id: 'tsbuild',
    });
  });

  test('a registry token is sent as it is', async () => {
    await using registry = await faultRegistry((request, response) => {
      if (request.headers.authorization === 'Bearer given') sendManifest(response);
      else response.writeHead(401, { 'www-authenticate': 'Bearer realm="http://127.0.0.1:1/token"' }).end();
    });
    expect((await client(withCredential({ kind: 'registry-token', token: 'given' })).getManifest(reference(registry), never)).digest).toBe(
      digestOf(MANIFEST),
    );
  });

  test('basic authentication is offered only after it was asked for', async () => {
    await using registry = await faultRegistry((request, response) => {
      if (request.headers.authorization === `Basic ${Buffer.from('u:p').toString('base64')}`) sendManifest(response);
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    const c = client(withCredential({ kind: 'password', username: 'u', password: 'p' }));
    await c.getManifest(reference(registry), never);
    await c.getManifest(reference(registry), never);
    expect(registry.seen.map((r) => r.headers.authorization !== undefined)).toEqual([false, true, true]);
  });

  test('a refusal is REGISTRY_DENIED and says that no credentials were found', async () => {
    await using registry = await faultRegistry((_, response) => {
      sendJson(
        response,
        401,
        { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] },
        { 'www-authenticate': 'Basic realm="x"' },
      );
    });
    const error = await failure(client().getManifest(reference(registry), never));
    expect(error).toMatchObject({ code: 'REGISTRY_DENIED', status: 401, registryCodes: ['UNAUTHORIZED'], retryable: false });
    expect(error.message).toContain('authentication required');
    expect(error.hint).toContain('docker login');
    expect(registry.seen).toHaveLength(2);
  });

  test('a token server that is not HTTP is not asked', async () => {
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="file:///etc/passwd"' }).end();
    });
    await expect(client().getManifest(reference(registry), never)).rejects.toMatchObject({ code: 'REGISTRY_FAILED' });
  });

  test('a redirect to another host is followed without Authorization', async () => {
    await using store = await faultRegistry((_, response) => response.writeHead(200).end(blob));
    await using registry = await faultRegistry((request, response) => {
      if (request.headers.authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      else response.writeHead(307, { location: `http://${store.host}/object?signature=abc` }).end();
    });
    const c = client(withCredential({ kind: 'password', username: 'u', password: 'p' }));
    const stream = await c.openBlob({ registry: registry.host, repository: 'app' }, descriptor, never);
    expect(await sha256Of(stream)).toBe(descriptor.digest);
    expect(store.seen[0]?.url).toBe('/object?signature=abc');
    expect(store.seen[0]?.headers.authorization).toBeUndefined();
    expect(registry.seen.at(-1)?.headers.authorization).toBeDefined();
  });

  test('redirects that never end are given up', async () => {
    await using registry = await faultRegistry((request, response) => response.writeHead(302, { location: `${request.url}x` }).end());
    await expect(client().getManifest(reference(registry), never)).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      message: expect.stringContaining('more than 5'),
    });
  });
});

describe('manifests', () => {
  test('by a digest that the bytes do not have is BLOB_DIGEST_MISMATCH', async () => {
    await using registry = await faultRegistry((_, response) => sendManifest(response));
    const ref = { ...reference(registry), digest: digestOf('other') };
    await expect(client().getManifest(ref, never)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
  });

  test('by a tag must have the digest that the registry states', async () => {
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(200, { 'docker-content-digest': digestOf('other') }).end(MANIFEST);
    });
    await expect(client().getManifest(reference(registry), never)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
  });

  test('of more than 4 MiB are not read to their end', async () => {
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(200);
      const send = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', send);
      send();
    });
    await expect(client().getManifest(reference(registry), never)).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      message: expect.stringContaining('4194304'),
    });
  });

  test('a missing one names the reference and what the registry said', async () => {
    await using registry = await faultRegistry((_, response) =>
      sendJson(response, 404, { errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }),
    );
    const error = await failure(client().getManifest(reference(registry), never));
    expect(error.message).toBe(`cannot pull ${registry.host}/app:1: ${registry.host} answered 404: manifest unknown`);
    expect(error).toMatchObject({ code: 'REGISTRY_FAILED', status: 404, retryable: false });
  });

  test('an error page is not shown, and control characters do not reach the terminal', async () => {
    await using registry = await faultRegistry((request, response) => {
      if (request.url.includes('/html/')) response.writeHead(502, { 'content-type': 'text/html' }).end('<html>\u001b[2J</html>');
      else response.writeHead(400, { 'content-type': 'text/plain' }).end('bad\u001b[2J\nrequest');
    });
    expect((await failure(client().getManifest(reference(registry, 'html:1'), never))).message).toContain(
      'answered 502: a web page, not a registry',
    );
    expect((await failure(client().getManifest(reference(registry, 'text:1'), never))).message).toMatch(/answered 400: bad \[2J request$/);
  });

  test('endless error pages end at 64 KiB', async () => {
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(400, { 'content-type': 'text/plain' });
      const send = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', send);
      send();
    });
    expect((await failure(client().getManifest(reference(registry), never))).status).toBe(400);
  });
});

describe('trying again', () => {
  test('429 is tried again after what Retry-After says', async () => {
    let first = true;
    await using registry = await faultRegistry((_, response) => {
      if (first) response.writeHead(429, { 'retry-after': '1' }).end();
      else sendManifest(response);
      first = false;
    });
    const start = performance.now();
    await client().getManifest(reference(registry), never);
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  test('connections that are reset and answers of 503 are tried again', async () => {
    let count = 0;
    await using registry = await faultRegistry((_, response) => {
      count++;
      if (count === 1) response.socket?.resetAndDestroy();
      else if (count === 2) response.writeHead(503).end();
      else sendManifest(response);
    });
    await client().getManifest(reference(registry), never);
    expect(count).toBe(3);
  });

  test('no answer at all is a time-out, tried again, then REGISTRY_FAILED', async () => {
    let count = 0;
    await using registry = await faultRegistry(() => {
      count++;
    });
    const limits = { connectMs: 150, answerMs: 150, commitMs: 150, idleMs: 150 };
    await expect(client({ timeLimits: limits }).getManifest(reference(registry), never)).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      message: expect.stringContaining('did not answer'),
      status: null,
    });
    expect(count).toBe(3);
  });

  test('nobody listening is told as such', async () => {
    const registry = await faultRegistry(() => undefined);
    const ref = reference(registry);
    await registry[Symbol.asyncDispose]();
    await expect(client().getManifest(ref, never)).rejects.toMatchObject({
      message: `cannot reach ${registry.host}: it refuses connections`,
    });
  });

  test('an abort ends a request with its reason', async () => {
    await using registry = await faultRegistry(() => undefined);
    const controller = new AbortController();
    const reason = new Error('stop');
    setTimeout(() => controller.abort(reason), 30);
    await expect(client().getManifest(reference(registry), controller.signal)).rejects.toBe(reason);
  });
});

describe('blobs', () => {
  const from = (registry: FaultRegistry) => ({ registry: registry.host, repository: 'app' });
  const range = (header: string | undefined): number => Number(/^bytes=(\d+)-$/.exec(header ?? '')?.[1] ?? 0);
  const part = (response: ServerResponse, start: number, headers = {}) =>
    response.writeHead(start === 0 ? 200 : 206, {
      'content-length': blob.length - start,
      ...(start === 0 ? {} : { 'content-range': `bytes ${start}-${blob.length - 1}/${blob.length}` }),
      ...headers,
    });

  test('a body that breaks off is taken up where it broke', async () => {
    await using registry = await faultRegistry((request, response) => {
      const start = range(request.headers.range);
      part(response, start);
      response.write(blob.subarray(start, start + 100_000), () => {
        if (start + 100_000 >= blob.length) response.end();
        else response.socket?.destroy();
      });
    });
    expect(await sha256Of(await client().openBlob(from(registry), descriptor, never))).toBe(descriptor.digest);
    expect(registry.seen.map((r) => range(r.headers.range))[0]).toBe(0);
    expect(range(registry.seen.at(-1)?.headers.range)).toBeGreaterThan(0);
  });

  test('a server without ranges sends all again, and what is known is skipped', async () => {
    let first = true;
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(200, { 'content-length': blob.length });
      if (!first) return void response.end(blob);
      first = false;
      response.write(blob.subarray(0, 100_000), () => response.socket?.destroy());
    });
    expect(await sha256Of(await client().openBlob(from(registry), descriptor, never))).toBe(descriptor.digest);
    expect(registry.seen).toHaveLength(2);
  });

  test('a body that stalls is taken up too', async () => {
    await using registry = await faultRegistry((request, response) => {
      const start = range(request.headers.range);
      part(response, start);
      if (start === 0) response.write(blob.subarray(0, 100_000));
      else response.end(blob.subarray(start));
    });
    const slow = client({ timeLimits: { idleMs: 60 } });
    expect(await sha256Of(await slow.openBlob(from(registry), descriptor, never))).toBe(descriptor.digest);
  });

  test('a slow reader is not taken for a stalled registry', async () => {
    await using registry = await faultRegistry((_, response) => {
      part(response, 0);
      response.end(blob);
    });
    const stream = await client({ timeLimits: { idleMs: 500 } }).openBlob(from(registry), descriptor, never);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(await sha256Of(stream)).toBe(descriptor.digest);
    expect(registry.seen).toHaveLength(1);
  });

  test.each([
    ['other bytes', Buffer.alloc(blob.length)],
    ['more bytes', Buffer.concat([blob, Buffer.alloc(1)])],
  ])('%s are BLOB_DIGEST_MISMATCH', async (_, bytes) => {
    await using registry = await faultRegistry((_request, response) => response.writeHead(200).end(bytes));
    await expect(sha256Of(await client().openBlob(from(registry), descriptor, never))).rejects.toMatchObject({
      code: 'BLOB_DIGEST_MISMATCH',
    });
  });

  test('an endless body is cut off', async () => {
    await using registry = await faultRegistry((_, response) => {
      response.writeHead(200);
      const send = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', send);
      send();
    });
    await expect(sha256Of(await client().openBlob(from(registry), descriptor, never))).rejects.toMatchObject({
      code: 'BLOB_DIGEST_MISMATCH',
    });
  });

  test('a body that always ends early is given up', async () => {
    await using registry = await faultRegistry((_, response) => response.writeHead(200).end(blob.subarray(0, 10)));
    await expect(sha256Of(await client().openBlob(from(registry), descriptor, never))).rejects.toMatchObject({ code: 'REGISTRY_FAILED' });
    expect(registry.seen.length).toBeLessThan(8);
  });

  test('a missing blob is BLOB_NOT_FOUND', async () => {
    await using registry = await faultRegistry((_, response) => sendJson(response, 404, { errors: [{ code: 'BLOB_UNKNOWN' }] }));
    await expect(client().openBlob(from(registry), descriptor, never)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  });

  test('an abort ends a download with its reason', async () => {
    await using registry = await faultRegistry((_, response) => {
      part(response, 0);
      response.write(blob.subarray(0, 1000));
    });
    const controller = new AbortController();
    const stream = await client().openBlob(from(registry), descriptor, controller.signal);
    const reason = new Error('stop');
    setTimeout(() => controller.abort(reason), 30);
    await expect(sha256Of(stream)).rejects.toBe(reason);
  });

  test('foreign layers come from their own addresses, without credentials', async () => {
    await using elsewhere = await faultRegistry((_, response) => response.writeHead(200).end(blob));
    await using registry = await faultRegistry((_, response) => response.writeHead(404).end());
    const foreign = {
      ...descriptor,
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      urls: [`http://${elsewhere.host}/layer`],
    };
    expect(await sha256Of(await client().openBlob(from(registry), foreign, never))).toBe(descriptor.digest);
    expect(registry.seen).toHaveLength(0);
  });
});

describe('mirrors', () => {
  test('what the first mirror lacks comes from the next', async () => {
    await using empty = await faultRegistry((_, response) => response.writeHead(404).end());
    await using full = await faultRegistry((request, response) => {
      if (request.url.includes('/manifests/')) sendManifest(response);
      else response.writeHead(200).end(blob);
    });
    const c = client({ mirrors: [empty.host, `${full.host}/hub`], hubAfterMirrors: 'never' });
    const ref = parseReference('app:1');
    expect(await c.findDigest(ref, never)).toEqual({ digest: digestOf(MANIFEST), origin: `${full.host}/hub/library/app` });
    expect((await c.getManifest(ref, never)).origin).toBe(`${full.host}/hub/library/app`);
    expect(await sha256Of(await c.openBlob(ref, descriptor, never))).toBe(descriptor.digest);
    expect(full.seen.map((r) => r.url)).toContain('/v2/hub/library/app/manifests/1');
  });

  test('when all fail, all answers are told', async () => {
    await using one = await faultRegistry((_, response) => sendJson(response, 404, { errors: [{ message: 'never heard of it' }] }));
    await using two = await faultRegistry((_, response) => sendJson(response, 403, { errors: [{ message: 'not for you' }] }));
    const error = await failure(
      client({ mirrors: [one.host, two.host], hubAfterMirrors: 'never' }).getManifest(parseReference('app:1'), never),
    );
    expect(error.code).toBe('REGISTRY_DENIED');
    expect(error.message).toContain('not for you');
    expect(error.message).toContain('never heard of it');
  });
});
