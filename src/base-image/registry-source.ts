/**
 * Base images from registries. Manifests and configs are kept in the store by their digests, so an image that is known
 * costs one request; layers are fetched when they are opened, once, and kept too. `scratch` is not an image.
 */
import type { DiskStore } from '../blob/disk-store.ts';
import { readThrough } from '../blob/read-through.ts';
import { TsbuildError } from '../errors.ts';
import { isForeignLayer } from '../image/assemble.ts';
import type { Digest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { formatReference, parseReference, type Reference, withDefaultTag } from '../image/reference.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import type { ImageSource } from './image-source.ts';
import { baseImage, type DocumentSource, type ManifestDocument, pickImage } from './pick-image.ts';

export interface RegistrySourceOptions {
  readonly client: RegistryClient;
  readonly store: DiskStore;
}

/** A document and the repository that it came from, `host/path`; null when it was in the store. */
interface Found extends ManifestDocument {
  readonly origin: string | null;
}

export function registrySource({ client, store }: RegistrySourceOptions): ImageSource {
  const layers = readThrough(store);

  const byDigest = async (reference: Reference, digest: Digest, signal: AbortSignal): Promise<Found> => {
    const stored = await fromStore(store, digest);
    if (stored !== null) return { bytes: stored, digest, contentType: null, origin: null };
    const fetched = await client.getManifest({ ...reference, digest }, signal);
    await store.putBytes(fetched.bytes);
    return fetched;
  };

  const find = async (reference: Reference, signal: AbortSignal): Promise<Found> => {
    if (reference.digest !== undefined) return byDigest(reference, reference.digest, signal);
    const known = await client.findDigest(reference, signal);
    if (known !== null) return { ...(await byDigest(reference, known.digest, signal)), origin: known.origin };
    const fetched = await client.getManifest(reference, signal);
    await store.putBytes(fetched.bytes);
    return fetched;
  };

  const config = async (reference: Reference, descriptor: Descriptor, signal: AbortSignal): Promise<Uint8Array> => {
    const stored = await fromStore(store, descriptor.digest);
    if (stored !== null) return stored;
    const chunks: Buffer[] = [];
    for await (const chunk of await client.openBlob(reference, descriptor, signal)) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    await store.putBytes(bytes);
    return bytes;
  };

  return {
    async resolve(ref, platform, signal) {
      const reference = withDefaultTag(parseReference(ref));
      const documents: DocumentSource = {
        label: formatReference(reference),
        manifest: (digest, own) => byDigest(reference, digest, own),
        config: (descriptor, own) => config(reference, descriptor, own),
      };
      const found = await find(reference, signal);
      const origin = found.origin ?? `${reference.registry}/${reference.repository}`;
      const image = await pickImage(found, platform, documents, signal);
      return baseImage(image, documents.label, (descriptor) => ({
        ...(isForeignLayer(descriptor) ? {} : { origins: [origin] }),
        open: (own) => layers.open(descriptor, (fetch) => client.openBlob(reference, descriptor, fetch), own),
      }));
    },
  };
}

/** A damaged document is fetched again: the store has removed it. */
async function fromStore(store: DiskStore, digest: Digest): Promise<Uint8Array | null> {
  try {
    return await store.getBytes(digest);
  } catch (error) {
    if (error instanceof TsbuildError && error.code === 'BLOB_DIGEST_MISMATCH') return null;
    throw error;
  }
}
