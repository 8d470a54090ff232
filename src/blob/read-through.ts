/**
 * Blobs from elsewhere, kept in the disk store as they are read. A blob that many ask for at once is fetched once, at full
 * speed: it goes to the disk, and each reader follows the growing file at its own pace.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { Digest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import type { BlobUpload } from './blob.ts';
import type { DiskStore } from './disk-store.ts';

export interface ReadThrough {
  /**
   * The blob from the store, else from `fetch`, whose stream must verify itself. A reader's stream ends only after the whole
   * blob was verified and stored. The fetch is given up when its last reader is gone. Throws what `fetch` and the store throw.
   */
  open(descriptor: Descriptor, fetch: (signal: AbortSignal) => Promise<Readable>, signal: AbortSignal): Promise<Readable>;
}

interface Fetch {
  readonly stop: AbortController;
  /** Where the bytes grow. Rejects when the blob cannot be fetched at all. */
  readonly path: Promise<string>;
  /** Bytes that can be read from `path`. */
  written: number;
  state: { readonly kind: 'running' | 'done' } | { readonly kind: 'failed'; readonly error: unknown };
  readers: number;
  /** Woken at each change of `written` and `state`. */
  waiting: (() => void)[];
}

const READ_BYTES = 1 << 20;

export function readThrough(store: DiskStore): ReadThrough {
  const fetches = new Map<Digest, Fetch>();

  const start = (descriptor: Descriptor, fetch: (signal: AbortSignal) => Promise<Readable>): Fetch => {
    const stop = new AbortController();
    const begin = async (): Promise<string> => {
      try {
        const source = await fetch(stop.signal);
        const upload = await store.begin(stop.signal);
        void pump(source, upload);
        return upload.path;
      } catch (error) {
        end({ kind: 'failed', error });
        throw error;
      }
    };
    const pump = async (source: Readable, upload: BlobUpload): Promise<void> => {
      try {
        for await (const chunk of source as AsyncIterable<Buffer>) {
          await upload.write(chunk);
          running.written += chunk.length;
          wake(running);
        }
        await upload.commit(descriptor);
        end({ kind: 'done' });
      } catch (error) {
        // The readers get the first failure; what is left of the file belongs to the temporary folder's owner.
        await upload.abort().catch(() => undefined);
        end({ kind: 'failed', error });
      }
    };
    const end = (state: Fetch['state']): void => {
      running.state = state;
      if (fetches.get(descriptor.digest) === running) fetches.delete(descriptor.digest);
      wake(running);
    };
    const running: Fetch = { stop, path: Promise.resolve().then(begin), written: 0, state: { kind: 'running' }, readers: 0, waiting: [] };
    running.path.catch(() => undefined);
    return running;
  };

  return {
    async open(descriptor, fetch, signal) {
      signal.throwIfAborted();
      if (!fetches.has(descriptor.digest) && (await store.has(descriptor.digest, signal))) return store.open(descriptor, signal);
      let running = fetches.get(descriptor.digest);
      if (running === undefined || running.stop.signal.aborted) {
        running = start(descriptor, fetch);
        fetches.set(descriptor.digest, running);
      }
      running.readers++;
      const onAbort = (): void => leave(running);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        const file = await openFetched(running);
        if (signal.aborted) await file?.close();
        signal.throwIfAborted();
        if (file !== null) return follow(running, file, signal);
        leave(running);
      } catch (error) {
        signal.throwIfAborted();
        leave(running);
        throw error;
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
      return store.open(descriptor, signal);
    },
  };
}

/** Null when the file has its place in the store already. */
async function openFetched(fetch: Fetch): Promise<FileHandle | null> {
  const path = await fetch.path;
  try {
    return await open(path, 'r');
  } catch (error) {
    if (fetch.state.kind === 'failed') throw fetch.state.error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function follow(fetch: Fetch, file: FileHandle, signal: AbortSignal): Readable {
  let position = 0;
  const step = async (): Promise<void> => {
    while (position === fetch.written && fetch.state.kind === 'running') {
      await new Promise<void>((resolve) => fetch.waiting.push(resolve));
      if (stream.destroyed) return;
    }
    if (fetch.state.kind === 'failed') throw fetch.state.error;
    if (position === fetch.written) {
      stream.push(null);
      return;
    }
    const length = Math.min(READ_BYTES, fetch.written - position);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
    if (bytesRead === 0) throw new Error(`the file of a running download lost its bytes at ${position}`);
    position += bytesRead;
    stream.push(buffer.subarray(0, bytesRead));
  };
  const onAbort = (): void => void stream.destroy(signal.reason as Error);
  const stream = new Readable({
    highWaterMark: READ_BYTES,
    read: () => void step().catch((error: Error) => stream.destroy(error)),
    destroy(error, done) {
      signal.removeEventListener('abort', onAbort);
      leave(fetch);
      file.close().then(
        () => done(error),
        (failure: Error) => done(error ?? failure),
      );
    },
  });
  signal.addEventListener('abort', onAbort, { once: true });
  return stream;
}

function leave(fetch: Fetch): void {
  fetch.readers--;
  if (fetch.readers === 0 && fetch.state.kind === 'running') fetch.stop.abort(new Error('nobody reads this blob any more'));
}

function wake(fetch: Fetch): void {
  const { waiting } = fetch;
  fetch.waiting = [];
  for (const resume of waiting) resume();
}
