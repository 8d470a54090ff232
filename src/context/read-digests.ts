/** Digests of contents, read anew each time. */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf, parseDigest } from '../image/digest.ts';
import type { FileContent } from '../layer/entry.ts';
import type { FileDigests } from './file-digests.ts';

/** Bytes per turn: other work gets its turns, too. */
const TURN = 4 * 1024 * 1024;

export function readDigests(): FileDigests {
  return { digestOf: contentDigest, save: () => Promise.resolve() };
}

async function contentDigest(content: FileContent, size: number, signal: AbortSignal): Promise<Digest> {
  const found = content.at === 'deferred' ? await content.locate(signal) : content;
  if (found.at === 'memory') return digestOf(found.bytes);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(TURN, Math.max(size, 1)));
  let total = 0;
  const fd = openSync(found.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (found.inode !== undefined && fstatSync(fd).ino !== found.inode) throw changed();
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, count));
      total += count;
      if (count === TURN) await setImmediate(undefined, { signal });
    }
  } finally {
    closeSync(fd);
  }
  if (total !== size) throw changed();
  return parseDigest(`sha256:${hash.digest('hex')}`);
}

function changed(): TsbuildError {
  return new TsbuildError('CONTEXT_READ', 'a file changed while it was read');
}
