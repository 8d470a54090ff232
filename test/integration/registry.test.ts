/** The registry client, source and sinks against Debian's docker-registry, with skopeo as witness. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registrySource } from '../../src/base-image/registry-source.ts';
import type { Transfer } from '../../src/blob/blob.ts';
import { diskStore } from '../../src/blob/disk-store.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { Layer } from '../../src/image/image.ts';
import type { ImageFormat } from '../../src/image/media-types.ts';
import { parseReference } from '../../src/image/reference.ts';
import { registrySink } from '../../src/output/registry-sink.ts';
import { createRegistryClient } from '../../src/registry/create-client.ts';
import type { RegistryOptions } from '../../src/registry/registry-options.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { registryOptions } from '../helpers/fault-registry.ts';
import { sha256Of, testImage, testLayer } from '../helpers/test-image.ts';
import { missing } from '../helpers/tools.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const AMD64 = { os: 'linux', architecture: 'amd64' };
const reason = missing(['docker-registry', 'skopeo', 'umoci']);
const because = reason === undefined ? '' : ` (skipped: ${reason})`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const newStore = async () => {
  const root = await mkdtemp(join(folder, 'store-'));
  return diskStore(root, join(root, 'tmp'));
};
const newClient = (more: Partial<RegistryOptions> = {}) => createRegistryClient(registryOptions(more));
const inspect = async (reference: string, ...flags: string[]) => {
  const { stdout } = await run('skopeo', ['inspect', '--tls-verify=false', ...flags, `docker://${reference}`]);
  return JSON.parse(stdout) as { Digest: string; Layers: string[]; Labels: Record<string, string> };
};

describe.skipIf(reason !== undefined)(`an open registry${because}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  const at = (name: string) => parseReference(`${registry.host}/${name}`);

  test('skopeo finds an index of several images, copies all of it and picks by platform', async () => {
    const layers = [await testLayer(), await testLayer()];
    const images = [testImage(layers), testImage(layers.slice(1), { format: 'docker', config: { architecture: 'arm64' } })] as const;
    const { where, digest } = await registrySink({ client: newClient(), destination: at('several:1') }).write(images, never);
    const raw = (await run('skopeo', ['inspect', '--tls-verify=false', '--raw', `docker://${where}`])).stdout;
    expect(digestOf(raw)).toBe(digest);
    await run('skopeo', ['copy', '-q', '--all', '--src-tls-verify=false', `docker://${where}`, `dir:${join(folder, 'several')}`]);
    expect(await inspect(where, '--override-arch=arm64')).toMatchObject({ Layers: [layers[1]?.descriptor.digest] });
  });

  test.each<ImageFormat>(['oci', 'docker'])(
    'skopeo finds a pushed image of the %s family whole, and it comes back as it was',
    async (format) => {
      const layers = [await testLayer({ bytes: 3_000_000, format }), await testLayer({ format })];
      const image = testImage(layers, { format });
      const client = newClient();
      const sink = registrySink({ client, destination: at(`${format}:one`) });
      await sink.check(never);
      sink.offer(layers[0] as never, never);
      const published = await sink.write([image], never);
      expect(published.where).toBe(`${registry.host}/${format}:one`);

      expect(await inspect(published.where)).toMatchObject({
        Digest: published.digest,
        Layers: layers.map((l) => l.descriptor.digest),
        Labels: { a: '1', b: '2' },
      });
      await run('skopeo', ['copy', '--src-tls-verify=false', `docker://${published.where}`, `dir:${folder}/${format}`]);

      const base = await registrySource({ client, store: await newStore() }).resolve(published.where, AMD64, never);
      expect(base).toMatchObject({ digest: published.digest, format, config: image.config });
      for (const layer of base.layers) expect(await sha256Of(await layer.open(never))).toBe(layer.descriptor.digest);
      client.close();
    },
  );

  test('an image that is pushed again sends nothing', async () => {
    const image = testImage([await testLayer()]);
    for (const states of [
      ['done', 'done'],
      ['exists', 'exists'],
    ]) {
      const transfers: Transfer[] = [];
      const client = newClient({ onTransfer: (t) => transfers.push(t) });
      await registrySink({ client, destination: at('again:1') }).write([image], never);
      expect(transfers.filter((t) => t.state !== 'running').map((t) => t.state)).toEqual(states);
      client.close();
    }
  });

  test('layers of a base in the same registry are mounted, never read', async () => {
    const image = testImage([await testLayer({ bytes: 500_000 })]);
    const transfers: Transfer[] = [];
    const client = newClient({ onTransfer: (t) => transfers.push(t) });
    await registrySink({ client: newClient(), destination: at('base/image:1') }).write([image], never);
    const base = await registrySource({ client, store: await newStore() }).resolve(`${registry.host}/base/image:1`, AMD64, never);
    const top = await testLayer();
    const config = { ...base.config, rootfs: { type: 'layers' as const, diff_ids: [...base.config.rootfs.diff_ids, top.diffId] } };
    await registrySink({ client, destination: at('derived:1') }).write([{ ...base, config, layers: [...base.layers, top] }], never);
    const digest = base.layers[0]?.descriptor.digest;
    expect(transfers.filter((t) => t.id.includes(digest as string)).map((t) => [t.direction, t.state])).toEqual([['push', 'mounted']]);
    expect((await inspect(`${registry.host}/derived:1`)).Layers).toEqual([digest, top.descriptor.digest]);
    client.close();
  });

  test('several destinations get one digest, and each layer is read once', async () => {
    const layer = await testLayer({ bytes: 1_000_000 });
    const image = testImage([layer]);
    const client = newClient();
    const names = ['many/a:1', 'many/a:2', 'many/b:1'];
    const published = await Promise.all(names.map((name) => registrySink({ client, destination: at(name) }).write([image], never)));
    expect(new Set(published.map((p) => p.digest)).size).toBe(1);
    for (const name of names) expect((await inspect(`${registry.host}/${name}`)).Digest).toBe(published[0]?.digest);
    expect(layer.opened).toBe(1);
    client.close();
  });

  test('a blob whose digest is known last is streamed in', async () => {
    const client = newClient();
    const bytes = Buffer.alloc(5_000_000, 'stream');
    const upload = await client.blobSink(at('streamed')).begin(never);
    for (let i = 0; i < bytes.length; i += 100_000) await upload.write(bytes.subarray(i, i + 100_000));
    const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };
    await upload.commit(descriptor);
    const hash = createHash('sha256');
    for await (const chunk of await client.openBlob(at('streamed'), descriptor, never)) hash.update(chunk as Buffer);
    expect(`sha256:${hash.digest('hex')}`).toBe(descriptor.digest);
    client.close();
  });

  test('bytes that are not what they are said to be are refused', async () => {
    const layer = await testLayer();
    const lying = { ...layer, open: () => Promise.resolve(Readable.from([Buffer.alloc(layer.descriptor.size)], { objectMode: false })) };
    const client = newClient();
    await expect(client.pushBlob(at('lies'), lying, never)).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      registryCodes: ['DIGEST_INVALID'],
    });
    client.close();
  });

  test('of an index, the image of the platform is taken', async () => {
    const client = newClient();
    const manifests = [];
    for (const architecture of ['amd64', 'arm64']) {
      const published = await registrySink({ client, destination: at(`multi:${architecture}`) }).write(
        [testImage([], { config: { architecture } })],
        never,
      );
      const { bytes } = await client.getManifest(at(`multi:${architecture}`), never);
      manifests.push({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: published.digest,
        size: bytes.length,
        platform: { os: 'linux', architecture },
      });
    }
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }));
    const descriptor = { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digestOf(bytes), size: bytes.length };
    await client.pushManifest(at('multi'), { bytes, descriptor }, 'all', never);
    const source = registrySource({ client, store: await newStore() });
    const found = await source.resolve(`${registry.host}/multi:all`, { os: 'linux', architecture: 'arm64' }, never);
    expect(found.config.architecture).toBe('arm64');
    expect(found.digest).toBe(manifests[1]?.digest);
    client.close();
  });

  test('the registry serves as a mirror of Docker Hub, and layers found there are mounted from there', async () => {
    const plain = newClient();
    await registrySink({ client: plain, destination: at('library/mirrored:1') }).write([testImage([await testLayer()])], never);
    const client = newClient({ mirrors: [registry.host], hubAfterMirrors: 'never' });
    const base = await registrySource({ client, store: await newStore() }).resolve('mirrored:1', AMD64, never);
    expect(base.ref).toBe('docker.io/library/mirrored:1');
    expect(base.layers[0]?.origins).toEqual([`${registry.host}/library/mirrored`]);
    expect(await sha256Of((await base.layers[0]?.open(never)) as Readable)).toBe(base.layers[0]?.descriptor.digest);
    plain.close();
    client.close();
  });

  test('an image that is not there says so', async () => {
    const client = newClient();
    const source = registrySource({ client, store: await newStore() });
    await expect(source.resolve(`${registry.host}/nowhere:1`, AMD64, never)).rejects.toMatchObject({
      code: 'REGISTRY_FAILED',
      status: 404,
      registryCodes: ['MANIFEST_UNKNOWN'],
    });
    client.close();
  });

  test('an image that skopeo pushed is a base, and its layers unpack to what tar made', async () => {
    execFileSync('sh', [
      '-c',
      `mkdir -p ${folder}/t && echo hello >${folder}/t/f && tar -C ${folder}/t -cf ${folder}/l.tar . && umoci init --layout ${folder}/u && umoci new --image ${folder}/u:x && umoci raw add-layer --image ${folder}/u:x ${folder}/l.tar`,
    ]);
    await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${folder}/u:x`, `docker://${registry.host}/foreign:x`]);
    const client = newClient();
    const base = await registrySource({ client, store: await newStore() }).resolve(`${registry.host}/foreign:x`, AMD64, never);
    const chunks: Buffer[] = [];
    const [layer] = base.layers as [Layer];
    for await (const chunk of await layer.open(never)) chunks.push(chunk as Buffer);
    expect(execFileSync('tar', ['-xzOf', '-', './f'], { input: Buffer.concat(chunks), encoding: 'utf8' })).toBe('hello\n');
    client.close();
  });
});

describe.skipIf(reason !== undefined)(`a registry with a login${because}`, () => {
  let registry: DockerRegistry;
  const right = { kind: 'password', username: 'robot', password: 'pass:word' } as const;
  const as = (credential: typeof right | (Omit<typeof right, 'password'> & { password: string }) | null) =>
    newClient({ credentials: { find: () => Promise.resolve(credential) } });
  beforeAll(async () => {
    // bcrypt of "pass:word"
    registry = await startDockerRegistry({
      login: { username: 'robot', bcryptHash: '$2b$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki' },
    });
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  const at = (name: string) => parseReference(`${registry.host}/${name}`);

  test('is pushed to and pulled from with the right password', async () => {
    const client = as(right);
    const sink = registrySink({ client, destination: at('app:1') });
    await sink.check(never);
    const { digest } = await sink.write([testImage([await testLayer()])], never);
    expect((await inspect(`${registry.host}/app:1`, '--creds', 'robot:pass:word')).Digest).toBe(digest);
    const base = await registrySource({ client, store: await newStore() }).resolve(`${registry.host}/app:1`, AMD64, never);
    expect(base.digest).toBe(digest);
    client.close();
  });

  test.each([
    ['no password', null, 'docker login'],
    ['a wrong password', { ...right, password: 'wrong' }, 'do not allow'],
  ])('denies the check and the pull with %s', async (_, credential, hint) => {
    const client = as(credential);
    const denied = { code: 'REGISTRY_DENIED', status: 401, hint: expect.stringContaining(hint) };
    await expect(registrySink({ client, destination: at('app:1') }).check(never)).rejects.toMatchObject(denied);
    await expect(registrySource({ client, store: await newStore() }).resolve(`${registry.host}/app:1`, AMD64, never)).rejects.toMatchObject(
      denied,
    );
    client.close();
  });
});
