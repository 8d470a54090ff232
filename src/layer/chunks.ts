/** Bytes gathered into large chunks, each handed over once full: whoever takes one owns it, no chunk is used twice. */

export interface Chunks {
  /** Copies. */
  append(bytes: Uint8Array): void;
  /** Free bytes of the chunk in progress; at least one. */
  room(): number;
  /** Lets `read` put up to `length` bytes (at most `room()`) straight into the chunk in progress. It returns how many it put. */
  fill(length: number, read: (into: Buffer, at: number, length: number) => number): number;
  /** Ends the chunk in progress early, so that the next one is empty. */
  cut(): void;
  /** The next full chunk, if any. */
  take(): Buffer | undefined;
}

export function createChunks(chunkSize: number): Chunks {
  const full: Buffer[] = [];
  let current = Buffer.allocUnsafeSlow(chunkSize);
  let used = 0;

  function advance(count: number): void {
    used += count;
    if (used === chunkSize) cut();
  }
  function cut(): void {
    if (used === 0) return;
    full.push(used === chunkSize ? current : current.subarray(0, used));
    current = Buffer.allocUnsafeSlow(chunkSize);
    used = 0;
  }

  return {
    append(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const count = Math.min(bytes.length - at, chunkSize - used);
        current.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), used);
        at += count;
        advance(count);
      }
    },
    room: () => chunkSize - used,
    fill(length, read) {
      const count = read(current, used, length);
      advance(Math.min(count, length));
      return count;
    },
    cut,
    take: () => full.shift(),
  };
}
