/** What a manifest must be before the demo's registry takes it. Spec: OCI distribution-spec, "Pushing Manifests". */
import { digestOf } from '../image/digest.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../image/media-types.ts';
import { RegistryFault } from './registry-fault.ts';
import type { Repository, StoredManifest } from './repository.ts';

/** The size that registries must accept; most take no more. */
export const MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024;

interface ManifestJson {
  readonly schemaVersion?: unknown;
  readonly mediaType?: unknown;
  readonly config?: { readonly digest?: unknown; readonly size?: unknown };
  readonly layers?: readonly { readonly digest?: unknown; readonly size?: unknown }[];
  readonly manifests?: readonly { readonly digest?: unknown }[];
}

export function acceptManifest(
  sent: { readonly bytes: Buffer; readonly contentType: string; readonly reference: string },
  repository: Repository,
): { readonly digest: string; readonly manifest: StoredManifest } {
  const digest = digestOf(sent.bytes);
  if (sent.reference.startsWith('sha256:') && sent.reference !== digest) {
    throw new RegistryFault(400, 'DIGEST_INVALID', `the manifest has digest ${digest}, not ${sent.reference}`);
  }
  const json = parse(sent.bytes);
  if (json.schemaVersion !== 2) throw new RegistryFault(400, 'MANIFEST_INVALID', 'schemaVersion is not 2');
  const mediaType = sent.contentType;
  if (json.mediaType !== undefined && json.mediaType !== mediaType) {
    throw new RegistryFault(400, 'MANIFEST_INVALID', `mediaType is ${String(json.mediaType)}, but Content-Type is ${mediaType}`);
  }
  if (mediaType === OCI_INDEX || mediaType === DOCKER_LIST) {
    for (const child of json.manifests ?? []) {
      if (!repository.manifests.has(String(child.digest))) throw unknown(child.digest);
    }
  } else if (mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST) {
    if (json.config === undefined || json.layers === undefined)
      throw new RegistryFault(400, 'MANIFEST_INVALID', 'config or layers are missing');
    for (const blob of [json.config, ...json.layers]) {
      if (!repository.blobs.has(String(blob.digest))) throw unknown(blob.digest);
    }
  } else {
    throw new RegistryFault(415, 'MANIFEST_INVALID', `${mediaType || 'no Content-Type'} is not a manifest`);
  }
  return { digest, manifest: { mediaType, bytes: sent.bytes } };
}

function unknown(digest: unknown): RegistryFault {
  return new RegistryFault(404, 'MANIFEST_BLOB_UNKNOWN', `${String(digest)} was not pushed`);
}

function parse(bytes: Buffer): ManifestJson {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as ManifestJson;
  } catch {
    // Told below: a syntax error and a bare number are equally no manifest.
  }
  throw new RegistryFault(400, 'MANIFEST_INVALID', 'the manifest is not a JSON object');
}
