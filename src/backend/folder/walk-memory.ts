/**
 * What a walk of a rootfs found, in little memory: numbers in columns, a row for each path. 40,000 files take 11 MB.
 */
import type { BytePath } from '../../bytes/byte-path.ts';
import type { Seen, Xattrs } from './ownership.ts';

/** A file as it was met. */
export interface Remembered {
  /** st_mode, as the image has it. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly xattrs: Xattrs | undefined;
  /** Of a file's bytes or a symlink's target; undefined: nobody has read them. */
  readonly content: string | undefined;
}

export interface WalkMemory {
  readonly size: number;
  /** The latest ctime that was met; 0 for none. */
  newestNs(): bigint;
  get(path: BytePath): Remembered | undefined;
  /** Whether the path is met as it was: nothing of it changed, not even its ctime. */
  isSame(path: BytePath, seen: Seen): boolean;
  set(path: BytePath, seen: Seen, known: { readonly xattrs: Xattrs | undefined; readonly content: string | undefined }): void;
  /** What was read of a remembered file since. */
  setContent(path: BytePath, content: string): void;
  /** Counts the path among those that the walk that goes on has met. */
  meet(path: BytePath): void;
  startWalk(): void;
  /** Paths that the walk has not met. */
  unmet(): BytePath[];
  delete(path: BytePath): void;
  paths(): Iterable<BytePath>;
  /** Paths of files with such a number, on whatever device. */
  withInode(inodes: ReadonlySet<bigint>): BytePath[];
}

const FIRST_ROWS = 1024;

export function createWalkMemory(): WalkMemory {
  const rows = new Map<BytePath, number>();
  const free: number[] = [];
  const xattrs = new Map<number, Xattrs>();
  const contents: (string | undefined)[] = [];
  let capacity = FIRST_ROWS;
  let used = 0;
  let walk = 0;
  let newest = 0n;
  let dev = new BigUint64Array(capacity);
  let ino = new BigUint64Array(capacity);
  let rdev = new BigUint64Array(capacity);
  let mtime = new BigInt64Array(capacity);
  let ctime = new BigInt64Array(capacity);
  let size = new Float64Array(capacity);
  let mode = new Uint32Array(capacity);
  let uid = new Uint32Array(capacity);
  let gid = new Uint32Array(capacity);
  let met = new Uint32Array(capacity);

  function grow(): void {
    capacity *= 2;
    const wider = <T extends BigUint64Array | BigInt64Array | Float64Array | Uint32Array>(column: T, next: T): T => {
      (next.set as (from: T) => void)(column);
      return next;
    };
    dev = wider(dev, new BigUint64Array(capacity));
    ino = wider(ino, new BigUint64Array(capacity));
    rdev = wider(rdev, new BigUint64Array(capacity));
    mtime = wider(mtime, new BigInt64Array(capacity));
    ctime = wider(ctime, new BigInt64Array(capacity));
    size = wider(size, new Float64Array(capacity));
    mode = wider(mode, new Uint32Array(capacity));
    uid = wider(uid, new Uint32Array(capacity));
    gid = wider(gid, new Uint32Array(capacity));
    met = wider(met, new Uint32Array(capacity));
  }

  function rowFor(path: BytePath): number {
    const known = rows.get(path);
    if (known !== undefined) return known;
    const row = free.pop() ?? used++;
    if (row >= capacity) grow();
    rows.set(path, row);
    return row;
  }

  return {
    get size() {
      return rows.size;
    },
    newestNs: () => newest,
    get(path) {
      const row = rows.get(path);
      if (row === undefined) return undefined;
      return {
        mode: mode[row] as number,
        uid: uid[row] as number,
        gid: gid[row] as number,
        rdev: rdev[row] as bigint,
        dev: dev[row] as bigint,
        ino: ino[row] as bigint,
        size: size[row] as number,
        mtimeNs: mtime[row] as bigint,
        ctimeNs: ctime[row] as bigint,
        xattrs: xattrs.get(row),
        content: contents[row],
      };
    },
    isSame(path, seen) {
      const row = rows.get(path);
      if (row === undefined) return false;
      const { stats } = seen;
      return (
        ctime[row] === stats.ctimeNs &&
        mtime[row] === stats.mtimeNs &&
        ino[row] === stats.ino &&
        dev[row] === stats.dev &&
        size[row] === Number(stats.size) &&
        mode[row] === seen.mode &&
        uid[row] === seen.uid &&
        gid[row] === seen.gid &&
        rdev[row] === seen.rdev
      );
    },
    set(path, seen, known) {
      const row = rowFor(path);
      const { stats } = seen;
      dev[row] = stats.dev;
      ino[row] = stats.ino;
      rdev[row] = seen.rdev;
      mtime[row] = stats.mtimeNs;
      ctime[row] = stats.ctimeNs;
      size[row] = Number(stats.size);
      mode[row] = seen.mode;
      uid[row] = seen.uid;
      gid[row] = seen.gid;
      met[row] = walk;
      contents[row] = known.content;
      if (known.xattrs === undefined) xattrs.delete(row);
      else xattrs.set(row, known.xattrs);
      if (stats.ctimeNs > newest) newest = stats.ctimeNs;
    },
    setContent(path, content) {
      const row = rows.get(path);
      if (row !== undefined) contents[row] = content;
    },
    meet(path) {
      const row = rows.get(path);
      if (row !== undefined) met[row] = walk;
    },
    startWalk: () => void (walk += 1),
    unmet: () => [...rows].filter(([, row]) => met[row] !== walk).map(([path]) => path),
    delete(path) {
      const row = rows.get(path);
      if (row === undefined) return;
      rows.delete(path);
      xattrs.delete(row);
      contents[row] = undefined;
      free.push(row);
    },
    paths: () => rows.keys(),
    withInode: (inodes) => [...rows].filter(([, row]) => inodes.has(ino[row] as bigint)).map(([path]) => path),
  };
}
