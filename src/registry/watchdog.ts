/** One clock for a request whose phases have limits of their own. */
export interface Watchdog {
  /** Sets the clock; `complaint` is what the other side did when it runs out: "sent no data for 60 s". */
  start(ms: number, complaint: string): void;
  stop(): void;
  /** The complaint, once the clock ran out. */
  expired(): string | null;
}

export function watchdog(onExpired: () => void): Watchdog {
  let timer: NodeJS.Timeout | undefined;
  let expired: string | null = null;
  let running = '';
  let limitMs = 0;
  const ring = (): void => {
    expired = running;
    onExpired();
  };
  return {
    start(ms, complaint) {
      running = complaint;
      // Called for every chunk: an old timer of the same length is wound up again instead of replaced.
      if (timer !== undefined && limitMs === ms) {
        timer.refresh();
        return;
      }
      clearTimeout(timer);
      limitMs = ms;
      timer = setTimeout(ring, ms);
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
    },
    expired: () => expired,
  };
}
