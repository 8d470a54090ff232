/** Work that is done once for all who want it at the same time, and given up only when all of them gave up. */
export interface SharedWork<V> {
  /** Joins the running work of `key`, else starts it. `work` gets a signal of its own. Rejects with the reason of `signal` when that aborts. */
  get(key: string, work: (signal: AbortSignal) => Promise<V>, signal: AbortSignal): Promise<V>;
}

interface Entry<V> {
  readonly promise: Promise<V>;
  readonly stop: AbortController;
  waiting: number;
}

/** `results`: what succeeded is never done again. `nothing`: only calls that overlap share. */
export function sharedWork<V>(keep: 'results' | 'nothing'): SharedWork<V> {
  const entries = new Map<string, Entry<V>>();

  const start = (key: string, work: (signal: AbortSignal) => Promise<V>): Entry<V> => {
    const stop = new AbortController();
    const entry: Entry<V> = { promise: work(stop.signal), stop, waiting: 0 };
    const forget = (): void => {
      if (entries.get(key) === entry) entries.delete(key);
    };
    entry.promise.then(keep === 'nothing' ? forget : () => undefined, forget);
    entries.set(key, entry);
    return entry;
  };

  return {
    async get(key, work, signal) {
      signal.throwIfAborted();
      const known = entries.get(key);
      const entry = known === undefined || known.stop.signal.aborted ? start(key, work) : known;
      entry.waiting++;
      let onAbort = (): void => undefined;
      const aborted = new Promise<never>((_, reject) => {
        onAbort = () => reject(signal.reason as Error);
      });
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return await Promise.race([entry.promise, aborted]);
      } finally {
        signal.removeEventListener('abort', onAbort);
        entry.waiting--;
        // Finished work does not listen any more.
        if (signal.aborted && entry.waiting === 0) {
          if (entries.get(key) === entry) entries.delete(key);
          entry.stop.abort(signal.reason);
        }
      }
    },
  };
}
