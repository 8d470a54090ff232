/**
 * Base images from OCI image layouts: folders of this machine, read in place. Spec: OCI image-spec image-layout.md.
 */
import { openLayoutBlob, readLayoutBlob, readLayoutIndex, readLayoutManifest, refNameOf } from '../blob/layout-reader.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import { type LayoutReference, layoutReference, parseLayoutReference } from '../image/layout-reference.ts';
import { OCI_INDEX } from '../image/media-types.ts';
import type { ImageSource } from './image-source.ts';
import { baseImage, type DocumentSource, type ManifestDocument, pickImage } from './pick-image.ts';

/** `ref`s are `oci-layout://FOLDER[:TAG][@DIGEST]` with an absolute folder. Throws IMAGE_INVALID, BLOB_NOT_FOUND, BLOB_DIGEST_MISMATCH, PLATFORM_INVALID. */
export function ociLayoutSource(): ImageSource {
  return {
    async resolve(ref, platform, signal) {
      const reference = parseLayoutReference(ref);
      const { folder } = reference;
      const documents: DocumentSource = {
        label: layoutReference(reference),
        manifest: (digest) => readManifest(folder, digest),
        config: (descriptor) => readLayoutBlob(folder, descriptor),
      };
      const first = reference.digest === null ? await namedDocument(reference) : await readManifest(folder, reference.digest);
      const image = await pickImage(first, platform, documents, signal);
      return baseImage(image, documents.label, (descriptor) => ({ open: (own) => openLayoutBlob(folder, descriptor, own) }));
    },
  };
}

/** What the tag names; without a tag `latest`, or all there is under one name. Several of one name are one image for several platforms. */
async function namedDocument({ folder, tag }: LayoutReference): Promise<ManifestDocument> {
  const entries = await readLayoutIndex(folder);
  const names = new Set(entries.map(({ descriptor }) => refNameOf(descriptor)));
  const named = entries.filter(({ descriptor }) => refNameOf(descriptor) === (tag ?? 'latest'));
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

async function readManifest(folder: string, digest: Digest): Promise<ManifestDocument> {
  return { bytes: await readLayoutManifest(folder, digest), digest, contentType: null };
}
