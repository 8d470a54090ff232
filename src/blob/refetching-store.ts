/** A store that has nothing but what came into it through this one: so all is fetched again, and takes the place of what is there. */
import type { Digest } from '../image/digest.ts';
import type { DiskStore } from './disk-store.ts';

export function refetchingStore(store: DiskStore): DiskStore {
  const fetched = new Set<Digest>();
  return {
    ...store,
    has: async (digest, signal) => fetched.has(digest) && (await store.has(digest, signal)),
    size: async (digest) => (fetched.has(digest) ? store.size(digest) : null),
    getBytes: async (digest) => (fetched.has(digest) ? store.getBytes(digest) : null),
    async begin(signal) {
      const upload = await store.begin(signal);
      return {
        ...upload,
        async commit(descriptor) {
          await upload.commit(descriptor);
          fetched.add(descriptor.digest);
        },
      };
    },
    async putBytes(bytes) {
      const digest = await store.putBytes(bytes);
      fetched.add(digest);
      return digest;
    },
  };
}
