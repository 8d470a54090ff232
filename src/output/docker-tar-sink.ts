/**
 * The archive that `docker load`, `podman load` and skopeo's docker-archive: read. Layers stay compressed as they are:
 * loaders look at the content. Reference: moby image/tarexport; go-containerregistry pkg/v1/tarball for the names.
 */
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { prepareFile, writeAtomically } from '../blob/atomic-file.ts';
import { TsbuildError } from '../errors.ts';
import { assembleImage, type Document } from '../image/assemble.ts';
import { hexOf } from '../image/digest.ts';
import type { Image, Layer } from '../image/image.ts';
import { compressionOf, type LayerCompression } from '../image/media-types.ts';
import { familiarReference, type Reference, withDefaultTag } from '../image/reference.ts';
import type { ImageSink } from './image-sink.ts';

export interface DockerTarSinkOptions {
  /** Absolute. */
  readonly path: string;
  /** The names under which the image is loaded; none: only by its id. */
  readonly references: readonly Reference[];
}

export function dockerTarSink({ path, references }: DockerTarSinkOptions): ImageSink {
  return {
    label: path,
    check: () => prepareFile(path),
    offer: () => undefined,
    async write([image, ...others], signal) {
      if (others.length > 0) {
        throw new TsbuildError('OUTPUT_FAILED', `${path} can hold the image of one platform only`, {
          hint: 'an OCI image layout holds several: --oci-layout-path FOLDER',
        });
      }
      const assembled = assembleImage(image);
      await writeAtomically(path, await archive(image, { config: assembled.config, references, signal }), signal);
      return { where: path, digest: assembled.manifest.descriptor.digest };
    },
  };
}

interface ArchiveContext {
  readonly config: Document;
  readonly references: readonly Reference[];
  readonly signal: AbortSignal;
}

async function archive(image: Image, { config, references, signal }: ArchiveContext): Promise<Readable> {
  const { default: tar } = await import('tar-stream');
  const pack = tar.pack();
  const file = (name: string, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      pack.entry(header(name, bytes.length), Buffer.from(bytes), (error) => (error ? reject(error) : resolve()));
    });
  const names = references.map(withDefaultTag);
  const configName = `${hexOf(config.descriptor.digest)}.json`;
  const manifest = [{ Config: configName, RepoTags: names.map(tagName), Layers: image.layers.map(layerName) }];
  const write = async (): Promise<void> => {
    await file(configName, config.bytes);
    const written = new Set<string>();
    for (const layer of image.layers) {
      const name = layerName(layer);
      // Two layers with the same bytes are one file.
      if (written.has(name)) continue;
      written.add(name);
      await pipeline(await layer.open(signal), pack.entry(header(name, layer.descriptor.size)) as unknown as Writable, { signal });
    }
    await file('repositories', json(repositories(image, names)));
    await file('manifest.json', json(manifest));
    pack.finalize();
  };
  write().catch((error: Error) => pack.destroy(error));
  return pack as unknown as Readable;
}

function header(name: string, size: number): { name: string; size: number; mode: number; mtime: Date } {
  return { name, size, mode: 0o644, mtime: new Date(0) };
}

const SUFFIX: Readonly<Record<LayerCompression, string>> = { none: 'tar', gzip: 'tar.gz', zstd: 'tar.zst' };

function layerName({ descriptor }: Layer): string {
  return `${hexOf(descriptor.digest)}.${SUFFIX[compressionOf(descriptor.mediaType) ?? 'none']}`;
}

function tagName(reference: Reference): string {
  const { registry, repository, tag } = reference;
  return familiarReference({ registry, repository, ...(tag === undefined ? {} : { tag }) });
}

/** What loaders older than manifest.json read; the others ignore it. */
function repositories(image: Image, names: readonly Reference[]): object {
  const top = image.layers.at(-1);
  const byName = new Map<string, Record<string, string>>();
  for (const reference of names) {
    if (top === undefined || reference.tag === undefined) continue;
    const name = familiarReference({ registry: reference.registry, repository: reference.repository });
    byName.set(name, { ...byName.get(name), [reference.tag]: hexOf(top.descriptor.digest) });
  }
  return Object.fromEntries(byName);
}

function json(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
