/**
 * Names of images in OCI layout folders: `oci-layout://FOLDER[:TAG][@DIGEST]`. No image reference looks like that, so both can
 * stand in one place. Reference: docker buildx build --build-context.
 */
import { TsbuildError } from '../errors.ts';
import { type Digest, parseDigest } from './digest.ts';

export interface LayoutReference {
  readonly folder: string;
  /** The name in the layout's index; null: `latest`, or the only image. */
  readonly tag: string | null;
  /** Wins over the tag; it need not be in the index. */
  readonly digest: Digest | null;
}

const SCHEME = 'oci-layout://';

export function isLayoutReference(ref: string): boolean {
  return ref.startsWith(SCHEME);
}

export function layoutReference({ folder, tag, digest }: LayoutReference): string {
  return `${SCHEME}${folder}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

/** With or without the scheme. Throws USAGE, REFERENCE_INVALID. */
export function parseLayoutReference(text: string): LayoutReference {
  const rest = isLayoutReference(text) ? text.slice(SCHEME.length) : text;
  const at = /^(.*?)(?:@([^/@]*))?$/s.exec(rest);
  const named = at?.[1] ?? '';
  const digest = at?.[2];
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const folder = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : null;
  if (folder === '' || tag === '') {
    throw new TsbuildError('USAGE', `"${text}" is not an image in an OCI layout`, { hint: `write ${SCHEME}FOLDER:TAG` });
  }
  return { folder, tag, digest: digest === undefined ? null : parseDigest(digest) };
}
