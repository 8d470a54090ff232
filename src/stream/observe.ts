/** Bytes on their way, shown to others who do not change them (hashes, counters, tar readers). */

/** Passes every chunk on after all observers have seen it, in their order. An observer that throws ends the stream with its error. */
export async function* observe<T extends Uint8Array>(
  source: AsyncIterable<T>,
  observers: readonly ((chunk: T) => void)[],
): AsyncGenerator<T, void, undefined> {
  for await (const chunk of source) {
    for (const see of observers) see(chunk);
    yield chunk;
  }
}
