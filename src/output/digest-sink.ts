/** --no-push without a file: the image goes nowhere, only its digest is told. */
import { assembleImage } from '../image/assemble.ts';
import type { ImageSink } from './image-sink.ts';

export function digestSink(): ImageSink {
  return {
    label: 'nowhere (not pushed)',
    check: () => Promise.resolve(),
    offer: () => undefined,
    write: (image) => Promise.resolve({ where: '', digest: assembleImage(image).manifest.descriptor.digest }),
  };
}
