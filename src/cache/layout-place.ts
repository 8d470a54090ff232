/** Images of a cache in an OCI layout: a folder of this machine, read in place. Each has a name in the layout's index. */
import { constants, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesLayer } from '../blob/bytes-layer.ts';
import {
  hasLayoutBlob,
  openLayoutBlob,
  REF_NAME,
  readLayoutBlob,
  readLayoutIndex,
  readLayoutManifest,
  refNameOf,
} from '../blob/layout-reader.ts';
import { addToLayoutIndex, prepareLayout, writeLayoutBlob } from '../blob/layout-writer.ts';
import type { Digest } from '../image/digest.ts';
import type { IndexEntry } from '../image/manifest.ts';
import { tryLock } from '../sys/flock.ts';
import type { CachePlace } from './cache-place.ts';
import { isDigest } from './checked.ts';

const LOCK_POLL_MS = 20;

/** `folder`: absolute. It need not be there yet. */
export function layoutPlace(folder: string): CachePlace {
  // Hundreds of names are looked up at once; what this build adds makes the next one read it again.
  let index: Promise<readonly IndexEntry[]> | undefined;
  let writing: Promise<void> = Promise.resolve();

  const indexOf = (): Promise<readonly IndexEntry[]> => {
    const reading = (index ??= readIndex(folder));
    reading.catch(() => {
      if (index === reading) index = undefined;
    });
    return reading;
  };

  const digestOfName = async (name: string): Promise<Digest | undefined> =>
    (await indexOf()).findLast(({ descriptor }) => refNameOf(descriptor) === name)?.descriptor.digest;

  return {
    label: folder,
    async manifest(name, signal) {
      signal.throwIfAborted();
      const digest = isDigest(name) ? name : await digestOfName(name);
      if (digest === undefined) return null;
      return { bytes: await readLayoutManifest(folder, digest), contentType: null, origin: null };
    },
    blob: (descriptor) => readLayoutBlob(folder, descriptor),
    hasBlob: (descriptor) => hasLayoutBlob(folder, descriptor),
    open: (descriptor, signal) => openLayoutBlob(folder, descriptor, signal),
    async putBlob(blob, signal) {
      signal.throwIfAborted();
      await prepareLayout(folder);
      await writeLayoutBlob(folder, blob, signal);
    },
    async putManifest(manifest, tag, signal) {
      await writeLayoutBlob(folder, bytesLayer(manifest), signal);
      const entry = { ...manifest.descriptor, annotations: { [REF_NAME]: tag } };
      const write = writing.then(() => locked(folder, signal, () => addToLayoutIndex(folder, [entry], signal)));
      writing = write.catch(() => undefined);
      await write;
      index = undefined;
    },
  };
}

/** Empty where nobody has written anything yet. */
async function readIndex(folder: string): Promise<readonly IndexEntry[]> {
  try {
    await stat(join(folder, 'index.json'));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
  return readLayoutIndex(folder);
}

/** The index is read, changed and written by one process at a time. Where folders cannot be locked, the last one wins. */
async function locked(folder: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    while (!lockOrGiveUp(handle.fd)) await sleep(LOCK_POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
    await work();
  } finally {
    await handle.close();
  }
}

function lockOrGiveUp(fd: number): boolean {
  try {
    return tryLock(fd, 'exclusive');
  } catch {
    return true;
  }
}
