/**
 * Blobs as files named by their digests, laid out as in an OCI image layout: `<folder>/blobs/sha256/<hex>`.
 * Processes share a folder: a blob appears whole by a rename, and equal names mean equal bytes. Whoever found a blob has it until the
 * build ends, whoever prunes meanwhile (cache-use.ts). Nothing is flushed to the disk; a blob that a crash damaged is found by its
 * digest when it is read, and removed.
 */
import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { type FileHandle, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf, hexOf } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { makeFolder } from '../sys/make-folder.ts';
import type { BlobStore, BlobUpload } from './blob.ts';
import { type CacheUse, UNPRUNED } from './cache-use.ts';
import { type Verifier, verifier } from './verify.ts';

export interface DiskStore extends BlobStore {
  /** An upload whose bytes can be read from `path` before it is committed. */
  begin(signal: AbortSignal): Promise<BlobUpload & { readonly path: string }>;
  /** A small blob: a manifest or a config. Throws STORE_FAILED. */
  putBytes(bytes: Uint8Array): Promise<Digest>;
  /** A small blob, verified; null when it is not there. Throws BLOB_DIGEST_MISMATCH. */
  getBytes(digest: Digest): Promise<Uint8Array | null>;
  /** Bytes of the file, which a crash may have made others than the blob's; null when it is not there. */
  size(digest: Digest): Promise<number | null>;
}

const READ_BYTES = 1 << 20;

/** `temporaryFolder` is on the file system of `folder`; whoever made it removes what a killed process leaves there. */
export function diskStore(folder: string, temporaryFolder: string, use: CacheUse = UNPRUNED): DiskStore {
  const blobs = join(folder, 'blobs', 'sha256');
  const pathOf = (digest: Digest): string => join(blobs, hexOf(digest));

  const discard = async (digest: Digest): Promise<void> => {
    await rm(pathOf(digest), { force: true });
  };

  const publish = async (temporary: string, digest: Digest): Promise<void> => {
    makeFolder(blobs);
    await use.enter(() => renameSync(temporary, pathOf(digest)));
  };

  const heldSize = async (digest: Digest): Promise<number | null> =>
    (await use.hold(pathOf(digest))) ? await sizeOf(pathOf(digest)) : null;

  const openHeld = async (digest: Digest): Promise<FileHandle | null> =>
    (await use.hold(pathOf(digest))) ? await openBlob(pathOf(digest)) : null;

  const temporaryPath = async (): Promise<string> => {
    makeFolder(temporaryFolder);
    return join(temporaryFolder, `blob-${randomBytes(9).toString('hex')}`);
  };

  return {
    async has(digest) {
      return await inStore(folder, () => use.hold(pathOf(digest)));
    },

    size: (digest) => inStore(folder, () => heldSize(digest)),

    async open(descriptor, signal) {
      signal.throwIfAborted();
      const file = await inStore(folder, () => openHeld(descriptor.digest));
      if (file === null) throw notFound(descriptor.digest, folder);
      const check = verifier(descriptor, `in ${folder}`);
      const read = (buffer: Buffer): Promise<number> =>
        inStore(folder, async () => (await file.read(buffer, 0, READ_BYTES, null)).bytesRead);
      const bytes = readVerified(read, check, { signal, onDamage: () => discard(descriptor.digest) });
      const stream = Readable.from(bytes, { objectMode: false, highWaterMark: READ_BYTES });
      // A generator that was never started does not run its finally.
      return stream.once('close', () => void file.close().catch(() => undefined));
    },

    async begin(signal) {
      signal.throwIfAborted();
      const path = await inStore(folder, temporaryPath);
      const file = await inStore(folder, () => open(path, 'wx', 0o644));
      const remove = async (): Promise<void> => {
        await file.close();
        await rm(path, { force: true });
      };
      return {
        path,
        write: (chunk) => inStore(folder, () => writeAll(file, chunk)),
        async commit({ digest }: Descriptor) {
          await inStore(folder, async () => {
            await file.close();
            await publish(path, digest);
          });
        },
        abort: () => inStore(folder, remove),
      };
    },

    async putBytes(bytes) {
      const digest = digestOf(bytes);
      await inStore(folder, async () => {
        if ((await heldSize(digest)) === bytes.length) return;
        const temporary = await temporaryPath();
        await writeFile(temporary, bytes, { flag: 'wx' });
        await publish(temporary, digest);
      });
      return digest;
    },

    async getBytes(digest) {
      const file = await inStore(folder, () => openHeld(digest));
      if (file === null) return null;
      try {
        const bytes = await inStore(folder, () => file.readFile());
        if (digestOf(bytes) === digest) return bytes;
      } finally {
        await file.close();
      }
      await discard(digest);
      throw new TsbuildError('BLOB_DIGEST_MISMATCH', `blob ${digest} in ${folder} is damaged`, { hint: 'it was removed: try again' });
    },
  };
}

function notFound(digest: Digest, folder: string): TsbuildError {
  return new TsbuildError('BLOB_NOT_FOUND', `blob ${digest} is not in ${folder}`);
}

async function* readVerified(
  read: (buffer: Buffer) => Promise<number>,
  check: Verifier,
  how: { readonly signal: AbortSignal; onDamage(): Promise<void> },
): AsyncGenerator<Buffer> {
  const next = async (): Promise<Buffer | null> => {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const bytesRead = await read(buffer);
    const chunk = buffer.subarray(0, bytesRead);
    try {
      if (bytesRead > 0) check.update(chunk);
      else check.finish();
    } catch (error) {
      await how.onDamage();
      throw error;
    }
    return bytesRead > 0 ? chunk : null;
  };
  for (let chunk = await next(); chunk !== null; chunk = await next()) {
    how.signal.throwIfAborted();
    yield chunk;
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, written, chunk.length - written);
    written += bytesWritten;
  }
}

async function openBlob(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Failures of the disk as STORE_FAILED. */
async function inStore<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof TsbuildError) throw cause;
    throw new TsbuildError('STORE_FAILED', `cannot store blobs in ${folder}: ${(cause as Error).message}`, { cause });
  }
}
