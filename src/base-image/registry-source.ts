/**
 * Base images from registries. Manifests and configs are kept in the store by their digests, so an image that is known
 * costs one request; layers are fetched when they are opened, once, and kept too. `scratch` is not an image.
 */
import type { DiskStore } from '../blob/disk-store.ts';
import { readThrough } from '../blob/read-through.ts';
import { TsbuildError } from '../errors.ts';
import { isForeignLayer } from '../image/assemble.ts';
import { type Digest, parseDigest } from '../image/digest.ts';
import type { Descriptor, ImageConfig, Layer } from '../image/image.ts';
import { parseImageConfig } from '../image/image-config.ts';
import { type ImageIndex, type ImageManifest, type IndexEntry, parseManifest } from '../image/manifest.ts';
import { compressionOf } from '../image/media-types.ts';
import { formatPlatform, normalizePlatform, type Platform, pickPlatform } from '../image/platform.ts';
import { formatReference, parseReference, type Reference, withDefaultTag } from '../image/reference.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import type { BaseImage, ImageSource } from './image-source.ts';

export interface RegistrySourceOptions {
  readonly client: RegistryClient;
  readonly store: DiskStore;
}

/** An index may list indexes; nobody nests them deeper. */
const MAX_INDEX_DEPTH = 3;
/** Configs hold history and labels; the largest seen in the wild are far below. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** A document and the repository that it came from, `host/path`; null when it was in the store. */
interface Found {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly contentType: string | null;
  readonly origin: string | null;
}

interface Candidate {
  readonly manifest: ImageManifest;
  readonly digest: Digest;
  readonly origin: string;
}

export function registrySource({ client, store }: RegistrySourceOptions): ImageSource {
  const layers = readThrough(store);

  const byDigest = async (reference: Reference, digest: Digest, signal: AbortSignal): Promise<Found> => {
    const stored = await fromStore(store, digest);
    if (stored !== null) return { bytes: stored, digest, contentType: null, origin: null };
    const fetched = await client.getManifest({ ...reference, digest }, signal);
    await store.putBytes(fetched.bytes);
    return fetched;
  };

  const find = async (reference: Reference, signal: AbortSignal): Promise<Found> => {
    if (reference.digest !== undefined) return byDigest(reference, reference.digest, signal);
    const known = await client.findDigest(reference, signal);
    if (known !== null) return { ...(await byDigest(reference, known.digest, signal)), origin: known.origin };
    const fetched = await client.getManifest(reference, signal);
    await store.putBytes(fetched.bytes);
    return fetched;
  };

  const config = async (reference: Reference, manifest: ImageManifest, signal: AbortSignal): Promise<ImageConfig> => {
    const { config: descriptor, layers: descriptors } = manifest;
    if (descriptor.size > MAX_CONFIG_BYTES) throw new TsbuildError('IMAGE_INVALID', `the image config has ${descriptor.size} bytes`);
    const stored = await fromStore(store, descriptor.digest);
    if (stored !== null) return parseImageConfig(stored, descriptors.length);
    const chunks: Buffer[] = [];
    for await (const chunk of await client.openBlob(reference, descriptor, signal)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    await store.putBytes(bytes);
    return parseImageConfig(bytes, descriptors.length);
  };

  /** The platform of an entry that does not name one is that of its config. */
  const withPlatform = async (reference: Reference, entry: IndexEntry, signal: AbortSignal): Promise<IndexEntry> => {
    if (entry.platform !== undefined) return entry;
    const { digest } = entry.descriptor;
    const found = await byDigest(reference, digest, signal);
    const manifest = parseManifest(found.bytes, found.contentType);
    return manifest.kind === 'index' ? entry : { ...entry, platform: platformOf(await config(reference, manifest, signal)) };
  };

  const choose = async (reference: Reference, index: ImageIndex, platform: Platform, signal: AbortSignal): Promise<Descriptor> => {
    const entries = await Promise.all(index.entries.map((entry) => withPlatform(reference, entry, signal)));
    const chosen = pickPlatform(entries, platform);
    const entry = chosen === null ? undefined : entries[chosen];
    if (entry !== undefined) return entry.descriptor;
    const offered = entries.flatMap((e) => (e.platform === undefined ? [] : [formatPlatform(e.platform)]));
    throw new TsbuildError('PLATFORM_INVALID', `${formatReference(reference)} has no image for ${formatPlatform(platform)}`, {
      hint: offered.length === 0 ? 'it lists no images at all' : `it has ${[...new Set(offered)].join(', ')}`,
    });
  };

  const image = async (reference: Reference, platform: Platform, signal: AbortSignal): Promise<Candidate & { fromIndex: boolean }> => {
    let found = await find(reference, signal);
    const origin = found.origin ?? `${reference.registry}/${reference.repository}`;
    for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
      const parsed = parseManifest(found.bytes, found.contentType);
      if (parsed.kind === 'image') return { manifest: parsed, digest: found.digest, origin, fromIndex: depth > 0 };
      const descriptor = await choose(reference, parsed, platform, signal);
      found = await byDigest(reference, descriptor.digest, signal);
    }
    throw new TsbuildError('IMAGE_INVALID', `indexes are nested more than ${MAX_INDEX_DEPTH} deep`);
  };

  const layerOf = (from: Reference, descriptor: Descriptor, diffId: string, origin: string): Layer => {
    if (compressionOf(descriptor.mediaType) === null) {
      throw new TsbuildError('IMAGE_INVALID', `it has a layer of the media type ${descriptor.mediaType}, which is not a layer's`);
    }
    return {
      descriptor,
      diffId: diffIdOf(diffId),
      ...(isForeignLayer(descriptor) ? {} : { origin }),
      open: (signal) => layers.open(descriptor, (own) => client.openBlob(from, descriptor, own), signal),
    };
  };

  return {
    async resolve(ref, platform, signal) {
      const reference = withDefaultTag(parseReference(ref));
      try {
        const { manifest, digest, origin, fromIndex } = await image(reference, platform, signal);
        const own = await config(reference, manifest, signal);
        return {
          ref: formatReference(reference),
          digest,
          format: manifest.format,
          config: own,
          layers: manifest.layers.map((descriptor, i) => layerOf(reference, descriptor, own.rootfs.diff_ids[i] as string, origin)),
          warnings: fromIndex ? [] : platformWarnings(reference, platformOf(own), platform),
        } satisfies BaseImage;
      } catch (error) {
        throw named(error, reference);
      }
    },
  };
}

/** A damaged document is fetched again: the store has removed it. */
async function fromStore(store: DiskStore, digest: Digest): Promise<Uint8Array | null> {
  try {
    return await store.getBytes(digest);
  } catch (error) {
    if (error instanceof TsbuildError && error.code === 'BLOB_DIGEST_MISMATCH') return null;
    throw error;
  }
}

function diffIdOf(text: string): Digest {
  try {
    return parseDigest(text);
  } catch (cause) {
    throw new TsbuildError('IMAGE_INVALID', `it has the diff id "${text}", which is not a sha256 digest`, { cause });
  }
}

function platformOf({ os, architecture, variant }: ImageConfig): Platform {
  return normalizePlatform({ os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) });
}

/** An image that is no index is taken whatever its platform, as Docker does. */
function platformWarnings(reference: Reference, has: Platform, want: Platform): readonly string[] {
  if (pickPlatform([{ platform: has }], want) !== null) return [];
  return [`${formatReference(reference)} is for ${formatPlatform(has)}, not for ${formatPlatform(want)}`];
}

/** Faults of an image's documents do not know whose documents they are. */
function named(error: unknown, reference: Reference): unknown {
  if (!(error instanceof TsbuildError) || error.code !== 'IMAGE_INVALID') return error;
  return new TsbuildError('IMAGE_INVALID', `${formatReference(reference)} cannot be used: ${error.message}`, {
    hint: error.hint,
    cause: error,
  });
}
