/**
 * The steps that an exported cache, or an image with an inline cache, lists. Fetched once, when the first step is asked for;
 * look-ups are answered from memory but for the question whether the layer is still there. Keeps nothing.
 */
import { limiter } from '../async/limiter.ts';
import { TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import { parseImageConfig } from '../image/image-config.ts';
import { parseManifest } from '../image/manifest.ts';
import { sharedWork } from '../registry/shared-work.ts';
import { type DocumentStep, decodeDocument } from './cache-document.ts';
import type { CachePlace, PlacedManifest } from './cache-place.ts';
import { placedStep } from './placed-step.ts';
import type { CacheKey, StepCache } from './step-cache.ts';

export interface ImportedStepCacheOptions {
  readonly place: CachePlace;
  /** A tag or a digest. */
  readonly name: string | Digest;
}

/** Ten thousand steps take two of them. */
const MAX_CONFIG_BYTES = 8 * 1024 * 1024;
/** More than anybody builds for. */
const MOST_PLATFORMS = 32;
const LOOK_UPS_AT_ONCE = 32;

type Steps = ReadonlyMap<CacheKey, DocumentStep & { readonly origin: string | null }>;

export function importedStepCache({ place, name }: ImportedStepCacheOptions): StepCache {
  const documents = sharedWork<Steps>('results');
  const there = sharedWork<boolean>('results');
  const lookUps = limiter(LOOK_UPS_AT_ONCE);
  const label = `${place.label}${name.startsWith('sha256:') ? '@' : ':'}${name}`;

  const read = async (signal: AbortSignal): Promise<Steps> => {
    const manifest = await place.manifest(name, signal);
    if (manifest === null) return new Map();
    try {
      return await stepsOf(manifest, place, signal);
    } catch (error) {
      if (!(error instanceof TsbuildError) || error.code !== 'IMAGE_INVALID') throw error;
      throw new TsbuildError('IMAGE_INVALID', `the cache ${label} cannot be used: ${error.message}`, { cause: error });
    }
  };

  return {
    label,
    async find(key, kind, signal) {
      const step = (await documents.get('all', read, signal)).get(key);
      if (step?.kind !== kind) return null;
      const { descriptor, origin } = step;
      const has = (own: AbortSignal): Promise<boolean> => lookUps.run(() => place.hasBlob(descriptor, own));
      return (await there.get(descriptor.digest, has, signal)) ? placedStep(place, step, origin) : null;
    },
    async keep(_, signal) {
      signal.throwIfAborted();
    },
    async finish(signal) {
      signal.throwIfAborted();
    },
  };
}

/** Of an image, or of all images of an index. */
async function stepsOf(placed: PlacedManifest, place: CachePlace, signal: AbortSignal): Promise<Steps> {
  const manifest = parseManifest(placed.bytes, placed.contentType);
  if (manifest.kind === 'image') {
    if (manifest.config.size > MAX_CONFIG_BYTES) throw new TsbuildError('IMAGE_INVALID', `its config has ${manifest.config.size} bytes`);
    const config = parseImageConfig(await place.blob(manifest.config, signal), manifest.layers.length);
    const { origin } = placed;
    return new Map([...decodeDocument(config, manifest.layers)].map(([key, step]) => [key, { ...step, origin }]));
  }
  if (manifest.entries.length > MOST_PLATFORMS) throw new TsbuildError('IMAGE_INVALID', `it lists ${manifest.entries.length} images`);
  const images = await Promise.all(
    manifest.entries.map(async ({ descriptor }) => {
      const image = await place.manifest(descriptor.digest, signal);
      if (image === null) return new Map() as Steps;
      if (parseManifest(image.bytes, image.contentType).kind === 'index')
        throw new TsbuildError('IMAGE_INVALID', 'it lists an index in an index');
      return stepsOf(image, place, signal);
    }),
  );
  return new Map(images.flatMap((steps) => [...steps]));
}
