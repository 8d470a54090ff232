/** The registry client, source and sinks against Debian's docker-registry, with skopeo and umoci as witnesses. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registrySource } from '../../src/base-image/registry-source.ts';
import { diskStore } from '../../src/blob/disk-store.ts';
import { parseReference } from '../../src/image/reference.ts';
import { registrySink } from '../../src/output/registry-sink.ts';
import { createRegistryClient } from '../../src/registry/create-client.ts';
import { dockerCredentials } from '../../src/registry/credentials.ts';
import type { RegistryOptions } from '../../src/registry/registry-options.ts';
import { type DockerRegistry, hasDockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { sha256Of, testImage, testLayer } from '../helpers/test-image.ts';

const run = promisify(execFile);
const hasSkopeo = spawnSync('skopeo', ['--version']).status === 0;
const never = new AbortController().signal;
const AMD64 = { os: 'linux', architecture: 'amd64' };

function options(more: Partial<RegistryOptions> = {}): RegistryOptions {
  const transport = { http: 'https-only', certificates: 'verify' } as const;
  return {
    push: transport,
    pull: transport,
    httpHosts: [],
    unverifiedHosts: [],
    mirrors: [],
    credentials: dockerCredentials([], {}),
    ...more,
  };
}

const skipped = hasDockerRegistry && hasSkopeo ? '' : ' (skipped: docker-registry or skopeo is not installed)';

describe.skipIf(skipped !== '')(`against docker-registry${skipped}`, () => {
  let registry: DockerRegistry;
  let folder: string;

  beforeAll(async () => {
    registry = await startDockerRegistry();
    folder = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const at = (name: string) => parseReference(`${registry.host}/${name}`);
  const newStore = async () => {
    const root = await mkdtemp(join(folder, 'store-'));
    return diskStore(root, join(root, 'tmp'));
  };

  test('pushes an image that skopeo finds to be whole, and pulls it again', async () => {
    const layers = [await testLayer({ bytes: 3_000_000 }), await testLayer({ name: 'other' })];
    const image = testImage(layers);
    const client = createRegistryClient(options());
    const sink = registrySink({ client, destination: at('first:one') });
    await sink.check(never);
    sink.offer(layers[0] as never, never);
    const published = await sink.write(image, never);
    expect(published.where).toBe(`${registry.host}/first:one`);

    const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', `docker://${registry.host}/first:one`]);
    expect(JSON.parse(stdout)).toMatchObject({
      Digest: published.digest,
      Layers: layers.map((l) => l.descriptor.digest),
      Labels: { a: '1', b: '2' },
    });
    await run('skopeo', ['copy', '--src-tls-verify=false', `docker://${registry.host}/first:one`, `oci:${folder}/copied:one`]);

    const base = await registrySource({ client, store: await newStore() }).resolve(`${registry.host}/first:one`, AMD64, never);
    expect(base.digest).toBe(published.digest);
    expect(base.config).toEqual(image.config);
    for (const layer of base.layers) expect(await sha256Of(await layer.open(never))).toBe(layer.descriptor.digest);
    client.close();
  });
});
