/** Registries and folders that are down, slow, closed or damaged: each is a warning and a miss, within its time. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { diskStore } from '../../../src/blob/disk-store.ts';
import { encodeDocument } from '../../../src/cache/cache-document.ts';
import { encodeEntry } from '../../../src/cache/cache-entry.ts';
import type { CachePlace } from '../../../src/cache/cache-place.ts';
import { exportedStepCache } from '../../../src/cache/exported-step-cache.ts';
import { CACHE_LIMITS, forgivingStepCache } from '../../../src/cache/forgiving-step-cache.ts';
import { importedStepCache } from '../../../src/cache/imported-step-cache.ts';
import { keyedStepCache } from '../../../src/cache/keyed-step-cache.ts';
import { layoutPlace } from '../../../src/cache/layout-place.ts';
import { registryPlace } from '../../../src/cache/registry-place.ts';
import type { StepCache } from '../../../src/cache/step-cache.ts';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import { createRegistryClient } from '../../../src/registry/create-client.ts';
import { bytesOf, madeStep, newKey } from '../../contract/step-cache-contract.ts';
import { startDockerRegistry } from '../../helpers/docker-registry.ts';
import { type Answer, faultRegistry, registryOptions, type Seen, sendJson } from '../../helpers/fault-registry.ts';

const never = new AbortController().signal;
let folder: string;
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tsbuild-cache-faults-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => rm(folder, { recursive: true }));

async function repositoryAt(host: string): Promise<CachePlace> {
  const client = createRegistryClient(registryOptions());
  closing.push(() => client.close());
  const store = await mkdtemp(join(folder, 'store-'));
  return registryPlace({ client, store: diskStore(store, join(store, 'tmp')), repository: { registry: host, repository: 'app/cache' } });
}

async function answering(answer: Answer): Promise<{ readonly place: CachePlace; readonly seen: readonly Seen[] }> {
  const registry = await faultRegistry(answer);
  closing.push(() => registry[Symbol.asyncDispose]());
  return { place: await repositoryAt(registry.host), seen: registry.seen };
}

const keyed = (place: CachePlace, now = new Date()): StepCache =>
  keyedStepCache({ place, ttlMs: 3_600_000, access: 'read and write', now: () => now });

function forgiven(cache: StepCache): { readonly cache: StepCache; readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  const limits = { ...CACHE_LIMITS, lookUpMs: 1000, finishMs: 1000 };
  return { cache: forgivingStepCache(cache, { warn: (message) => warnings.push(message), limits }), warnings };
}

/** Asks for twenty steps and keeps one. */
async function build({ cache }: { readonly cache: StepCache }): Promise<number> {
  const begin = performance.now();
  const found = await Promise.all(Array.from({ length: 20 }, () => cache.find(newKey(), 'run', never)));
  expect(found).toEqual(Array(20).fill(null));
  const kept = madeStep({}).then((step) => cache.keep(step, never));
  await Promise.all([kept, kept.then(() => cache.finish(never))]);
  return performance.now() - begin;
}

const kinds: readonly (readonly [string, (place: CachePlace) => StepCache])[] = [
  ['one by one', keyed],
  ['as one image', (place) => importedStepCache({ place, name: 'latest' })],
];

describe.each(kinds)('steps that are kept %s', (_, make) => {
  test('in a registry that is down are missed with one warning', async () => {
    const down = forgiven(make(await repositoryAt('127.0.0.1:1')));
    await build(down);
    expect(down.warnings).toEqual([
      expect.stringMatching(/^no steps are taken from the cache 127\.0\.0\.1:1\/app\/cache.*cannot reach 127\.0\.0\.1:1/),
    ]);
  });

  test('in a registry that never answers are missed with one warning, in time', async () => {
    const { place } = await answering(() => undefined);
    const slow = forgiven(make(place));
    expect(await build(slow)).toBeLessThan(5000);
    expect(slow.warnings).toEqual([expect.stringContaining('it took longer than 1 s')]);
  });

  test('in a registry that only fails are missed with one warning', async () => {
    const { place } = await answering((_request, response) =>
      sendJson(response, 500, { errors: [{ code: 'UNKNOWN', message: 'no disk' }] }),
    );
    const failing = forgiven(make(place));
    await build(failing);
    expect(failing.warnings).toEqual([expect.stringContaining('500: no disk')]);
  });

  test.each([
    ['a web page', '<html>', 'text/html'],
    ['half a manifest', '{"schemaVersion": 2, "lay', 'application/vnd.oci.image.manifest.v1+json'],
    ['another document', '{"schemaVersion": 2, "layers": {}, "config": 3}', 'application/vnd.oci.image.manifest.v1+json'],
  ])('in a registry that answers with %s are missed with a warning', async (_name, body, type) => {
    const { place } = await answering((_request, response) => response.writeHead(200, { 'content-type': type }).end(body));
    const { cache, warnings } = forgiven(make(place));
    expect(await cache.find(newKey(), 'run', never)).toBeNull();
    expect(warnings).toEqual([expect.stringContaining('counts as missing')]);
  });

  test('in a registry that sends a manifest without end are missed with a warning', async () => {
    const { place } = await answering((_request, response) => {
      const more = (): void => void response.write(Buffer.alloc(1 << 20, ' '), (error) => error == null && more());
      response.writeHead(200, { 'content-type': 'application/json' });
      more();
    });
    const { cache, warnings } = forgiven(make(place));
    expect(await cache.find(newKey(), 'run', never)).toBeNull();
    expect(warnings).toHaveLength(1);
  });
});

test('steps are missed whose blob is gone', async () => {
  const step = await madeStep({});
  const { manifest } = encodeEntry(step, new Date());
  const { place } = await answering(({ url }, response) =>
    url.includes('/manifests/') ? sendManifest(response, manifest.bytes) : sendJson(response, 404, {}),
  );
  const { cache, warnings } = forgiven(keyed(place));
  expect(await cache.find(step.key, 'run', never)).toBeNull();
  expect(warnings).toEqual([]);
});

test('a layer with other bytes than its digest says fails when it is read', async () => {
  const step = await madeStep({});
  const { manifest } = encodeEntry(step, new Date());
  const other = Buffer.from(step.bytes).fill(0, 0, 10);
  const { place } = await answering(({ url, method }, response) => {
    if (url.includes('/manifests/')) sendManifest(response, manifest.bytes);
    else response.writeHead(200, { 'content-length': other.length }).end(method === 'HEAD' ? undefined : other);
  });
  const found = await keyed(place).find(step.key, 'run', never);
  await expect(bytesOf(found?.layer)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
});

test('a config that says it is huge is not fetched', async () => {
  const { manifest } = encodeDocument([await madeStep({})]);
  const huge = JSON.parse(Buffer.from(manifest.bytes).toString()) as { config: { size: number } };
  huge.config.size = 1 << 30;
  const { place, seen } = await answering((_request, response) => sendManifest(response, Buffer.from(JSON.stringify(huge))));
  const { cache, warnings } = forgiven(importedStepCache({ place, name: 'latest' }));
  expect(await cache.find(newKey(), 'run', never)).toBeNull();
  expect(warnings).toEqual([expect.stringContaining('its config has 1073741824 bytes')]);
  expect(seen.filter(({ url }) => url.includes('/blobs/'))).toEqual([]);
});

test('a registry that may be read but not written to answers steps, and says once that it keeps none', async () => {
  const known = await madeStep({});
  const { manifest } = encodeEntry(known, new Date());
  const { place, seen } = await answering(({ method, url }, response) => {
    if (method !== 'GET' && method !== 'HEAD') sendJson(response, 403, { errors: [{ code: 'DENIED', message: 'read only' }] });
    else if (url.endsWith(hexOf(known.key))) sendManifest(response, manifest.bytes);
    else if (url.endsWith(known.layer.descriptor.digest)) response.writeHead(200).end();
    else sendJson(response, 404, {});
  });
  const { cache, warnings } = forgiven(keyed(place));
  expect(await cache.find(known.key, 'run', never)).not.toBeNull();
  await cache.keep(known, never);
  expect(seen.filter(({ method }) => method === 'POST')).toEqual([]);
  for (let i = 0; i < 3; i++) await cache.keep(await madeStep({}), never);
  await cache.finish(never);
  expect(warnings).toEqual([expect.stringMatching(/^steps are not kept in the cache .*403: read only/)]);
  expect(await cache.find(known.key, 'run', never)).not.toBeNull();
});

test('an export into a folder that cannot be one is one warning', async () => {
  const taken = join(folder, 'taken');
  await mkdir(taken);
  await writeFile(join(taken, 'thesis.txt'), 'precious');
  const { cache, warnings } = forgiven(exportedStepCache({ place: layoutPlace(taken), tag: 'latest', mode: 'max' }));
  await cache.keep(await madeStep({}), never);
  await cache.finish(never);
  expect(warnings).toEqual([expect.stringContaining('is not empty and not an OCI image layout')]);
});

test('an import from a layout with a damaged index is missed with a warning, and from none without', async () => {
  const damaged = join(folder, 'damaged');
  await mkdir(damaged);
  await writeFile(join(damaged, 'index.json'), '{"manifests": [{"digest": "../../../etc/passwd", "mediaType": "x", "size": 1}]}');
  const bad = forgiven(importedStepCache({ place: layoutPlace(damaged), name: 'latest' }));
  expect(await bad.cache.find(newKey(), 'run', never)).toBeNull();
  expect(bad.warnings).toHaveLength(1);
  const none = forgiven(importedStepCache({ place: layoutPlace(join(folder, 'none')), name: 'latest' }));
  expect(await none.cache.find(newKey(), 'run', never)).toBeNull();
  expect(none.warnings).toEqual([]);
});

test('a step is too old when its time is over, whenever it ran, and is then kept anew', async () => {
  const place = layoutPlace(join(folder, 'ttl'));
  const step = await madeStep({});
  const at = (minutes: number): StepCache => keyed(place, new Date(Date.UTC(2030, 0, 1, 0, minutes)));
  await at(0).keep(step, never);
  expect(await at(59).find(step.key, 'run', never)).not.toBeNull();
  const late = at(61);
  expect(await late.find(step.key, 'run', never)).toBeNull();
  await late.keep(step, never);
  expect(await at(120).find(step.key, 'run', never)).not.toBeNull();
  expect(await keyedStepCache({ place, ttlMs: 0, access: 'read', now: () => new Date(0) }).find(step.key, 'run', never)).toBeNull();
});

test('a cache that is only read keeps nothing', async () => {
  const place = layoutPlace(join(folder, 'read'));
  const step = await madeStep({});
  await keyedStepCache({ place, ttlMs: 1000, access: 'read', now: () => new Date() }).keep(step, never);
  expect(await keyed(place).find(step.key, 'run', never)).toBeNull();
});

test('mode=min exports the steps of the image, mode=max those of all stages', async () => {
  const [own, other] = [await madeStep({}), await madeStep({ serves: 'other' })];
  for (const mode of ['min', 'max'] as const) {
    const place = layoutPlace(join(folder, mode));
    const cache = exportedStepCache({ place, tag: 'latest', mode });
    for (const step of [own, other]) await cache.keep(step, never);
    await cache.finish(never);
    const found = importedStepCache({ place, name: 'latest' });
    expect(await found.find(own.key, 'run', never)).not.toBeNull();
    expect((await found.find(other.key, 'run', never)) === null).toBe(mode === 'min');
  }
});

test('skopeo reads what is kept, and a hit can be mounted from where it is', async () => {
  await using registry = await startDockerRegistry();
  const place = await repositoryAt(registry.host);
  const step = await madeStep({});
  await keyed(place).keep(step, never);
  const exported = exportedStepCache({ place, tag: 'all', mode: 'max' });
  await exported.keep(step, never);
  await exported.finish(never);
  for (const tag of [hexOf(step.key), 'all']) {
    const image = `docker://${registry.host}/app/cache:${tag}`;
    const { stdout } = await promisify(execFile)('skopeo', ['inspect', '--tls-verify=false', image]);
    expect(JSON.parse(stdout)).toMatchObject({ Layers: [step.layer.descriptor.digest] });
  }
  const found = await keyed(await repositoryAt(registry.host)).find(step.key, 'run', never);
  expect(found?.layer.origins).toEqual([`${registry.host}/app/cache`]);
});

function sendManifest(response: ServerResponse, bytes: Uint8Array): void {
  response
    .writeHead(200, { 'content-type': 'application/vnd.oci.image.manifest.v1+json', 'docker-content-digest': digestOf(bytes) })
    .end(bytes);
}
