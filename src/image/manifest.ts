/**
 * Manifests and indexes as registries and layouts give them, checked. Says nothing about where they come from.
 * Spec: OCI image-spec manifest.md, image-index.md, descriptor.md; Docker image manifest v2 schema 2.
 */
import { TsbuildError } from '../errors.ts';
import { parseDigest } from './digest.ts';
import type { Descriptor } from './image.ts';
import { isObject, isTextList, isTextRecord, type JsonObject, listAt, parseJsonObject } from './json.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, type ImageFormat, OCI_INDEX, OCI_MANIFEST } from './media-types.ts';
import { normalizePlatform, type Platform } from './platform.ts';

export interface ImageManifest {
  readonly kind: 'image';
  readonly format: ImageFormat;
  readonly config: Descriptor;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
}

export interface IndexEntry {
  readonly descriptor: Descriptor;
  readonly platform?: Platform;
}

export interface ImageIndex {
  readonly kind: 'index';
  /** Without attestations, which are no images. */
  readonly entries: readonly IndexEntry[];
}

/**
 * `contentType`: what the registry called it, if it did; the document's own `mediaType` is what counts.
 * Throws IMAGE_INVALID, for schema 1 too.
 */
export function parseManifest(bytes: Uint8Array, contentType: string | null): ImageManifest | ImageIndex {
  const type = contentType?.split(';')[0]?.trim() ?? '';
  if (type === 'text/html') throw new TsbuildError('IMAGE_INVALID', 'the registry answered with a web page instead of a manifest');
  const document = parseJsonObject(bytes, 'the manifest');
  if (document['schemaVersion'] === 1 || (/manifest\.v1\+(json|prettyjws)$/.test(type) && type.includes('docker'))) {
    throw new TsbuildError('IMAGE_INVALID', 'the image has a manifest of schema 1 (application/vnd.docker.distribution.manifest.v1)', {
      hint: 'schema 1 is obsolete: push the image again with a current tool',
    });
  }
  // A document that is both could be read as two different images (CVE-2021-41190).
  if ('manifests' in document && ('layers' in document || 'config' in document)) {
    throw new TsbuildError('IMAGE_INVALID', 'the manifest is an image and an index at once');
  }
  const kind = 'manifests' in document ? 'index' : 'image';
  const own = document['mediaType'];
  const known = kind === 'index' ? [OCI_INDEX, DOCKER_LIST] : [OCI_MANIFEST, DOCKER_MANIFEST];
  if (own !== undefined && !known.includes(own as string)) {
    throw new TsbuildError('IMAGE_INVALID', `the manifest has the media type ${String(own)}, which is not an image's`);
  }
  return kind === 'index' ? parseIndex(document) : parseImage(document, own === DOCKER_MANIFEST ? 'docker' : 'oci');
}

function parseImage(document: JsonObject, format: ImageFormat): ImageManifest {
  if (!isObject(document['config'])) throw new TsbuildError('IMAGE_INVALID', 'the manifest names no config');
  return {
    kind: 'image',
    format,
    config: parseDescriptor(document['config'], 'the config'),
    layers: listAt(document, 'layers', 'the manifest').map((layer, i) => parseDescriptor(layer, `layer ${i + 1}`)),
  };
}

function parseIndex(document: JsonObject): ImageIndex {
  const entries = listAt(document, 'manifests', 'the index').map((entry, i): IndexEntry & { readonly attestation: boolean } => {
    const descriptor = parseDescriptor(entry, `entry ${i + 1} of the index`);
    const platform = isObject(entry) ? parsePlatformObject(entry['platform']) : undefined;
    const attestation =
      descriptor.annotations?.['vnd.docker.reference.type'] !== undefined ||
      (platform?.os === 'unknown' && platform.architecture === 'unknown');
    return { descriptor, attestation, ...(platform === undefined ? {} : { platform }) };
  });
  return { kind: 'index', entries: entries.filter((entry) => !entry.attestation).map(({ attestation: _, ...entry }) => entry) };
}

function parsePlatformObject(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '') return undefined;
  return normalizePlatform({ os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) });
}

/** Throws IMAGE_INVALID. */
function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw new TsbuildError('IMAGE_INVALID', `${what} is not a descriptor`);
  const { mediaType, digest, size, annotations, urls } = value;
  if (typeof mediaType !== 'string') throw new TsbuildError('IMAGE_INVALID', `${what} has no media type`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new TsbuildError('IMAGE_INVALID', `${what} has no valid size`);
  if (typeof digest !== 'string') throw new TsbuildError('IMAGE_INVALID', `${what} has no digest`);
  try {
    return {
      mediaType,
      digest: parseDigest(digest),
      size,
      ...(isTextRecord(annotations) ? { annotations } : {}),
      ...(isTextList(urls) && urls.length > 0 ? { urls } : {}),
    };
  } catch (cause) {
    throw new TsbuildError('IMAGE_INVALID', `${what}: ${(cause as Error).message}`, { cause });
  }
}
