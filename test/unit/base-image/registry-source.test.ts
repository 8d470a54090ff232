import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { registrySource } from '../../../src/base-image/registry-source.ts';
import { type DiskStore, diskStore } from '../../../src/blob/disk-store.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { assembleImage } from '../../../src/image/assemble.ts';
import { type Digest, digestOf } from '../../../src/image/digest.ts';
import type { Image } from '../../../src/image/image.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import { formatReference, type Reference } from '../../../src/image/reference.ts';
import type { RegistryClient } from '../../../src/registry/registry-client.ts';
import { sha256Of, type TestLayer, testImage, testLayer } from '../../helpers/test-image.ts';

const never = new AbortController().signal;
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm', variant: 'v7' };

let root: string;
let store: DiskStore;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tsbuild-test-'));
  store = diskStore(join(root, 'store'), join(root, 'tmp'));
});
afterEach(() => rm(root, { recursive: true }));

type PullClient = Pick<RegistryClient, 'findDigest' | 'getManifest' | 'openBlob'>;

/** A registry in memory that remembers what it was asked. */
function memoryRegistry(tags: Record<string, Digest> = {}) {
  const blobs = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const put = (bytes: Uint8Array): Digest => {
    blobs.set(digestOf(bytes), bytes);
    return digestOf(bytes);
  };
  const client: PullClient = {
    findDigest(reference) {
      asked.push(`digest ${formatReference(reference)}`);
      const digest = tags[reference.tag ?? ''];
      return Promise.resolve(digest === undefined ? null : { digest, origin: 'mirror.example/debian' });
    },
    getManifest(reference: Reference) {
      asked.push(`manifest ${reference.digest ?? reference.tag}`);
      const digest = reference.digest ?? tags[reference.tag ?? ''];
      const bytes = blobs.get(digest ?? '');
      if (bytes === undefined) return Promise.reject(new TsbuildError('REGISTRY_FAILED', 'manifest unknown'));
      return Promise.resolve({ bytes, digest: digestOf(bytes), contentType: null, origin: 'mirror.example/debian' });
    },
    openBlob(_from, descriptor) {
      asked.push(`blob ${descriptor.digest}`);
      const bytes = blobs.get(descriptor.digest);
      return bytes === undefined
        ? Promise.reject(new TsbuildError('BLOB_NOT_FOUND', 'no'))
        : Promise.resolve(Readable.from([bytes], { objectMode: false }));
    },
  };
  const putImage = (image: Image): Digest => {
    const { manifest, config } = assembleImage(image);
    put(config.bytes);
    for (const layer of image.layers) put((layer as TestLayer).bytes);
    return put(manifest.bytes);
  };
  const putIndex = (entries: readonly object[]): Digest =>
    put(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries })));
  const source = () => registrySource({ client: client as RegistryClient, store });
  return { put, putImage, putIndex, tags, asked, source, blobs };
}

const entry = (digest: Digest, platform?: object) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest,
  size: 1,
  ...(platform === undefined ? {} : { platform }),
});

test('an image has its config, its layers and where they came from', async () => {
  const registry = memoryRegistry();
  const image = testImage([await testLayer(), await testLayer()]);
  const digest = registry.putImage(image);
  registry.tags['12'] = digest;
  const base = await registry.source().resolve('debian:12', AMD64, never);
  expect(base).toMatchObject({ ref: 'docker.io/library/debian:12', digest, format: 'oci', config: image.config, warnings: [] });
  expect(base.layers.map((l) => [l.descriptor, l.diffId, l.origins?.[0]])).toEqual(
    image.layers.map((l) => [l.descriptor, l.diffId, 'mirror.example/debian']),
  );
});

test('layers are fetched when they are opened, once, and then come from the store', async () => {
  const registry = memoryRegistry();
  registry.tags['latest'] = registry.putImage(testImage([await testLayer()]));
  const [layer] = (await registry.source().resolve('debian', AMD64, never)).layers;
  const digest = layer?.descriptor.digest as Digest;
  expect(registry.asked).not.toContain(`blob ${digest}`);
  for (let i = 0; i < 2; i++) expect(await sha256Of((await layer?.open(never)) as Readable)).toBe(digest);
  expect(registry.asked.filter((a) => a === `blob ${digest}`)).toHaveLength(1);
});

test('an image that is known costs one question, and by digest none', async () => {
  const registry = memoryRegistry();
  const digest = registry.putImage(testImage([await testLayer()]));
  registry.tags['latest'] = digest;
  await registry.source().resolve('debian', AMD64, never);
  registry.asked.length = 0;
  await registry.source().resolve('debian', AMD64, never);
  expect(registry.asked).toEqual(['digest docker.io/library/debian:latest']);
  await registry.source().resolve(`debian@${digest}`, AMD64, never);
  expect(registry.asked).toHaveLength(1);
});

describe('of an index', () => {
  test('the image of the platform is taken', async () => {
    const registry = memoryRegistry();
    const arm = registry.putImage(testImage([], { config: { architecture: 'arm', variant: 'v7' } }));
    const amd = registry.putImage(testImage([]));
    registry.tags['latest'] = registry.putIndex([
      entry(arm, ARM),
      entry(amd, AMD64),
      entry(digestOf('x'), { os: 'unknown', architecture: 'unknown' }),
    ]);
    expect((await registry.source().resolve('debian', AMD64, never)).digest).toBe(amd);
    expect((await registry.source().resolve('debian', ARM, never)).digest).toBe(arm);
  });

  test('entries without a platform are looked into', async () => {
    const registry = memoryRegistry();
    const arm = registry.putImage(testImage([], { config: { architecture: 'arm', variant: 'v7' } }));
    const amd = registry.putImage(testImage([]));
    registry.tags['latest'] = registry.putIndex([entry(arm), entry(amd)]);
    expect((await registry.source().resolve('debian', AMD64, never)).digest).toBe(amd);
  });

  test('a platform that is not there is PLATFORM_INVALID and lists those that are', async () => {
    const registry = memoryRegistry();
    registry.tags['latest'] = registry.putIndex([entry(digestOf('a'), ARM), entry(digestOf('b'), { os: 'linux', architecture: 's390x' })]);
    await expect(registry.source().resolve('debian', AMD64, never)).rejects.toMatchObject({
      code: 'PLATFORM_INVALID',
      message: 'docker.io/library/debian:latest has no image for linux/amd64',
      hint: 'it has linux/arm/v7, linux/s390x',
    });
  });

  test('indexes that hold themselves end', async () => {
    const registry = memoryRegistry();
    let digest = registry.putIndex([]);
    for (let i = 0; i < 6; i++) digest = registry.putIndex([entry(digest, AMD64)]);
    registry.tags['latest'] = digest;
    await expect(registry.source().resolve('debian', AMD64, never)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });
});

test('an image that is no index is taken for any platform, with a warning', async () => {
  const registry = memoryRegistry();
  registry.tags['latest'] = registry.putImage(testImage([], { config: { architecture: 's390x' } }));
  expect((await registry.source().resolve('debian', AMD64, never)).warnings).toEqual([
    'docker.io/library/debian:latest is for linux/s390x, not for linux/amd64',
  ]);
});

test('foreign layers have no repository to be mounted from', async () => {
  const registry = memoryRegistry();
  const layer = await testLayer();
  const foreign = {
    ...layer,
    descriptor: { ...layer.descriptor, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', urls: ['https://x/y'] },
  };
  registry.tags['latest'] = registry.putImage(testImage([foreign]));
  const [found] = (await registry.source().resolve('debian', AMD64, never)).layers;
  expect(found?.origins).toBeUndefined();
  expect(found?.descriptor.urls).toEqual(['https://x/y']);
});

describe('IMAGE_INVALID names the image', () => {
  const invalid = async (registry: ReturnType<typeof memoryRegistry>, digest: Digest, message: string) => {
    registry.tags['latest'] = digest;
    await expect(registry.source().resolve('debian', AMD64, never)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      message: expect.stringMatching(new RegExp(`^docker.io/library/debian:latest cannot be used: .*${message}`)),
    });
  };
  test('schema 1', async () => {
    const registry = memoryRegistry();
    await invalid(registry, registry.put(Buffer.from('{"schemaVersion":1,"fsLayers":[]}')), 'schema 1');
  });
  test('other numbers of diff ids than layers', async () => {
    const registry = memoryRegistry();
    const { manifest, config } = assembleImage(testImage([await testLayer()]));
    const broken = { ...JSON.parse(Buffer.from(config.bytes).toString()), rootfs: { type: 'layers', diff_ids: [] } };
    const bytes = Buffer.from(JSON.stringify(broken));
    const descriptor = { ...config.descriptor, digest: registry.put(bytes), size: bytes.length };
    const document = { ...JSON.parse(Buffer.from(manifest.bytes).toString()), config: descriptor };
    await invalid(registry, registry.put(Buffer.from(JSON.stringify(document))), '0 diff ids for 1 layers');
  });
  test('layers that are none', async () => {
    const registry = memoryRegistry();
    const { manifest, config } = assembleImage(testImage([await testLayer()]));
    registry.put(config.bytes);
    const text = Buffer.from(manifest.bytes).toString().replace('application/vnd.oci.image.layer.v1.tar+gzip', 'application/x-other');
    await invalid(registry, registry.put(Buffer.from(text)), 'application/x-other');
  });
});

test('names that are none are REFERENCE_INVALID', async () => {
  await expect(memoryRegistry().source().resolve('Debian', AMD64, never)).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
});
