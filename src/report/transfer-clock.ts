/** When transfers began, since events carry no times. */
import type { Transfer } from '../blob/blob.ts';

/** `seconds(transfer)`: since its first event; the first call for a transfer is its beginning. */
export function transferClock(clock: () => number): { seconds(transfer: Transfer): number } {
  const began = new Map<string, number>();
  return {
    seconds({ direction, id }) {
      const key = `${direction} ${id}`;
      const start = began.get(key);
      if (start !== undefined) return clock() - start;
      began.set(key, clock());
      return 0;
    },
  };
}
