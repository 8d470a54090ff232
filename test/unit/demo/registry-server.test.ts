import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeBaseImage } from '../../../src/demo/base-image.ts';
import { checkImage, readFileOf } from '../../../src/demo/check-image.ts';
import { pushImage } from '../../../src/demo/push-image.ts';
import { type RegistryServer, startRegistry } from '../../../src/demo/registry-server.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { findProgram } from '../../helpers/tools.ts';

const run = promisify(execFile);
const skopeo = findProgram('skopeo');

let registry: RegistryServer;
let api: (path: string, request?: RequestInit) => Promise<Response>;

beforeEach(async () => {
  registry = await startRegistry();
  api = (path, request) => fetch(`http://${registry.host}/v2/${path}`, request);
});
afterEach(() => registry[Symbol.asyncDispose]());

async function begin(repository = 'a/b'): Promise<string> {
  const answer = await api(`${repository}/blobs/uploads/`, { method: 'POST' });
  expect(answer.status).toBe(202);
  return (answer.headers.get('location') ?? '').replace('/v2/', '');
}

async function pushBlob(text: string, repository = 'a/b'): Promise<string> {
  const digest = digestOf(text);
  const answer = await api(`${await begin(repository)}?digest=${digest}`, { method: 'PUT', body: text });
  expect(answer.status).toBe(201);
  return digest;
}

async function codeOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { errors: { code: string }[] }).errors[0]?.code ?? '';
}

const OCI = 'application/vnd.oci.image.manifest.v1+json';

function manifest(config: string, layers: readonly string[], mediaType = OCI): string {
  const descriptor = (digest: string) => ({ mediaType: 'x/y', digest, size: 1 });
  return JSON.stringify({ schemaVersion: 2, mediaType, config: descriptor(config), layers: layers.map(descriptor) });
}

function putManifest(reference: string, body: string, type = OCI): Promise<Response> {
  return api(`a/b/manifests/${reference}`, { method: 'PUT', body, headers: { 'content-type': type } });
}

describe('blobs', () => {
  test('a blob that was pushed can be asked for and read, from any byte on', async () => {
    const digest = await pushBlob('0123456789');
    const head = await api(`a/b/blobs/${digest}`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), head.headers.get('docker-content-digest')]).toEqual([200, '10', digest]);
    expect(await (await api(`a/b/blobs/${digest}`)).text()).toBe('0123456789');
    const rest = await api(`a/b/blobs/${digest}`, { headers: { range: 'bytes=7-' } });
    expect([rest.status, rest.headers.get('content-range'), await rest.text()]).toEqual([206, 'bytes 7-9/10', '789']);
  });

  test('an empty blob can be pushed and read', async () => {
    const digest = await pushBlob('');
    expect(await (await api(`a/b/blobs/${digest}`)).text()).toBe('');
  });

  test('chunks are put together, and a chunk that does not continue is refused with the range so far', async () => {
    let location = await begin();
    const send = (body: string, range: string) => api(location, { method: 'PATCH', body, headers: { 'content-range': range } });
    const first = await send('abc', '0-2');
    expect([first.status, first.headers.get('range')]).toEqual([202, '0-2']);
    location = (first.headers.get('location') ?? '').replace('/v2/', '');
    const wrong = await send('xyz', '5-7');
    expect([wrong.status, wrong.headers.get('range'), await codeOf(wrong)]).toEqual([416, '0-2', 'BLOB_UPLOAD_INVALID']);
    expect((await send('def', '3-5')).status).toBe(202);
    expect((await api(location)).headers.get('range')).toBe('0-5');
    expect((await api(`${location}?digest=${digestOf('abcdef')}`, { method: 'PUT' })).status).toBe(201);
    expect(await (await api(`a/b/blobs/${digestOf('abcdef')}`)).text()).toBe('abcdef');
  });

  test('one POST with a digest is a whole push', async () => {
    const digest = digestOf('one');
    expect((await api(`a/b/blobs/uploads/?digest=${digest}`, { method: 'POST', body: 'one' })).status).toBe(201);
    expect((await api(`a/b/blobs/${digest}`)).status).toBe(200);
  });

  test('bytes that have another digest are refused and forgotten', async () => {
    const location = await begin();
    const answer = await api(`${location}?digest=${digestOf('right')}`, { method: 'PUT', body: 'wrong' });
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'DIGEST_INVALID']);
    expect((await api(`a/b/blobs/${digestOf('right')}`)).status).toBe(404);
    expect((await api(location)).status).toBe(404);
  });

  test('a blob is seen only in repositories that have it, and is mounted from one that does', async () => {
    const digest = await pushBlob('shared', 'from/here');
    expect((await api(`to/there/blobs/${digest}`)).status).toBe(404);
    const none = await api(`to/there/blobs/uploads/?mount=${digest}&from=not/there`, { method: 'POST' });
    expect(none.status).toBe(202);
    const mounted = await api(`to/there/blobs/uploads/?mount=${digest}&from=from/here`, { method: 'POST' });
    expect([mounted.status, mounted.headers.get('location')]).toEqual([201, `/v2/to/there/blobs/${digest}`]);
    expect(await (await api(`to/there/blobs/${digest}`)).text()).toBe('shared');
  });

  test('an upload can be given up', async () => {
    const location = await begin();
    expect((await api(location, { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(await api(location))).toBe('BLOB_UPLOAD_UNKNOWN');
  });
});

describe('manifests', () => {
  test('a manifest is found by tag and by digest, with its type, and its tag is listed', async () => {
    const body = manifest(await pushBlob('{}'), [await pushBlob('layer')]);
    const put = await putManifest('v1', body);
    expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, digestOf(body)]);
    for (const reference of ['v1', digestOf(body)]) {
      const got = await api(`a/b/manifests/${reference}`);
      expect([await got.text(), got.headers.get('content-type'), got.headers.get('docker-content-digest')]).toEqual([
        body,
        OCI,
        digestOf(body),
      ]);
    }
    expect(await (await api('a/b/tags/list')).json()).toEqual({ name: 'a/b', tags: ['v1'] });
  });

  test.each([
    [
      'a layer that was not pushed',
      404,
      'MANIFEST_BLOB_UNKNOWN',
      async () => putManifest('v1', manifest(await pushBlob('{}'), [digestOf('no')])),
    ],
    ['a digest that is not its own', 400, 'DIGEST_INVALID', async () => putManifest(digestOf('x'), manifest(await pushBlob('{}'), []))],
    [
      'another mediaType than its header',
      400,
      'MANIFEST_INVALID',
      async () => putManifest('v1', manifest(await pushBlob('{}'), [], 'a/b')),
    ],
    ['a type that is no manifest', 415, 'MANIFEST_INVALID', () => putManifest('v1', '{"schemaVersion":2}', 'text/plain')],
    ['no JSON', 400, 'MANIFEST_INVALID', () => putManifest('v1', 'hello')],
    ['schema version 1', 400, 'MANIFEST_INVALID', () => putManifest('v1', '{"schemaVersion":1}')],
    [
      'an index of a manifest that was not pushed',
      404,
      'MANIFEST_BLOB_UNKNOWN',
      () =>
        putManifest(
          'v1',
          JSON.stringify({ schemaVersion: 2, manifests: [{ digest: digestOf('no') }] }),
          'application/vnd.oci.image.index.v1+json',
        ),
    ],
  ])('refuses %s', async (_, status, code, put) => {
    const answer = await put();
    expect([answer.status, await codeOf(answer)]).toEqual([status, code]);
    expect((await api('a/b/manifests/v1')).status).toBe(404);
  });
});

test('what it does not serve is refused, and every answer is recorded', async () => {
  expect((await api('')).status).toBe(200);
  expect((await api('a/b/blobs/sha256:short')).status).toBe(404);
  expect((await api(`a/b/blobs/${digestOf('x')}`, { method: 'DELETE' })).status).toBe(405);
  expect((await api('UPPER/manifests/v1')).status).toBe(404);
  expect(registry.requests.map(({ method, status }) => `${method} ${status}`)).toEqual(['GET 200', 'GET 404', 'DELETE 405', 'GET 404']);
});

test('a test can answer in its place', async () => {
  await using moody = await startRegistry({
    intercept: ({ url }) => (url === '/v2/' ? { status: 503, headers: { 'retry-after': '1' } } : undefined),
  });
  const answer = await fetch(`http://${moody.host}/v2/`);
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
});

test('an image that was pushed is pulled back with every digest right', async () => {
  const place = { host: registry.host, repository: 'demo/base', tag: '1' };
  await pushImage(await makeBaseImage([{ path: '/bin/node', content: { kind: 'link', target: 'other' } }]), place);
  const image = await checkImage(place);
  expect(image.layers).toHaveLength(1);
  expect(await readFileOf(image, 'etc/group')).toBe('root:x:0:\nvisitor:x:1000:\n');
  expect(await readFileOf(image, 'etc/none')).toBeUndefined();
});

test.skipIf(skopeo === undefined)('skopeo copies an image out of it and into it, unchanged', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-skopeo-'));
  try {
    const place = { host: registry.host, repository: 'demo/base', tag: '1' };
    await pushImage(await makeBaseImage([]), place);
    const { digest } = await checkImage(place);
    const options = ['--insecure-policy', 'copy', '--preserve-digests'];
    await run(skopeo ?? '', [...options, '--src-tls-verify=false', `docker://${registry.host}/demo/base:1`, `oci:${folder}/layout:1`]);
    const index = JSON.parse(readFileSync(join(folder, 'layout', 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    expect(index.manifests[0]?.digest).toBe(digest);
    await run(skopeo ?? '', [...options, '--dest-tls-verify=false', `oci:${folder}/layout:1`, `docker://${registry.host}/copy/of:2`]);
    expect((await checkImage({ host: registry.host, repository: 'copy/of', tag: '2' })).digest).toBe(digest);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
