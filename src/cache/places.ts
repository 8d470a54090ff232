/**
 * Which repositories have a blob, as far as builds of this machine pushed it: a push to another repository of the same registry
 * mounts it from there. One small file for each blob, the latest repository first. Wrong ones cost a request, nothing more.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, hexOf } from '../image/digest.ts';
import { parseReference, repositoryOf } from '../image/reference.ts';
import { makeFolder } from '../sys/make-folder.ts';

export interface Places {
  /** `host/path`, the latest first. Empty where nothing is known. */
  of(digest: Digest): readonly string[];
  /** `repository`: `host/path`. A failure loses no more than time. */
  delivered(digest: Digest, repository: string): void;
}

export interface PlacesOptions {
  readonly cacheFolder: string;
  /** Of this build, on the same file system. */
  readonly workFolder: string;
}

/** One registry after the other, as builds of one machine use them. */
const MOST = 6;
const MOST_BYTES = 4096;

export function placesFolder(cacheFolder: string): string {
  return join(cacheFolder, 'places');
}

export function places({ cacheFolder, workFolder }: PlacesOptions): Places {
  const folder = placesFolder(cacheFolder);
  let written = 0;
  const of = (digest: Digest): readonly string[] => readPlaces(join(folder, hexOf(digest))) ?? [];
  return {
    of,
    delivered(digest, repository) {
      const known = of(digest);
      if (known[0] === repository) return;
      const latest = [repository, ...known.filter((one) => one !== repository)].slice(0, MOST);
      const temporary = join(workFolder, `place-${written++}`);
      try {
        makeFolder(folder, 0o700);
        writeFileSync(temporary, JSON.stringify(latest));
        renameSync(temporary, join(folder, hexOf(digest)));
      } catch {
        // The next push sends the blob where it might have mounted it.
      }
    },
  };
}

/** Null: the file is damaged, or not there. */
export function readPlaces(path: string): readonly string[] | null {
  try {
    const text = readFileSync(path, 'utf8');
    const found: unknown = text.length > MOST_BYTES ? null : JSON.parse(text);
    return Array.isArray(found) && found.length <= MOST && found.every(isRepository) ? found : null;
  } catch {
    return null;
  }
}

function isRepository(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  try {
    const reference = parseReference(value);
    return reference.tag === undefined && reference.digest === undefined && repositoryOf(reference) === value;
  } catch {
    return false;
  }
}
