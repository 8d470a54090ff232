/** Images for several platforms under one name: the index, where it goes, and skopeo's view of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assemblePublication } from '../../../src/image/assemble.ts';
import { hexOf } from '../../../src/image/digest.ts';
import type { Images } from '../../../src/image/image.ts';
import { OCI_INDEX } from '../../../src/image/media-types.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { digestSink } from '../../../src/output/digest-sink.ts';
import { dockerTarSink } from '../../../src/output/docker-tar-sink.ts';
import { ociLayoutSink } from '../../../src/output/oci-layout-sink.ts';
import { testImage, testLayer } from '../../helpers/test-image.ts';
import { missing } from '../../helpers/tools.ts';

const never = new AbortController().signal;
const noSkopeo = missing(['skopeo']);

let folder: string;
let images: Images;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  images = [testImage([await testLayer()]), testImage([await testLayer()], { config: { architecture: 'arm', variant: 'v7' } })];
});
afterAll(() => rmSync(folder, { recursive: true }));

test('an index lists the manifests in order, each with its platform', () => {
  const { index, images: assembled, top } = assemblePublication(images);
  expect(top).toBe(index);
  expect(JSON.parse(Buffer.from(top.bytes).toString())).toEqual({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [
      { ...assembled[0]?.manifest.descriptor, platform: { architecture: 'amd64', os: 'linux' } },
      { ...assembled[1]?.manifest.descriptor, platform: { architecture: 'arm', os: 'linux', variant: 'v7' } },
    ],
  });
});

test('one image is published as itself', () => {
  const { index, top, images: assembled } = assemblePublication([images[0]]);
  expect([index, top]).toEqual([null, assembled[0]?.manifest]);
});

test('a layout gets the index as a blob, under the name and without a platform', async () => {
  const layout = join(folder, 'layout');
  const { digest } = await ociLayoutSink({ folder: layout, references: [parseReference('app:1')] }).write(images, never);
  expect(digest).toBe(assemblePublication(images).top.descriptor.digest);
  const [entry] = (JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: Record<string, unknown>[] }).manifests;
  expect(entry).toMatchObject({ mediaType: OCI_INDEX, digest });
  expect(entry).not.toHaveProperty('platform');
  expect(readFileSync(join(layout, 'blobs/sha256', hexOf(digest)))).toEqual(Buffer.from(assemblePublication(images).top.bytes));
});

test.skipIf(noSkopeo !== undefined)('skopeo copies all of it, or the image of one platform', async () => {
  const layout = join(folder, 'for-skopeo');
  await ociLayoutSink({ folder: layout, references: [parseReference('app:1')] }).write(images, never);
  execFileSync('skopeo', ['copy', '-q', '--all', `oci:${layout}:1`, `dir:${join(folder, 'all')}`]);
  expect(readFileSync(join(folder, 'all/manifest.json'))).toEqual(Buffer.from(assemblePublication(images).top.bytes));
  const inspected = execFileSync('skopeo', ['inspect', '--override-arch=arm', '--override-variant=v7', '--config', `oci:${layout}:1`]);
  expect(JSON.parse(inspected.toString())).toMatchObject({ architecture: 'arm', variant: 'v7' });
});

test('the digest alone is that of the index', async () => {
  expect((await digestSink().write(images, never)).digest).toBe(assemblePublication(images).top.descriptor.digest);
});

test('a docker load archive refuses several', async () => {
  await expect(dockerTarSink({ path: join(folder, 'x.tar'), references: [] }).write(images, never)).rejects.toMatchObject({
    code: 'OUTPUT_FAILED',
  });
});
