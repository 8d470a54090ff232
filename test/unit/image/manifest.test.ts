import { describe, expect, test } from 'vitest';
import { parseImageConfig } from '../../../src/image/image-config.ts';
import { parseManifest } from '../../../src/image/manifest.ts';
import { DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../../src/image/media-types.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const descriptor = (mediaType: string) => ({ mediaType, digest: DIGEST, size: 7 });
const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const invalid = (message: string): unknown =>
  expect.objectContaining({ code: 'IMAGE_INVALID', message: expect.stringContaining(message) as unknown });

test.each([
  ['oci', { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor(OCI_CONFIG), layers: [descriptor('l')] }],
  ['oci', { schemaVersion: 2, config: descriptor(OCI_CONFIG), layers: [descriptor('l')] }],
  ['docker', { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config: descriptor(DOCKER_CONFIG), layers: [descriptor('l')] }],
])('reads an image of the %s family', (format, document) => {
  expect(parseManifest(bytes(document), null)).toEqual({ kind: 'image', format, config: document.config, layers: document.layers });
});

test('null for the layers means none', () => {
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor(OCI_CONFIG), layers: null };
  expect(parseManifest(bytes(document), null)).toMatchObject({ layers: [] });
});

test.each([OCI_INDEX, DOCKER_LIST])('reads an index of type %s without its attestations', (mediaType) => {
  const entry = (platform: object | undefined, annotations?: object) => ({ ...descriptor(OCI_MANIFEST), platform, annotations });
  const document = {
    schemaVersion: 2,
    mediaType,
    manifests: [
      entry({ os: 'linux', architecture: 'x86_64' }),
      entry({ os: 'unknown', architecture: 'unknown' }),
      entry({ os: 'linux', architecture: 'arm64', variant: 'v8' }, { 'vnd.docker.reference.type': 'attestation-manifest' }),
      entry(undefined),
    ],
  };
  const parsed = parseManifest(bytes(document), null);
  expect(parsed.kind === 'index' && parsed.entries.map((e) => e.platform)).toEqual([{ os: 'linux', architecture: 'amd64' }, undefined]);
});

describe('refuses', () => {
  test.each([
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, null, 'schema 1'],
    ['schema 1 by its name', {}, 'application/vnd.docker.distribution.manifest.v1+prettyjws', 'schema 1'],
    ['a web page', '<html>', 'text/html; charset=utf-8', 'web page'],
    ['what is not JSON', '{', 'application/json', 'not JSON'],
    ['bytes that are not UTF-8', '"\u0000', null, 'not JSON'],
    ['a list', [], null, 'not a JSON object'],
    ['an image that is an index too', { schemaVersion: 2, config: descriptor('c'), layers: [], manifests: [] }, null, 'at once'],
    ['other media types', { schemaVersion: 2, mediaType: 'application/x', config: descriptor('c') }, null, 'application/x'],
    ['an index that says it is an image', { schemaVersion: 2, mediaType: OCI_MANIFEST, manifests: [] }, null, 'media type'],
    ['an image without a config', { schemaVersion: 2, layers: [] }, null, 'no config'],
    ['layers that are no list', { schemaVersion: 2, config: descriptor('c'), layers: {} }, null, 'no list "layers"'],
    ['a negative size', { schemaVersion: 2, config: { ...descriptor('c'), size: -1 } }, null, 'no valid size'],
    ['a size beyond what numbers hold', { schemaVersion: 2, config: { ...descriptor('c'), size: 2 ** 60 } }, null, 'no valid size'],
    ['digests that are none', { schemaVersion: 2, config: { ...descriptor('c'), digest: 'sha256:../x' } }, null, 'not a sha256 digest'],
  ])('%s', (_, document, contentType, message) => {
    expect(() => parseManifest(bytes(document), contentType)).toThrow(invalid(message));
  });
});

describe('the config', () => {
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [DIGEST] }, config: {}, custom: { a: [1] } };

  test('keeps what we do not know, and loses the nulls that Go writes', () => {
    const document = { ...config, history: null, config: { Env: null, Cmd: null, Entrypoint: ['/x'], Other: 5, Labels: null } };
    expect(parseImageConfig(bytes(document), 1)).toEqual({ ...config, config: { Cmd: null, Entrypoint: ['/x'], Other: 5 } });
  });

  test.each([
    ['other numbers of layers', config, 2, '1 diff ids for 2 layers'],
    ['no platform, as artifacts have', { rootfs: config.rootfs }, 1, 'no platform'],
    ['diff ids that are no list', { ...config, rootfs: { diff_ids: 'x' } }, 1, 'no list of diff ids'],
    ['an Env that is no list of texts', { ...config, config: { Env: [1] } }, 1, 'Env'],
    ['Labels that are a list', { ...config, config: { Labels: [] } }, 1, 'Labels'],
    ['a User that is a number', { ...config, config: { User: 0 } }, 1, 'User'],
  ])('is refused with %s', (_, document, layers, message) => {
    expect(() => parseImageConfig(bytes(document), layers)).toThrow(invalid(message));
  });
});
