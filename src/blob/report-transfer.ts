/** Progress of one transfer, told often enough for people and seldom enough not to cost anything. */
import type { OnTransfer, Transfer } from './blob.ts';

export interface TransferReport {
  advance(bytes: number): void;
  /** A transfer that starts again from its first byte. */
  restart(): void;
  end(state: Exclude<Transfer['state'], 'running'>): void;
}

/** Ten times a second moves smoothly. */
const INTERVAL_MS = 100;

export function reportTransfer(
  onTransfer: OnTransfer | undefined,
  what: Pick<Transfer, 'id' | 'direction' | 'label' | 'totalBytes'>,
): TransferReport {
  let bytes = 0;
  let last = 0;
  const tell = (state: Transfer['state']): void => onTransfer?.({ ...what, bytes, state });
  return {
    advance(count) {
      bytes += count;
      const now = performance.now();
      if (now - last < INTERVAL_MS) return;
      last = now;
      tell('running');
    },
    restart() {
      bytes = 0;
    },
    end(state) {
      tell(state);
    },
  };
}
