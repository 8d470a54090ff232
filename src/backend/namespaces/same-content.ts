/** Whether two regular files hold the same bytes. In turns, so that large ones do not hold up the rest of the process. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

const CHUNK = 256 * 1024;
const CHUNKS_PER_TURN = 16;

/** Symlinks are not followed. Nobody writes to the files meanwhile. */
export async function sameContent(one: string | Buffer, other: string | Buffer, signal: AbortSignal): Promise<boolean> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
  const a = openSync(one, flags);
  try {
    const b = openSync(other, flags);
    try {
      return await sameBytes(a, b, signal);
    } finally {
      closeSync(b);
    }
  } finally {
    closeSync(a);
  }
}

async function sameBytes(a: number, b: number, signal: AbortSignal): Promise<boolean> {
  const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  for (let chunks = 1; ; chunks += 1) {
    const [length, otherLength] = [fill(a, left), fill(b, right)];
    if (length !== otherLength || left.compare(right, 0, length, 0, length) !== 0) return false;
    if (length < CHUNK) return true;
    if (chunks % CHUNKS_PER_TURN === 0) await setImmediate();
    signal.throwIfAborted();
  }
}

/** How many bytes were read: fewer than asked for only at the end of the file. */
function fill(fd: number, into: Buffer): number {
  let length = 0;
  for (let count = -1; count !== 0 && length < into.length; length += count) {
    count = readSync(fd, into, length, into.length - length, null);
  }
  return length;
}
