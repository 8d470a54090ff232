/** Content digests. Spec: OCI image-spec descriptor.md, "Digests". */
import { createHash } from 'node:crypto';
import { TsbuildError } from '../errors.ts';

declare const digestBrand: unique symbol;
/** `sha256:` and 64 lower-case hex digits. Made only by `parseDigest` and `digestOf`. */
export type Digest = `sha256:${string}` & { readonly [digestBrand]: true };

/** Throws REFERENCE_INVALID for anything but `sha256:<64 lower-case hex>`. */
export function parseDigest(text: string): Digest {
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) {
    throw new TsbuildError('REFERENCE_INVALID', `"${text}" is not a sha256 digest`, {
      hint: 'a digest is "sha256:" and 64 lower-case hex digits',
    });
  }
  return text as Digest;
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The 64 hex digits. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
