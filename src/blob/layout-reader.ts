/**
 * OCI image layouts as they are read: folders of this machine. Nothing in a layout is believed: names of blobs are digests that
 * were checked before they became paths, and every blob is verified. Spec: OCI image-spec image-layout.md.
 */
import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf, hexOf } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { isObject, parseJsonObject } from '../image/json.ts';
import { type IndexEntry, parseManifest } from '../image/manifest.ts';
import { type Verifier, verifier } from './verify.ts';

/** As registries limit manifests. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 1 << 20;

export const REF_NAME = 'org.opencontainers.image.ref.name';

/** The name of an entry in the index; null: it has none. */
export function refNameOf({ annotations }: Descriptor): string | null {
  return annotations?.[REF_NAME] ?? null;
}

/** Throws IMAGE_INVALID, CONTEXT_READ. */
export async function readLayoutIndex(folder: string): Promise<readonly IndexEntry[]> {
  const path = join(folder, 'index.json');
  const bytes = await readLimited(path, MAX_MANIFEST_BYTES, () => {
    throw new TsbuildError('IMAGE_INVALID', `${folder} is not an OCI image layout: it has no index.json`);
  });
  try {
    // An index without any image is one, too; `parseManifest` tells it by its list.
    const list = parseJsonObject(bytes, 'it')['manifests'];
    const parsed = Array.isArray(list) && list.every(isObject) ? parseManifest(bytes, null) : null;
    if (parsed?.kind === 'index') return parsed.entries;
  } catch (cause) {
    if (!(cause instanceof TsbuildError)) throw cause;
    throw new TsbuildError('IMAGE_INVALID', `${path} cannot be used: ${cause.message}`, { hint: cause.hint, cause });
  }
  throw new TsbuildError('IMAGE_INVALID', `${path} is not an index of images`);
}

/** An image's manifest or an index. Throws BLOB_NOT_FOUND, BLOB_DIGEST_MISMATCH, IMAGE_INVALID, CONTEXT_READ. */
export async function readLayoutManifest(folder: string, digest: Digest): Promise<Uint8Array> {
  const path = layoutBlobPath(folder, digest);
  const bytes = await readLimited(path, MAX_MANIFEST_BYTES, () => {
    throw missing(folder, digest);
  });
  const actual = digestOf(bytes);
  if (actual !== digest) throw new TsbuildError('BLOB_DIGEST_MISMATCH', `blob ${digest} in ${folder} is damaged: its digest is ${actual}`);
  return bytes;
}

/** A small blob. Throws BLOB_NOT_FOUND, BLOB_DIGEST_MISMATCH, IMAGE_INVALID, CONTEXT_READ. */
export async function readLayoutBlob(folder: string, descriptor: Descriptor): Promise<Uint8Array> {
  const check = verifier(descriptor, `in ${folder}`);
  const bytes = await readLimited(layoutBlobPath(folder, descriptor.digest), descriptor.size, () => {
    throw missing(folder, descriptor.digest);
  });
  check.update(bytes);
  check.finish();
  return bytes;
}

/** The blob, verified as it is read. Throws BLOB_NOT_FOUND; the stream fails with BLOB_DIGEST_MISMATCH. */
export async function openLayoutBlob(folder: string, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted();
  const file = await openFile(layoutBlobPath(folder, descriptor.digest), () => {
    throw missing(folder, descriptor.digest);
  });
  const stream = Readable.from(verified(file, verifier(descriptor, `in ${folder}`), signal), { objectMode: false });
  // A generator that was never started does not run its finally.
  return stream.once('close', () => void file.close().catch(() => undefined));
}

/** The blob is there, with the right size: its content is verified when it is read. */
export async function hasLayoutBlob(folder: string, { digest, size }: Descriptor): Promise<boolean> {
  const found = await stat(layoutBlobPath(folder, digest)).catch(() => null);
  return found?.isFile() === true && found.size === size;
}

async function* verified(file: FileHandle, check: Verifier, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
      if (bytesRead === 0) break;
      const chunk = buffer.subarray(0, bytesRead);
      check.update(chunk);
      yield chunk;
    }
    check.finish();
  } finally {
    await file.close();
  }
}

/** A file that is longer than `limit` is not read: nobody knows what it is. */
async function readLimited(path: string, limit: number, onMissing: () => never): Promise<Buffer> {
  const file = await openFile(path, onMissing);
  try {
    const { size } = await file.stat();
    if (size > limit) throw new TsbuildError('IMAGE_INVALID', `${path} has ${size} bytes, more than the ${limit} that it may have`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Regular files only: a fifo would be waited for without end. */
async function openFile(path: string, onMissing: () => never): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return onMissing();
    throw new TsbuildError('CONTEXT_READ', `${path} cannot be read: ${code ?? message}`, { cause });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new TsbuildError('IMAGE_INVALID', `${path} is not a regular file`);
}

export function layoutBlobFolder(folder: string): string {
  return join(folder, 'blobs', 'sha256');
}

export function layoutBlobPath(folder: string, digest: Digest): string {
  return join(layoutBlobFolder(folder), hexOf(digest));
}

function missing(folder: string, digest: Digest): TsbuildError {
  return new TsbuildError('BLOB_NOT_FOUND', `the layout ${folder} has no blob ${digest}`);
}
