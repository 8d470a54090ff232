/** Names of a folder, in byte order. */
import type { ByteString } from '../bytes/byte-path.ts';

/** Where a name is among names in byte order; -1: nowhere. */
export function positionOf(names: readonly ByteString[], name: ByteString): number {
  let [low, high] = [0, names.length - 1];
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = names[middle] as ByteString;
    if (found === name) return middle;
    if (found < name) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
