/** The blobs of a disk store, for whoever prunes or checks the cache folder. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { fileShelf, HEX_NAMES, type Shelf } from './shelf.ts';

/** `folder`: that of the store. */
export function blobShelf(folder: string): Shelf {
  const blobs = join(folder, 'blobs', 'sha256');
  return fileShelf({
    kind: 'blob',
    folder: blobs,
    names: HEX_NAMES,
    labelOf: (name) => `sha256:${name}`,
    async check(name, signal) {
      const hash = createHash('sha256');
      try {
        for await (const chunk of createReadStream(join(blobs, name), { signal, highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
        throw error;
      }
      const found = hash.digest('hex');
      return found === name ? null : `its bytes have the digest sha256:${found}`;
    },
  });
}
