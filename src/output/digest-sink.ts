/** --no-push without a file: the image goes nowhere, only its digest is told. */
import { assemblePublication } from '../image/assemble.ts';
import type { ImageSink } from './image-sink.ts';

export function digestSink(): ImageSink {
  return {
    label: 'nowhere (not pushed)',
    check: () => Promise.resolve(),
    offer: () => undefined,
    write: (images) => Promise.resolve({ where: '', digest: assemblePublication(images).top.descriptor.digest }),
  };
}
