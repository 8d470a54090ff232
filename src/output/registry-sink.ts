/**
 * Pushes an image, or an index of several, under one name. Layers go as soon as they are known, the manifest last, so the name
 * never points to an image that is not whole. What the registry has already, or can mount, is not sent.
 */

import { bytesLayer } from '../blob/bytes-layer.ts';
import { assemblePublication, isForeignLayer } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Layer } from '../image/image.ts';
import { formatReference, type Reference, repositoryOf, withDefaultTag } from '../image/reference.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import { allOrStop } from './all-or-stop.ts';
import type { ImageSink } from './image-sink.ts';

export interface RegistrySinkOptions {
  readonly client: RegistryClient;
  /** With a tag or without one, which means `latest`. Its digest, if any, is not looked at. */
  readonly destination: Reference;
  readonly places?: BlobPlaces;
}

/** Which repositories, `host/path`, have a blob. */
export interface BlobPlaces {
  of(digest: Digest): readonly string[];
  /** A layer is there. */
  delivered(digest: Digest, repository: string): void;
}

export function registrySink({ client, destination, places }: RegistrySinkOptions): ImageSink {
  const { registry, repository, tag } = withDefaultTag({
    registry: destination.registry,
    repository: destination.repository,
    ...tagOf(destination),
  });
  const where = formatReference({ registry, repository, ...(tag === undefined ? {} : { tag }) });
  const to = { registry, repository };
  const own = repositoryOf(to);
  const halt = new AbortController();
  const offered = new Map<Digest, { readonly done: Promise<void>; readonly stop: AbortController }>();

  const deliver = async (layer: Layer, signal: AbortSignal): Promise<void> => {
    const { digest } = layer.descriptor;
    const origins = [...new Set([...(places?.of(digest) ?? []), ...(layer.origins ?? [])])];
    await client.pushBlob(to, { descriptor: layer.descriptor, origins, open: layer.open }, signal);
    places?.delivered(digest, own);
  };

  const push = (layer: Layer, signal: AbortSignal): Promise<void> => {
    const known = offered.get(layer.descriptor.digest);
    if (known !== undefined) return known.done;
    const stop = new AbortController();
    const done = deliver(layer, AbortSignal.any([signal, stop.signal, halt.signal]));
    // `write` awaits it; until then nobody does.
    done.catch(() => undefined);
    offered.set(layer.descriptor.digest, { done, stop });
    return done;
  };

  return {
    label: where,
    check: (signal) => client.checkPush(to, signal),
    offer(layer, signal) {
      if (!isForeignLayer(layer.descriptor)) void push(layer, signal);
    },
    async write(images, signal) {
      const { images: assembled, index, top } = assemblePublication(images);
      const layers = images.flatMap((image) => image.layers).filter((layer) => !isForeignLayer(layer.descriptor));
      const wanted = new Set(layers.map((layer) => layer.descriptor.digest));
      for (const [digest, { stop }] of offered) if (!wanted.has(digest)) stop.abort(new Error('the image does not have this layer'));
      const pushes = [
        ...layers.map((layer) => push(layer, signal)),
        ...assembled.map(({ config }) => client.pushBlob(to, bytesLayer(config), AbortSignal.any([signal, halt.signal]))),
      ];
      await allOrStop(pushes, () => halt.abort(new Error('another blob could not be pushed')));
      // By digest only: the index is what gets the name.
      if (index !== null) await Promise.all(assembled.map(({ manifest }) => client.pushManifest(to, manifest, null, signal)));
      await client.pushManifest(to, top, tag ?? null, signal);
      return { where, digest: top.descriptor.digest };
    },
  };
}

function tagOf({ tag }: Reference): { tag?: string } {
  return tag === undefined ? {} : { tag };
}
