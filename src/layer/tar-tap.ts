/** Somebody who sees an uncompressed layer go by: a TarReader with its handler, a copy on disk. */
export interface TarTap {
  /** Synchronous; the chunk may be kept, nobody writes to it again. Throwing fails the whole layer. */
  write(chunk: Buffer): void;
  /** All bytes have come (and, where a diffId was expected, they are the right ones). */
  end(): void;
  /** The layer failed, perhaps only after `end` because it could not be stored. Called at most once, must not throw. */
  abort(): void;
}
