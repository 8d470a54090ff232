/** OCI layouts as base images: what tsbuild, skopeo and umoci write, and what somebody hostile may. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ociLayoutSource } from '../../../src/base-image/oci-layout-source.ts';
import { assembleImage } from '../../../src/image/assemble.ts';
import { type Digest, digestOf, hexOf } from '../../../src/image/digest.ts';
import type { Image, Images } from '../../../src/image/image.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { ociLayoutSink } from '../../../src/output/oci-layout-sink.ts';
import { type TestLayer, testImage, testLayer } from '../../helpers/test-image.ts';
import { missing } from '../../helpers/tools.ts';

const never = new AbortController().signal;
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const noTools = missing(['skopeo', 'umoci']);

let folder: string;
let layer: TestLayer;
let amd64: Image;
let arm64: Image;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  layer = await testLayer();
  amd64 = testImage([layer]);
  arm64 = testImage([layer], { config: { architecture: 'arm64' } });
});
afterAll(() => rmSync(folder, { recursive: true }));

const write = async (images: Images, name?: string, into = mkdtempSync(join(folder, 'layout-'))) => {
  await ociLayoutSink({ folder: into, references: name === undefined ? [] : [parseReference(name)] }).write(images, never);
  return into;
};
const resolve = (rest: string, platform = AMD64) => ociLayoutSource().resolve(`oci-layout://${rest}`, platform, never);
const digestIn = (image: Image): Digest => assembleImage(image).manifest.descriptor.digest;
const blob = (layout: string, digest: Digest): string => join(layout, 'blobs/sha256', hexOf(digest));

describe('an image is found', () => {
  test('by its tag, by its digest, and without either where there is one alone, and its layers open', async () => {
    const layout = await write([amd64], 'app:v1');
    for (const rest of [`${layout}:v1`, layout, `${layout}@${digestIn(amd64)}`, `${layout}:other@${digestIn(amd64)}`]) {
      const found = await resolve(rest);
      expect(found).toMatchObject({ ref: `oci-layout://${rest}`, digest: digestIn(amd64), config: amd64.config, warnings: [] });
      expect(found.layers.map(({ diffId }) => diffId)).toEqual([layer.diffId]);
      const [only] = found.layers;
      expect(await buffer((await only?.open(never)) ?? Readable.from([]))).toEqual(layer.bytes);
    }
  });

  test('without a tag under the name latest, where there are several', async () => {
    const layout = await write([amd64], 'app:v1');
    await write([arm64], 'app:latest', layout);
    expect((await resolve(layout, ARM64)).digest).toBe(digestIn(arm64));
    expect((await resolve(`${layout}:v1`)).digest).toBe(digestIn(amd64));
  });

  test.each(['app:v1', undefined])('for its platform, out of an index named %s', async (name) => {
    const layout = await write([amd64, arm64], name);
    for (const image of [amd64, arm64]) {
      const found = await resolve(layout, { os: 'linux', architecture: image.config.architecture });
      expect(found.digest).toBe(digestIn(image));
    }
    await expect(resolve(layout, { os: 'linux', architecture: 's390x' })).rejects.toMatchObject({
      code: 'PLATFORM_INVALID',
      message: expect.stringContaining(`oci-layout://${layout} has no image for linux/s390x`),
      hint: 'it has linux/amd64, linux/arm64',
    });
  });

  test('for its platform, where images of one name stand beside each other', async () => {
    const layout = await write([amd64]);
    await write([arm64], undefined, layout);
    expect((await resolve(layout, ARM64)).digest).toBe(digestIn(arm64));
  });

  test('with a warning when it is for another platform', async () => {
    expect((await resolve(await write([amd64], 'app'), ARM64)).warnings).toEqual([
      expect.stringMatching(/is for linux\/amd64, not for linux\/arm64$/),
    ]);
  });
});

describe.skipIf(noTools !== undefined)(`a layout of another tool${noTools === undefined ? '' : ` (skipped: ${noTools})`}`, () => {
  test("skopeo's and umoci's are read as what they hold", async () => {
    const ours = await write([amd64], 'app:v1');
    const copied = join(folder, 'skopeo');
    execFileSync('skopeo', ['copy', '-q', `oci:${ours}:v1`, `oci:${copied}:by-skopeo`]);
    expect(await resolve(`${copied}:by-skopeo`)).toMatchObject({ config: amd64.config, layers: [{ diffId: layer.diffId }] });
    execFileSync('umoci', ['config', '--image', `${copied}:by-skopeo`, '--tag', 'by-umoci', '--config.user', 'me'], { stdio: 'pipe' });
    const changed = await resolve(`${copied}:by-umoci`);
    expect(changed.config.config?.User).toBe('me');
    expect(changed.layers.map(({ diffId }) => diffId)).toEqual([layer.diffId]);
  });
});

describe('a layout that is not what it should be is refused', () => {
  const damaged = async (harm: (layout: string) => void, tag = ':v1') => {
    const layout = mkdtempSync(join(folder, 'damaged-'));
    cpSync(await write([amd64], 'app:v1'), layout, { recursive: true });
    harm(layout);
    return resolve(`${layout}${tag}`);
  };
  const index = (layout: string, manifests: unknown): void =>
    writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  const entry = (digest: string, size = 100) => ({
    mediaType: OCI_INDEX,
    digest,
    size,
    annotations: { 'org.opencontainers.image.ref.name': 'v1' },
  });

  test.each<[what: string, code: string, message: RegExp, harm: (layout: string) => void]>([
    ['without an index', 'IMAGE_INVALID', /has no index\.json/, (at) => rmSync(join(at, 'index.json'))],
    [
      'with an index that is a folder',
      'IMAGE_INVALID',
      /index\.json is not a regular file/,
      (at) => {
        rmSync(join(at, 'index.json'));
        mkdirSync(join(at, 'index.json'));
      },
    ],
    [
      'with an index that is a fifo',
      'IMAGE_INVALID',
      /index\.json is not a regular file/,
      (at) => {
        rmSync(join(at, 'index.json'));
        execFileSync('mkfifo', [join(at, 'index.json')]);
      },
    ],
    [
      'with a huge index',
      'IMAGE_INVALID',
      /index\.json has 1099511627776 bytes, more than the 4194304/,
      (at) => truncateSync(join(at, 'index.json'), 2 ** 40),
    ],
    [
      'with an index of something else',
      'IMAGE_INVALID',
      /index\.json is not an index of images/,
      (at) => writeFileSync(join(at, 'index.json'), '{}'),
    ],
    [
      'with an index that is no JSON',
      'IMAGE_INVALID',
      /index\.json cannot be used: it is not JSON/,
      (at) => writeFileSync(join(at, 'index.json'), 'x'),
    ],
    [
      'with a digest that is a path',
      'IMAGE_INVALID',
      /"sha256:\.\.\/\.\.\/\.\.\/etc\/passwd" is not a sha256 digest/,
      (at) => index(at, [entry('sha256:../../../etc/passwd')]),
    ],
    [
      'that names a blob which it lacks',
      'BLOB_NOT_FOUND',
      /has no blob sha256:00/,
      (at) => index(at, [entry(`sha256:${'00'.repeat(32)}`)]),
    ],
    [
      'with a manifest that was changed',
      'BLOB_DIGEST_MISMATCH',
      /is damaged: its digest is/,
      (at) => writeFileSync(blob(at, digestIn(amd64)), '{}'),
    ],
    [
      'with a config that was changed',
      'BLOB_DIGEST_MISMATCH',
      /is damaged/,
      (at) => {
        const path = blob(at, assembleImage(amd64).config.descriptor.digest);
        writeFileSync(path, readFileSync(path, 'utf8').replace('/bin/sh', '/bin/xx'));
      },
    ],
    [
      'with a config that is longer than it says',
      'IMAGE_INVALID',
      /more than the \d+ that it may have/,
      (at) => truncateSync(blob(at, assembleImage(amd64).config.descriptor.digest), 2 ** 40),
    ],
    [
      'with an index that lists itself',
      'IMAGE_INVALID',
      /nested more than 3 deep/,
      (at) => {
        let digest = digestIn(amd64);
        for (let depth = 0; depth < 5; depth++) {
          const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests: [{ ...entry(digest), platform: AMD64 }] }));
          digest = digestOf(bytes);
          writeFileSync(blob(at, digest), bytes);
        }
        index(at, [entry(digest)]);
      },
    ],
  ])('%s', async (_, code, message, harm) => {
    await expect(damaged(harm)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('with a layer that was changed, when it is read', async () => {
    const found = await damaged((at) => writeFileSync(blob(at, layer.descriptor.digest), Buffer.alloc(layer.bytes.length)));
    const [only] = found.layers;
    await expect(buffer((await only?.open(never)) ?? Readable.from([]))).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
  });

  test('without a layer, when it is opened', async () => {
    const found = await damaged((at) => rmSync(blob(at, layer.descriptor.digest)));
    await expect(found.layers[0]?.open(never)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  });

  test('a name that it does not have is told with those that it has', async () => {
    await expect(damaged(() => undefined, ':v2')).rejects.toMatchObject({ code: 'IMAGE_INVALID', hint: 'it has v1' });
    await expect(damaged((at) => index(at, []), '')).rejects.toMatchObject({ hint: 'it has no images at all' });
    await expect(resolve(`${await write([amd64])}:v1`)).rejects.toMatchObject({ hint: expect.stringContaining('leave out the tag') });
  });
});
