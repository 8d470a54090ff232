/** Images fetched ahead of builds: their manifests, configs and layers are in the cache folder, and what a build asks of layers is known. */
import { type Limiter, limiter } from '../async/limiter.ts';
import type { BaseImage, ImageSource } from '../base-image/image-source.ts';
import { readDockerfile } from '../dockerfile/parse.ts';
import { locate } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { ImageConfig, Layer } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import { namedImages } from '../plan/named-images.ts';
import { baseKey, type PlanInputs } from '../plan/plan.ts';
import type { LayerLibrary, LayerNeed } from '../unpacked/layer-library.ts';
import type { Report } from './events.ts';

export interface WarmRequest {
  /** References, each wanted for each platform. */
  readonly images: readonly string[];
  readonly platforms: readonly Platform[];
  /** Its images are wanted, too, by the arguments and the target in `inputs`; null target: those of all stages. */
  readonly dockerfile: {
    readonly file: string;
    readonly bytes: Uint8Array;
    readonly inputs: Omit<PlanInputs, 'platform'>;
  } | null;
  /** `folder`: layers are unpacked, too. */
  readonly need: LayerNeed;
}

export interface WarmPorts {
  readonly images: ImageSource;
  readonly layers: LayerLibrary;
  /** Whether the layer's blob is in the cache folder. */
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** How many layers are fetched at once. */
  readonly parallelLayers: number;
  readonly report: Report;
}

/** An image that was asked for. The error says of which one it is. */
export type Warmed =
  | { readonly ref: string; readonly platform: Platform; readonly image: BaseImage }
  | { readonly ref: string; readonly platform: Platform; readonly error: unknown };

/**
 * All that could be fetched has been when this resolves; an image that cannot be fetched does not stop the others. Throws
 * TsbuildErrors for a Dockerfile that is at fault, and the signal's reason.
 */
export async function warmImages(request: WarmRequest, ports: WarmPorts, signal: AbortSignal): Promise<readonly Warmed[]> {
  const wanted = new Map<string, Promise<Warmed>>();
  const configs = new Map<string, ImageConfig>();
  const places = limiter(ports.parallelLayers);
  const want = ({ ref, platform }: Wanted, placed: (error: unknown) => unknown): void => {
    const key = baseKey({ ref, platform });
    if (wanted.has(key)) return;
    const warming = warm({ ref, platform }, { request, ports, places, signal });
    wanted.set(
      key,
      warming.then(
        (image) => {
          configs.set(key, image.config);
          return { ref, platform, image };
        },
        (error: unknown) => ({ ref, platform, error: placed(error) }),
      ),
    );
  };
  let named = imagesOfFile(request, configs);
  for (const platform of request.platforms) {
    for (const ref of request.images) want({ ref, platform }, (error) => error);
  }
  // Triggers of an image that has come may name further ones.
  for (let known = -1; known !== wanted.size; ) {
    known = wanted.size;
    for (const image of named) want(image, (error) => locate(error, image.at));
    await Promise.all(wanted.values());
    signal.throwIfAborted();
    named = imagesOfFile(request, configs);
  }
  return Promise.all(wanted.values());
}

interface Wanted {
  readonly ref: string;
  readonly platform: Platform;
}

function imagesOfFile({ dockerfile, platforms }: WarmRequest, configs: ReadonlyMap<string, ImageConfig>) {
  if (dockerfile === null) return [];
  const parsed = readDockerfile(dockerfile.bytes, dockerfile.file);
  return platforms.flatMap((platform) => namedImages(parsed, { ...dockerfile.inputs, platform }, configs));
}

interface Warming {
  readonly request: WarmRequest;
  readonly ports: WarmPorts;
  readonly places: Limiter;
  readonly signal: AbortSignal;
}

async function warm({ ref, platform }: Wanted, warming: Warming): Promise<BaseImage> {
  const { ports, places, signal } = warming;
  const image = await ports.images.resolve(ref, platform, signal);
  for (const message of image.warnings) ports.report({ type: 'warning', message });
  const layers = await Promise.allSettled(image.layers.map((layer) => places.run(() => fetchLayer(layer, warming))));
  for (const result of layers) if (result.status === 'rejected') throw result.reason;
  return image;
}

async function fetchLayer(layer: Layer, { request, ports, signal }: Warming): Promise<void> {
  await ports.layers.material(layer, request.need, signal);
  // What is known of a layer may outlive its blob.
  if (await ports.has(layer.descriptor.digest, signal)) return;
  for await (const _ of await layer.open(signal)) signal.throwIfAborted();
}
