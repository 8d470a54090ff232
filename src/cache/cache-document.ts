/**
 * Many steps listed in the config of an image, each by the place of its layer among the image's: what an image that was built
 * with an inline cache has, and what an exported cache is altogether. Holds neither commands nor what keys were made of. Pure.
 */
import { TsbuildError } from '../errors.ts';
import { type AssembledImage, assembleImage } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Descriptor, ImageConfig } from '../image/image.ts';
import { CACHE_FIELD } from '../image/inline-cache.ts';
import { isObject } from '../image/json.ts';
import { cacheImage } from './cache-entry.ts';
import { checkedDigest, checkedKind, checkedLayer, checkedTime } from './checked.ts';
import type { CachedKind, CacheKey, MadeStep } from './step-cache.ts';

export interface DocumentStep {
  readonly kind: CachedKind;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** RFC 3339 */
  readonly created: string;
  /** See FoundStep. */
  readonly below: Digest;
}

export type CacheDocument = ReadonlyMap<CacheKey, DocumentStep>;

type ListedStep = Pick<MadeStep, 'key' | 'kind' | 'created' | 'below'> & { readonly layer: Pick<MadeStep['layer'], 'diffId'> };

/** The config of an image with the steps that made its layers; steps of other layers are left out. BuildKit: `--cache-to type=inline`. */
export function withInlineCache(config: ImageConfig, steps: readonly ListedStep[]): ImageConfig {
  const places = new Map(config.rootfs.diff_ids.map((diffId, i) => [diffId, i]));
  const listed = new Map<CacheKey, object>();
  for (const { key, kind, created, below, layer } of steps) {
    const place = places.get(layer.diffId);
    if (place !== undefined) listed.set(key, { key, kind, created, below, layer: place });
  }
  return { ...config, [CACHE_FIELD]: { steps: sortedByKey(listed) } };
}

/** The same steps make the same bytes, whatever their order. */
export function encodeDocument(steps: readonly MadeStep[]): AssembledImage {
  const layers = new Map(sortedByKey(new Map(steps.map((step) => [step.key, step]))).map(({ layer }) => [layer.diffId, layer]));
  const image = cacheImage([...layers.values()], {});
  return assembleImage({ ...image, config: withInlineCache(image.config, steps) });
}

/** What an image's config lists. Empty when it lists nothing. Throws IMAGE_INVALID. `layers`: of its manifest. */
export function decodeDocument(config: ImageConfig, layers: readonly Descriptor[]): CacheDocument {
  const field = config[CACHE_FIELD];
  if (field === undefined) return new Map();
  const steps = isObject(field) ? field['steps'] : undefined;
  if (!Array.isArray(steps)) throw new TsbuildError('IMAGE_INVALID', 'its list of steps has an unexpected form');
  return new Map(steps.map((step: unknown) => decodeStep(step, config, layers)));
}

function decodeStep(step: unknown, config: ImageConfig, layers: readonly Descriptor[]): [CacheKey, DocumentStep] {
  if (!isObject(step)) throw new TsbuildError('IMAGE_INVALID', 'its list of steps has an unexpected form');
  const place = step['layer'];
  const descriptor = typeof place === 'number' ? layers[place] : undefined;
  const diffId = typeof place === 'number' ? config.rootfs.diff_ids[place] : undefined;
  if (descriptor === undefined) throw new TsbuildError('IMAGE_INVALID', 'a step names a layer that is not there');
  return [
    checkedDigest(step['key'], 'the key of a step'),
    {
      kind: checkedKind(step['kind'], 'the kind of a step'),
      descriptor: checkedLayer(descriptor),
      diffId: checkedDigest(diffId, 'the diff id of a layer'),
      created: checkedTime(step['created'], 'the date of a step'),
      below: checkedDigest(step['below'], 'what is below a step'),
    },
  ];
}

function sortedByKey<V>(steps: ReadonlyMap<CacheKey, V>): readonly V[] {
  return [...steps].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, step]) => step);
}
