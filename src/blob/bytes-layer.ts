/** A document, to be sent where layers are sent. */
import { Readable } from 'node:stream';
import type { Document } from '../image/assemble.ts';
import type { Layer } from '../image/image.ts';

export function bytesLayer({ descriptor, bytes }: Document): Pick<Layer, 'descriptor' | 'open'> {
  return { descriptor, open: () => Promise.resolve(Readable.from([bytes], { objectMode: false })) };
}
