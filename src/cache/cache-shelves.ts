/** What the step cache keeps beside the blobs, for whoever prunes or checks the cache folder. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileShelf, HEX_NAMES, namesIn, type Shelf } from '../blob/shelf.ts';
import { type Digest, hexOf, parseDigest } from '../image/digest.ts';
import { stepsFolder } from './local-step-cache.ts';
import { placesFolder, readPlaces } from './places.ts';
import { decodeRecord, type StepRecord } from './step-record.ts';

export function stepShelf(cacheFolder: string): Shelf {
  const folder = stepsFolder(cacheFolder);
  const blobOf = ({ descriptor }: StepRecord): string => join(cacheFolder, 'blobs', 'sha256', hexOf(descriptor.digest));
  const recordOf = (name: string): StepRecord | 'damaged' | null => {
    const bytes = readFile(join(folder, name));
    return bytes === null ? null : (decodeRecord(bytes, digestNamed(name)) ?? 'damaged');
  };
  return fileShelf({
    kind: 'step',
    folder,
    names: HEX_NAMES,
    useless: () =>
      namesIn(folder).filter((name) => {
        const record = HEX_NAMES.test(name) ? recordOf(name) : null;
        return record === 'damaged' || (record !== null && !existsSync(blobOf(record)));
      }),
    check: async (name) => (recordOf(name) === 'damaged' ? 'it is damaged, or of another version of tsbuild' : null),
  });
}

export function placeShelf(cacheFolder: string): Shelf {
  const folder = placesFolder(cacheFolder);
  return fileShelf({
    kind: 'place',
    folder,
    names: HEX_NAMES,
    labelOf: (name) => `sha256:${name}`,
    check: async (name) => (existsSync(join(folder, name)) && readPlaces(join(folder, name)) === null ? 'it is damaged' : null),
  });
}

function digestNamed(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** Null: it is not there. */
function readFile(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
