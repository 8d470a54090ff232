/**
 * Base images from OCI image layouts: folders of this machine, read in place. Nothing in a layout is believed: names of blobs
 * are digests that were checked before they became paths, and every blob is verified. Spec: OCI image-spec image-layout.md.
 */
import { constants, type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Verifier, verifier } from '../blob/verify.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf, hexOf } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { isObject, parseJsonObject } from '../image/json.ts';
import { type LayoutReference, layoutReference, parseLayoutReference } from '../image/layout-reference.ts';
import { type IndexEntry, parseManifest } from '../image/manifest.ts';
import { OCI_INDEX } from '../image/media-types.ts';
import type { ImageSource } from './image-source.ts';
import { baseImage, type DocumentSource, type ManifestDocument, pickImage } from './pick-image.ts';

/** As registries limit manifests. */
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 1 << 20;

const REF_NAME = 'org.opencontainers.image.ref.name';

/** `ref`s are `oci-layout://FOLDER[:TAG][@DIGEST]` with an absolute folder. Throws IMAGE_INVALID, BLOB_NOT_FOUND, BLOB_DIGEST_MISMATCH, PLATFORM_INVALID. */
export function ociLayoutSource(): ImageSource {
  return {
    async resolve(ref, platform, signal) {
      const reference = parseLayoutReference(ref);
      const { folder } = reference;
      const documents: DocumentSource = {
        label: layoutReference(reference),
        manifest: (digest) => readManifest(folder, digest),
        config: (descriptor) => readBlob(folder, descriptor),
      };
      const first = reference.digest === null ? await namedDocument(reference) : await readManifest(folder, reference.digest);
      const image = await pickImage(first, platform, documents, signal);
      return baseImage(image, documents.label, (descriptor) => ({ open: (own) => openBlob(folder, descriptor, own) }));
    },
  };
}

/** What the tag names; without a tag `latest`, or all there is under one name. Several of one name are one image for several platforms. */
async function namedDocument({ folder, tag }: LayoutReference): Promise<ManifestDocument> {
  const entries = await readIndex(folder);
  const names = new Set(entries.map(({ descriptor }) => nameOf(descriptor)));
  const named = entries.filter(({ descriptor }) => nameOf(descriptor) === (tag ?? 'latest'));
  const meant = named.length === 0 && tag === null && names.size === 1 ? entries : named;
  const digests = new Set(meant.map(({ descriptor }) => descriptor.digest));
  const [only, ...others] = digests;
  if (only !== undefined && others.length === 0) return readManifest(folder, only);
  if (only !== undefined) {
    const manifests = meant.map(({ descriptor, platform }) => ({ ...descriptor, platform }));
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
    return { bytes, digest: digestOf(bytes), contentType: null };
  }
  const asked = tag === null ? 'an image named latest, nor one image alone' : `an image named ${tag}`;
  const known = [...names].filter((name) => name !== null);
  const hint =
    entries.length === 0
      ? 'it has no images at all'
      : known.length === 0
        ? 'its images have no names: leave out the tag, or give a digest: FOLDER@sha256:...'
        : `it has ${known.join(', ')}`;
  throw new TsbuildError('IMAGE_INVALID', `the layout ${folder} does not have ${asked}`, { hint });
}

function nameOf({ annotations }: Descriptor): string | null {
  return annotations?.[REF_NAME] ?? null;
}

async function readIndex(folder: string): Promise<readonly IndexEntry[]> {
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

async function readManifest(folder: string, digest: Digest): Promise<ManifestDocument> {
  const path = blobPath(folder, digest);
  const bytes = await readLimited(path, MAX_MANIFEST_BYTES, () => {
    throw missing(folder, digest);
  });
  const actual = digestOf(bytes);
  if (actual !== digest) throw new TsbuildError('BLOB_DIGEST_MISMATCH', `blob ${digest} in ${folder} is damaged: its digest is ${actual}`);
  return { bytes, digest, contentType: null };
}

async function readBlob(folder: string, descriptor: Descriptor): Promise<Uint8Array> {
  const check = verifier(descriptor, `in ${folder}`);
  const bytes = await readLimited(blobPath(folder, descriptor.digest), descriptor.size, () => {
    throw missing(folder, descriptor.digest);
  });
  check.update(bytes);
  check.finish();
  return bytes;
}

async function openBlob(folder: string, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted();
  const file = await openFile(blobPath(folder, descriptor.digest), () => {
    throw missing(folder, descriptor.digest);
  });
  return Readable.from(verified(file, verifier(descriptor, `in ${folder}`), signal), { objectMode: false });
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

function blobPath(folder: string, digest: Digest): string {
  return join(folder, 'blobs', 'sha256', hexOf(digest));
}

function missing(folder: string, digest: Digest): TsbuildError {
  return new TsbuildError('BLOB_NOT_FOUND', `the layout ${folder} has no blob ${digest}`);
}
