/**
 * An OCI image layout folder. Other images that it holds stay; one of the same name is replaced. index.json is written
 * last and by a rename, so readers see the image whole or not at all. Spec: OCI image-spec image-layout.md.
 */

import { bytesLayer } from '../blob/bytes-layer.ts';
import { REF_NAME } from '../blob/layout-reader.ts';
import { addToLayoutIndex, prepareLayout, writeLayoutBlob } from '../blob/layout-writer.ts';
import { type AssembledPublication, assemblePublication, isForeignLayer, platformObject } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Images, Layer } from '../image/image.ts';
import type { JsonObject } from '../image/json.ts';
import { formatReference, type Reference, withDefaultTag } from '../image/reference.ts';
import { allOrStop } from './all-or-stop.ts';
import type { ImageSink } from './image-sink.ts';

export interface OciLayoutSinkOptions {
  /** Absolute. */
  readonly folder: string;
  /** The names of the image in the index; none: it has no name there. */
  readonly references: readonly Reference[];
}

/** What BuildKit and containerd look at, where `ref.name` is only the tag. */
const IMAGE_NAME = 'io.containerd.image.name';

export function ociLayoutSink({ folder, references }: OciLayoutSinkOptions): ImageSink {
  const copying = new Map<Digest, Promise<void>>();
  const halt = new AbortController();

  const store = (blob: Pick<Layer, 'descriptor' | 'open'>, signal: AbortSignal): Promise<void> => {
    const { digest } = blob.descriptor;
    const known = copying.get(digest);
    if (known !== undefined) return known;
    const done = writeLayoutBlob(folder, blob, AbortSignal.any([signal, halt.signal]));
    // `write` awaits it; until then nobody does.
    done.catch(() => undefined);
    copying.set(digest, done);
    return done;
  };

  return {
    label: folder,
    check: () => prepareLayout(folder),
    offer(layer, signal) {
      if (!isForeignLayer(layer.descriptor)) void store(layer, signal);
    },
    async write(images, signal) {
      const publication = assemblePublication(images);
      const layers = images.flatMap((image) => image.layers).filter((layer) => !isForeignLayer(layer.descriptor));
      const documents = publication.images.flatMap(({ config, manifest }) => [config, manifest]);
      const blobs = [...layers, ...[...documents, publication.top].map(bytesLayer)];
      await allOrStop(
        blobs.map((blob) => store(blob, signal)),
        () => halt.abort(new Error('another blob could not be written')),
      );
      await addToLayoutIndex(folder, entries(images, publication, references), signal);
      return { where: folder, digest: publication.top.descriptor.digest };
    },
  };
}

/** An index of several images is a blob like a manifest, as buildx writes it: its entry has no platform. */
function entries([image]: Images, { top, index }: AssembledPublication, references: readonly Reference[]): readonly JsonObject[] {
  const descriptor = { ...top.descriptor, ...(index === null ? { platform: platformObject(image.config) } : {}) };
  if (references.length === 0) return [descriptor];
  return references.map(withDefaultTag).map(({ registry, repository, tag }) => ({
    ...descriptor,
    annotations: {
      [IMAGE_NAME]: formatReference({ registry, repository, ...(tag === undefined ? {} : { tag }) }),
      ...(tag === undefined ? {} : { [REF_NAME]: tag }),
    },
  }));
}
