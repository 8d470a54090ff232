/**
 * One step as an image of its own: a config and one layer, which any registry takes. What a look-up needs is in the manifest's
 * annotations, so that it costs one request. Holds neither the command nor what the key was made of. Pure.
 */
import { TsbuildError } from '../errors.ts';
import { type AssembledImage, annotateManifest, assembleImage } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Descriptor, Layer } from '../image/image.ts';
import { isTextRecord, parseJsonObject } from '../image/json.ts';
import { parseManifest } from '../image/manifest.ts';
import { checkedDigest, checkedKind, checkedLayer, checkedTime } from './checked.ts';
import type { CachedKind, MadeStep } from './step-cache.ts';

export interface CacheEntry {
  readonly kind: CachedKind;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** RFC 3339: when the step ran. */
  readonly created: string;
  /** See FoundStep. */
  readonly below: Digest;
  /** RFC 3339: when it was put into the cache. */
  readonly kept: string;
}

const ANNOTATION = {
  key: 'tsbuild.cache.key',
  kind: 'tsbuild.cache.kind',
  diffId: 'tsbuild.cache.diff-id',
  below: 'tsbuild.cache.below',
  created: 'org.opencontainers.image.created',
  kept: 'tsbuild.cache.kept',
} as const;

export function encodeEntry(step: MadeStep, kept: Date): AssembledImage {
  const { key, kind, created, below, layer } = step;
  const image = assembleImage(cacheImage([layer], { created: kept.toISOString() }));
  const annotations = {
    [ANNOTATION.key]: key,
    [ANNOTATION.kind]: kind,
    [ANNOTATION.diffId]: layer.diffId,
    [ANNOTATION.below]: below,
    [ANNOTATION.created]: created,
    [ANNOTATION.kept]: kept.toISOString(),
  };
  return { ...image, manifest: annotateManifest(image.manifest, annotations) };
}

/** Throws IMAGE_INVALID for what is not the entry of `key`. */
export function decodeEntry(bytes: Uint8Array, contentType: string | null, key: Digest): CacheEntry {
  const manifest = parseManifest(bytes, contentType);
  const { annotations } = parseJsonObject(bytes, 'the entry');
  if (manifest.kind !== 'image' || !isTextRecord(annotations)) throw new TsbuildError('IMAGE_INVALID', 'it is not an entry of a cache');
  const [layer, ...others] = manifest.layers;
  if (layer === undefined || others.length > 0)
    throw new TsbuildError('IMAGE_INVALID', `it has ${manifest.layers.length} layers instead of one`);
  if (annotations[ANNOTATION.key] !== key) throw new TsbuildError('IMAGE_INVALID', 'it is the entry of another key');
  return {
    kind: checkedKind(annotations[ANNOTATION.kind], 'its kind'),
    descriptor: checkedLayer(layer),
    diffId: checkedDigest(annotations[ANNOTATION.diffId], 'its diff id'),
    created: checkedTime(annotations[ANNOTATION.created], 'its date'),
    below: checkedDigest(annotations[ANNOTATION.below], 'what is below it'),
    kept: checkedTime(annotations[ANNOTATION.kept], 'the date of its keeping'),
  };
}

/** Layers of steps as an image that is of no platform. */
export function cacheImage(layers: readonly Layer[], fields: Readonly<Record<string, unknown>>): Parameters<typeof assembleImage>[0] {
  const rootfs = { type: 'layers' as const, diff_ids: layers.map(({ diffId }) => diffId) };
  return { format: 'oci', layers, config: { architecture: 'unknown', os: 'unknown', ...fields, rootfs } };
}
