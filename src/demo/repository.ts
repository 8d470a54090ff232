/** What one repository of the demo's registry knows. Blobs are shared between repositories, but seen only where pushed. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

export interface Repository {
  /** Digests. */
  readonly blobs: Set<string>;
  /** By digest. */
  readonly manifests: Map<string, StoredManifest>;
  /** Tag to digest. */
  readonly tags: Map<string, string>;
}

export function newRepository(): Repository {
  return { blobs: new Set(), manifests: new Map(), tags: new Map() };
}
