/** Work that is done once however many ask for it at the same time. */
export interface OncePerKey<V> {
  /** The running or finished work of `key`; starts it when nobody has. Work that fails is forgotten, so a later call tries again. */
  get(key: string, work: () => Promise<V>): Promise<V>;
  /** The running or finished work of `key`, if there is any. */
  pending(key: string): Promise<V> | undefined;
}

export function oncePerKey<V>(): OncePerKey<V> {
  const running = new Map<string, Promise<V>>();
  return {
    get(key, work) {
      const known = running.get(key);
      if (known !== undefined) return known;
      const started = work();
      running.set(key, started);
      started.catch(() => {
        if (running.get(key) === started) running.delete(key);
      });
      return started;
    },
    pending: (key) => running.get(key),
  };
}
