/** Size and digest of a blob, checked while its bytes pass. */
import { createHash } from 'node:crypto';
import { TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';

export interface Verifier {
  /** Throws BLOB_DIGEST_MISMATCH as soon as there are more bytes than there may be. */
  update(chunk: Uint8Array): void;
  /** How many bytes passed. */
  readonly bytes: number;
  /** After the last byte. Throws BLOB_DIGEST_MISMATCH. */
  finish(): void;
}

/** `where` ends the messages: "from docker.io/library/debian". */
export function verifier(expected: { readonly digest: Digest; readonly size: number }, where: string): Verifier {
  const hash = createHash('sha256');
  let bytes = 0;
  const mismatch = (why: string): TsbuildError =>
    new TsbuildError('BLOB_DIGEST_MISMATCH', `blob ${expected.digest} ${where} is damaged: ${why}`);
  return {
    get bytes() {
      return bytes;
    },
    update(chunk) {
      bytes += chunk.length;
      if (bytes > expected.size) throw mismatch(`it has more than its ${expected.size} bytes`);
      hash.update(chunk);
    },
    finish() {
      if (bytes !== expected.size) throw mismatch(`it has ${bytes} of its ${expected.size} bytes`);
      const actual = `sha256:${hash.digest('hex')}`;
      if (actual !== expected.digest) throw mismatch(`its digest is ${actual}`);
    },
  };
}
