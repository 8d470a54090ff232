/** Small images made of real layers, without a builder. */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Digest, digestOf, parseDigest } from '../../src/image/digest.ts';
import type { Image, ImageConfig, Layer } from '../../src/image/image.ts';
import { type ImageFormat, layerMediaType } from '../../src/image/media-types.ts';

export interface TestLayer extends Layer {
  readonly bytes: Buffer;
  /** How often it was opened. */
  opened: number;
}

/** A gzip layer with one file of random bytes, or of `text`. */
export async function testLayer(
  options: { readonly name?: string; readonly text?: string; readonly bytes?: number; readonly format?: ImageFormat } = {},
): Promise<TestLayer> {
  const content = options.text === undefined ? randomBytes(options.bytes ?? 1000) : Buffer.from(options.text);
  const archive = pack();
  archive.entry({ name: options.name ?? 'file', mode: 0o644, mtime: new Date(0) }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  const tar = Buffer.concat(chunks);
  const bytes = gzipSync(tar, { level: 1 });
  const layer: TestLayer = {
    bytes,
    opened: 0,
    descriptor: { mediaType: layerMediaType(options.format ?? 'oci', 'gzip'), digest: digestOf(bytes), size: bytes.length },
    diffId: digestOf(tar),
    open() {
      layer.opened++;
      return Promise.resolve(Readable.from(slices(bytes), { objectMode: false }));
    },
  };
  return layer;
}

function* slices(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

export function testImage(
  layers: readonly Layer[],
  options: { readonly format?: ImageFormat; readonly config?: Partial<ImageConfig> } = {},
): Image {
  return {
    format: options.format ?? 'oci',
    layers,
    config: {
      architecture: 'amd64',
      os: 'linux',
      created: '2026-01-02T03:04:05Z',
      config: { Env: ['PATH=/bin'], Cmd: ['/bin/sh'], Labels: { b: '2', a: '1' } },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map((_, i) => ({ created: '2026-01-02T03:04:05Z', created_by: `layer ${i}` })),
      ...options.config,
    },
  };
}

export async function sha256Of(stream: AsyncIterable<unknown>): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return parseDigest(`sha256:${hash.digest('hex')}`);
}
