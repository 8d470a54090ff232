/** A sha256 over fields, each with its length before it: what is between two fields cannot move from one to the other. */
import { createHash } from 'node:crypto';
import type { ByteString } from '../bytes/byte-path.ts';
import { type Digest, parseDigest } from './digest.ts';

export interface FramedDigest {
  text(field: ByteString): void;
  bytes(field: Uint8Array): void;
  /** An integer, up to 2 ** 53. */
  number(field: number): void;
  /** Ends it. */
  digest(): Digest;
}

const NUMBER_BYTES = 8;
/** Small fields are gathered: a call of the hash costs more than they do. */
const GATHERED = 64 * 1024;

export function framedDigest(): FramedDigest {
  const hash = createHash('sha256');
  const gathered = Buffer.allocUnsafe(GATHERED);
  let end = 0;

  function flush(): void {
    if (end > 0) hash.update(gathered.subarray(0, end));
    end = 0;
  }

  function number(field: number): void {
    if (end + NUMBER_BYTES > GATHERED) flush();
    end = gathered.writeDoubleLE(field, end);
  }

  return {
    number,
    text(field) {
      number(field.length);
      if (end + field.length > GATHERED) flush();
      if (field.length > GATHERED) hash.update(field, 'latin1');
      else end += gathered.write(field, end, 'latin1');
    },
    bytes(field) {
      number(field.length);
      flush();
      hash.update(field);
    },
    digest() {
      flush();
      return parseDigest(`sha256:${hash.digest('hex')}`);
    },
  };
}
