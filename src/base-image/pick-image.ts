/**
 * From a document (an image's manifest or an index) to the one image that fits a platform, with its config. Where documents
 * come from is the caller's. Spec: OCI image-spec image-index.md, manifest.md.
 */
import { TsbuildError } from '../errors.ts';
import { type Digest, parseDigest } from '../image/digest.ts';
import type { Descriptor, ImageConfig, Layer } from '../image/image.ts';
import { parseImageConfig } from '../image/image-config.ts';
import { type ImageIndex, type ImageManifest, type IndexEntry, parseManifest } from '../image/manifest.ts';
import { compressionOf } from '../image/media-types.ts';
import { formatPlatform, normalizePlatform, type Platform, pickPlatform } from '../image/platform.ts';
import type { BaseImage } from './image-source.ts';

export interface ManifestDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** What its source called it, if it did. */
  readonly contentType: string | null;
}

/** One place that documents come from, verified by their digests. */
export interface DocumentSource {
  /** Begins messages: the image as users know it. */
  readonly label: string;
  manifest(digest: Digest, signal: AbortSignal): Promise<ManifestDocument>;
  config(descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array>;
}

export interface PickedImage {
  readonly manifest: ImageManifest;
  /** Of the manifest. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Layers with the diff ids that the config gives them, lowest first. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: Digest }[];
  readonly warnings: readonly string[];
}

/** `layer`: where a layer's bytes come from, and the repository that it can be mounted from. */
export function baseImage(
  { manifest, digest, config, layers, warnings }: PickedImage,
  ref: string,
  layer: (descriptor: Descriptor) => Pick<Layer, 'origins' | 'open'>,
): BaseImage {
  return {
    ref,
    digest,
    format: manifest.format,
    config,
    layers: layers.map(({ descriptor, diffId }) => ({ descriptor, diffId, ...layer(descriptor) })),
    warnings,
  };
}

/** An index may list indexes; nobody nests them deeper. */
const MAX_INDEX_DEPTH = 3;
/** Configs hold history and labels; the largest seen in the wild are far below. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** Throws IMAGE_INVALID, PLATFORM_INVALID, and what `source` throws. */
export async function pickImage(
  first: ManifestDocument,
  platform: Platform,
  source: DocumentSource,
  signal: AbortSignal,
): Promise<PickedImage> {
  try {
    let found = first;
    for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
      const parsed = parseManifest(found.bytes, found.contentType);
      if (parsed.kind === 'image') {
        const config = await configOf(parsed, source, signal);
        const warnings = depth > 0 ? [] : platformWarnings(source.label, platformOf(config), platform);
        return { manifest: parsed, digest: found.digest, config, layers: layersOf(parsed, config), warnings };
      }
      const descriptor = await choose(parsed, platform, source, signal);
      found = await source.manifest(descriptor.digest, signal);
    }
    throw new TsbuildError('IMAGE_INVALID', `indexes are nested more than ${MAX_INDEX_DEPTH} deep`);
  } catch (error) {
    throw named(error, source.label);
  }
}

async function configOf({ config, layers }: ImageManifest, source: DocumentSource, signal: AbortSignal): Promise<ImageConfig> {
  if (config.size > MAX_CONFIG_BYTES) throw new TsbuildError('IMAGE_INVALID', `the image config has ${config.size} bytes`);
  return parseImageConfig(await source.config(config, signal), layers.length);
}

async function choose(index: ImageIndex, platform: Platform, source: DocumentSource, signal: AbortSignal): Promise<Descriptor> {
  const entries = await Promise.all(index.entries.map((entry) => withPlatform(entry, source, signal)));
  const chosen = pickPlatform(entries, platform);
  const entry = chosen === null ? undefined : entries[chosen];
  if (entry !== undefined) return entry.descriptor;
  const offered = entries.flatMap((e) => (e.platform === undefined ? [] : [formatPlatform(e.platform)]));
  throw new TsbuildError('PLATFORM_INVALID', `${source.label} has no image for ${formatPlatform(platform)}`, {
    hint: offered.length === 0 ? 'it lists no images at all' : `it has ${[...new Set(offered)].join(', ')}`,
  });
}

/** The platform of an entry that does not name one is that of its config. */
async function withPlatform(entry: IndexEntry, source: DocumentSource, signal: AbortSignal): Promise<IndexEntry> {
  if (entry.platform !== undefined) return entry;
  const found = await source.manifest(entry.descriptor.digest, signal);
  const manifest = parseManifest(found.bytes, found.contentType);
  return manifest.kind === 'index' ? entry : { ...entry, platform: platformOf(await configOf(manifest, source, signal)) };
}

function layersOf({ layers }: ImageManifest, config: ImageConfig): PickedImage['layers'] {
  return layers.map((descriptor, i) => {
    if (compressionOf(descriptor.mediaType) === null) {
      throw new TsbuildError('IMAGE_INVALID', `it has a layer of the media type ${descriptor.mediaType}, which is not a layer's`);
    }
    return { descriptor, diffId: diffIdOf(config.rootfs.diff_ids[i] as string) };
  });
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
function platformWarnings(label: string, has: Platform, want: Platform): readonly string[] {
  if (pickPlatform([{ platform: has }], want) !== null) return [];
  return [`${label} is for ${formatPlatform(has)}, not for ${formatPlatform(want)}`];
}

/** Faults of an image's documents do not know whose documents they are. */
function named(error: unknown, label: string): unknown {
  if (!(error instanceof TsbuildError) || error.code !== 'IMAGE_INVALID') return error;
  return new TsbuildError('IMAGE_INVALID', `${label} cannot be used: ${error.message}`, { hint: error.hint, cause: error });
}
