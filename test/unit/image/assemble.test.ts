import { describe, expect, test } from 'vitest';
import { assembleImage } from '../../../src/image/assemble.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { ImageConfig, Layer } from '../../../src/image/image.ts';
import { type ImageFormat, layerMediaType } from '../../../src/image/media-types.ts';

function layer(mediaType: string, more: Partial<Layer['descriptor']> = {}): Layer {
  return {
    descriptor: { mediaType, digest: digestOf(mediaType), size: 3, ...more },
    diffId: digestOf(`diff ${mediaType}`),
    open: () => Promise.reject(new Error('not to be opened')),
  };
}

function assemble(layers: readonly Layer[], format: ImageFormat, config: Partial<ImageConfig> = {}) {
  const rootfs = { type: 'layers' as const, diff_ids: layers.map((l) => l.diffId) };
  const assembled = assembleImage({ format, layers, config: { os: 'linux', architecture: 'amd64', rootfs, ...config } });
  const json = (bytes: Uint8Array) =>
    JSON.parse(Buffer.from(bytes).toString()) as { mediaType: string; config: unknown; layers: { mediaType: string }[] };
  return { ...assembled, manifestJson: json(assembled.manifest.bytes), configText: Buffer.from(assembled.config.bytes).toString() };
}

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

test('descriptors tell size and digest of the bytes', () => {
  const { manifest, config, manifestJson } = assemble([layer(layerMediaType('oci', 'gzip'))], 'oci');
  for (const { descriptor, bytes } of [manifest, config]) expect(descriptor).toMatchObject({ digest: digestOf(bytes), size: bytes.length });
  expect(manifestJson.config).toEqual(config.descriptor);
});

describe('one manifest names one family', () => {
  const both = [layer(layerMediaType('docker', 'gzip')), layer(layerMediaType('oci', 'gzip')), layer(layerMediaType('oci', 'none'))];
  test('OCI', () => {
    const { manifest, config, manifestJson } = assemble(both, 'oci');
    expect(manifest.descriptor.mediaType).toBe(`${OCI}.manifest.v1+json`);
    expect(config.descriptor.mediaType).toBe(`${OCI}.config.v1+json`);
    expect(manifestJson.mediaType).toBe(manifest.descriptor.mediaType);
    expect(manifestJson.layers.map((l) => l.mediaType)).toEqual([
      `${OCI}.layer.v1.tar+gzip`,
      `${OCI}.layer.v1.tar+gzip`,
      `${OCI}.layer.v1.tar`,
    ]);
  });
  test('Docker', () => {
    const { manifest, config, manifestJson } = assemble(both, 'docker');
    expect(manifest.descriptor.mediaType).toBe(`${DOCKER}.distribution.manifest.v2+json`);
    expect(config.descriptor.mediaType).toBe(`${DOCKER}.container.image.v1+json`);
    expect(manifestJson.layers.map((l) => l.mediaType)).toEqual([
      `${DOCKER}.image.rootfs.diff.tar.gzip`,
      `${DOCKER}.image.rootfs.diff.tar.gzip`,
      `${DOCKER}.image.rootfs.diff.tar`,
    ]);
  });
  test('OCI where a layer is zstd, which Docker has no name for', () => {
    const { manifest, manifestJson } = assemble([layer(layerMediaType('docker', 'gzip')), layer(layerMediaType('oci', 'zstd'))], 'docker');
    expect(manifest.descriptor.mediaType).toBe(`${OCI}.manifest.v1+json`);
    expect(manifestJson.layers.map((l) => l.mediaType)).toEqual([`${OCI}.layer.v1.tar+gzip`, `${OCI}.layer.v1.tar+zstd`]);
  });
});

test('foreign layers stay foreign in both families and keep their addresses', () => {
  const foreign = layer(`${DOCKER}.image.rootfs.foreign.diff.tar.gzip`, { urls: ['https://x/y'] });
  expect(assemble([foreign], 'oci').manifestJson.layers[0]).toMatchObject({
    mediaType: `${OCI}.layer.nondistributable.v1.tar+gzip`,
    urls: ['https://x/y'],
  });
  expect(assemble([foreign], 'docker').manifestJson.layers[0]).toMatchObject({ mediaType: `${DOCKER}.image.rootfs.foreign.diff.tar.gzip` });
});

test('a layer of an unknown type is IMAGE_INVALID', () => {
  expect(() => assemble([layer('application/x')], 'oci')).toThrow(expect.objectContaining({ code: 'IMAGE_INVALID' }));
});

test('diff ids that are not the layers’ are our bug', () => {
  expect(() => assemble([layer(layerMediaType('oci', 'gzip'))], 'oci', { rootfs: { type: 'layers', diff_ids: [] } })).toThrow('diff ids');
});

test('fields stand in one order, maps are sorted, and unknown fields stay', () => {
  const { configText } = assemble([], 'oci', {
    zebra: 1,
    history: [],
    created: 'c',
    'os.version': '5',
    config: { Labels: { b: '2', a: '1' }, Cmd: ['x'], Unknown: { k: 1 }, ExposedPorts: { '9/tcp': {}, '80/tcp': {} }, User: 'u' },
  });
  expect(configText).toBe(
    '{"created":"c","architecture":"amd64","os":"linux","os.version":"5","config":{"User":"u","ExposedPorts":{"80/tcp":{},"9/tcp":{}},' +
      '"Cmd":["x"],"Labels":{"a":"1","b":"2"},"Unknown":{"k":1}},"rootfs":{"type":"layers","diff_ids":[]},"history":[],"zebra":1}',
  );
});
