/** What the content of a file is remembered as: enough to be sure that it is the same again. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { ByteString } from '../../bytes/byte-path.ts';
import type { HostPath } from './ownership.ts';

const CHUNK = 256 * 1024;
const CHUNKS_PER_TURN = 16;

export function contentHash(): Hash {
  return createHash('sha256');
}

/** 128 bits of it. */
export function contentKey(hash: Hash): string {
  return hash.digest('binary').slice(0, 16);
}

export function symlinkKey(target: ByteString): string {
  return contentKey(contentHash().update(Buffer.from(target, 'latin1')));
}

/** Of a regular file; in turns, so that large ones do not hold up the rest of the process. Symlinks are not followed. */
export async function fileKey(host: HostPath, signal: AbortSignal): Promise<string> {
  const fd = openSync(host, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const hash = contentHash();
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (let chunks = 1; ; chunks += 1) {
      const count = readSync(fd, buffer, 0, CHUNK, null);
      if (count === 0) return contentKey(hash);
      hash.update(buffer.subarray(0, count));
      if (chunks % CHUNKS_PER_TURN === 0) await setImmediate();
      signal.throwIfAborted();
    }
  } finally {
    closeSync(fd);
  }
}
