/**
 * A layer library whose new layers have one time for every file, whenever they are made: --reproducible. Only what the image
 * gets is dated so. Its material keeps the times of the files: later steps run on that, and programs judge by times (make) or
 * refuse those before 1980 (zip).
 */
import type { BlobStore } from '../blob/blob.ts';
import { TsbuildError } from '../errors.ts';
import type { Layer } from '../image/image.ts';
import { compressionOf, type ImageFormat } from '../image/media-types.ts';
import { decompress } from '../layer/decompress.ts';
import { redateTar } from '../layer/redate.ts';
import { sealTar } from '../layer/seal.ts';
import type { LayerLibrary } from './layer-library.ts';

export interface DatedLibraryOptions {
  /** Where `library` puts new layers; the dated ones get there too. */
  readonly store: BlobStore;
  readonly date: Date;
}

export function datedLibrary(library: LayerLibrary, { store, date }: DatedLibraryOptions): LayerLibrary {
  const mtimeNs = BigInt(date.getTime()) * 1_000_000n;

  async function redated(layer: Layer, format: ImageFormat, signal: AbortSignal): Promise<Layer> {
    const compression = compressionOf(layer.descriptor.mediaType);
    if (compression === null) throw new TsbuildError('IMAGE_INVALID', `layer ${layer.descriptor.digest} is of no known compression`);
    const plain = decompress(await layer.open(signal), compression, signal);
    const tar = redateTar(plain, { mtimeNs, signal });
    const { descriptor, diffId } = await sealTar(tar, { sinks: [store], format, compression, level: undefined, taps: [], signal });
    return { descriptor, diffId, open: (own) => store.open(descriptor, own) };
  }

  return {
    ...library,
    seal(entries, how, signal) {
      const undated = library.seal(entries, how, signal);
      const dated = undated.layer.then((sealed) => redated(sealed, how.format, signal));
      dated.catch(() => undefined);
      return { ...undated, layer: dated };
    },
  };
}
