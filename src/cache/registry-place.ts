/** Images of a cache in a repository. Layers are kept in the disk store as they are read, as those of base images. */
import type { DiskStore } from '../blob/disk-store.ts';
import { readThrough } from '../blob/read-through.ts';
import { formatReference } from '../image/reference.ts';
import type { RegistryClient, RepositoryName } from '../registry/registry-client.ts';
import { RegistryError } from '../registry/registry-error.ts';
import type { CachePlace } from './cache-place.ts';
import { isDigest } from './checked.ts';

export interface RegistryPlaceOptions {
  readonly client: RegistryClient;
  readonly store: DiskStore;
  readonly repository: RepositoryName;
}

export function registryPlace({ client, store, repository }: RegistryPlaceOptions): CachePlace {
  const blobs = readThrough(store);
  const { registry, repository: path } = repository;
  return {
    label: formatReference({ registry, repository: path }),
    async manifest(name, signal) {
      try {
        return await client.getManifest({ registry, repository: path, ...(isDigest(name) ? { digest: name } : { tag: name }) }, signal);
      } catch (error) {
        if (error instanceof RegistryError && error.status === 404) return null;
        throw error;
      }
    },
    async blob(descriptor, signal) {
      const chunks: Buffer[] = [];
      for await (const chunk of await client.openBlob(repository, descriptor, signal)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    hasBlob: async (descriptor, signal) =>
      (await store.has(descriptor.digest, signal)) || (await client.hasBlob(repository, descriptor, signal)),
    open: (descriptor, signal) => blobs.open(descriptor, (own) => client.openBlob(repository, descriptor, own), signal),
    putBlob: (blob, signal) => client.pushBlob(repository, blob, signal),
    putManifest: (manifest, tag, signal) => client.pushManifest(repository, manifest, tag, signal),
  };
}
