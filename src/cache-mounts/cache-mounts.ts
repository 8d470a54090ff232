/** Folders of `RUN --mount=type=cache`: they outlive builds and are never part of a layer or of a key. */

export interface CacheMountRequest {
  readonly id: string;
  /** locked: one run at a time; private: a folder of one's own while another uses it; shared: all together. */
  readonly sharing: 'shared' | 'private' | 'locked';
  /** Of the folder. Together with `seed` and `id` they say which cache is meant. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Names the initial content; null: the folder begins empty. */
  readonly seed: string | null;
  /** Called once when the folder is held by somebody else for longer than people notice. */
  waiting?(): void;
}

export interface CacheMount extends Disposable {
  /** Absolute. In use until disposed. */
  readonly hostPath: string;
}

export interface CacheMounts {
  /** Waits for a locked folder. `fill` is called once when the folder is new, to lay its initial content into it. Throws STORE_FAILED. */
  open(request: CacheMountRequest, fill: ((folder: string) => Promise<void>) | null, signal: AbortSignal): Promise<CacheMount>;
}
