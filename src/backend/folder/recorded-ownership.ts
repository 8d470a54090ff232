/**
 * Owners, modes, xattrs and device nodes for an ordinary user, who can store few of them: as layers say them they are kept in
 * memory, by inode, and hold for a file as long as it is the same one, whatever its name or content.
 *
 * On the disk all belongs to that user, who can always read it: folders have rwx and files r for their owner on top of their
 * mode. Device nodes are empty files there.
 */
import { type BigIntStats, chmodSync, constants, lstatSync, writeFileSync } from 'node:fs';
import type { BytePath } from '../../bytes/byte-path.ts';
import type { DeviceNode } from '../../layer/device-marks.ts';
import type { FileMeta } from '../../layer/entry.ts';
import { applyXattrs } from '../../layer/unpack-meta.ts';
import { setMtime } from '../../sys/times.ts';
import { readXattrs } from '../../sys/xattr.ts';
import { removeXattrs } from './kernel-ownership.ts';
import type { HostPath, Ownership, Seen, Xattrs } from './ownership.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A file on the disk: stats of lstat(2). `birthtimeNs` 0: not known. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly birthtimeNs: bigint;
}

export interface RecordedOwnership extends Ownership {
  /** Who owns what is met for the first time from now on: the user of a run. 0:0 to begin with. */
  setDefaultOwner(owner: Owner): void;
  /** A chown(2) that was seen in a run. An id of -1 stays as it is, as there. */
  recordOwner(file: FileIdentity, owner: Owner): void;
}

interface Recorded {
  /** Of the file that was recorded: another one may get its inode number. */
  readonly birthtimeNs: bigint;
  /** Where it lay when it was recorded: tells files apart where nothing knows when they were made. */
  path: BytePath | undefined;
  /** st_mode as the image has it, and as it was then stored: where that is other by now, a command has changed it. */
  mode: number;
  storedMode: number;
  uid: number;
  gid: number;
  device: DeviceNode | undefined;
  /** What could not be stored. */
  xattrs: Xattrs | undefined;
  /** The content that a file capability is for. */
  mtimeNs: bigint;
}

const S_IFMT = constants.S_IFMT;
const CAPABILITY = 'security.capability';

export function recordedOwnership(): RecordedOwnership {
  const records = new Map<string, Recorded>();
  /** Of files that have not been met. */
  const chowns = new Map<string, Owner & { readonly birthtimeNs: bigint }>();
  const devices = new Map<BytePath, DeviceNode>();
  let defaultOwner: Owner = { uid: 0, gid: 0 };

  function recordOf(path: BytePath | undefined, file: FileIdentity): Recorded | undefined {
    const record = records.get(keyOf(file));
    if (record === undefined) return undefined;
    const dated = record.birthtimeNs !== 0n && file.birthtimeNs !== 0n;
    const same = dated ? record.birthtimeNs === file.birthtimeNs : path === undefined || record.path === path;
    return same ? record : undefined;
  }

  function store(path: BytePath, host: HostPath, meta: FileMeta, type: 'symlink' | 'other'): void {
    const before = lstatSync(host, { bigint: true });
    if (type === 'other') chmodSync(host, meta.mode | (before.isDirectory() ? 0o700 : 0o400));
    if (meta.xattrs !== undefined) applyXattrs(host, meta.xattrs);
    setMtime(host, meta.mtimeNs);
    const stats = lstatSync(host, { bigint: true });
    const storedMode = Number(stats.mode);
    records.set(keyOf(stats), {
      birthtimeNs: stats.birthtimeNs,
      path,
      mode: type === 'symlink' ? storedMode : (storedMode & S_IFMT) | meta.mode,
      storedMode,
      uid: meta.uid,
      gid: meta.gid,
      device: devices.get(path),
      xattrs: meta.xattrs === undefined ? undefined : notStored(meta.xattrs, readXattrs(host)),
      mtimeNs: stats.mtimeNs,
    });
    devices.delete(path);
    chowns.delete(keyOf(stats));
  }

  /** A file that a command made. */
  function firstSeen(path: BytePath, stats: BigIntStats): Recorded {
    const key = keyOf(stats);
    const seen = chowns.get(key);
    const owner = seen !== undefined && isSameBirth(seen, stats) ? seen : defaultOwner;
    chowns.delete(key);
    const mode = Number(stats.mode);
    const record: Recorded = {
      birthtimeNs: stats.birthtimeNs,
      path,
      mode,
      storedMode: mode,
      uid: owner.uid < 0 ? defaultOwner.uid : owner.uid,
      gid: owner.gid < 0 ? defaultOwner.gid : owner.gid,
      device: undefined,
      xattrs: undefined,
      mtimeNs: stats.mtimeNs,
    };
    records.set(key, record);
    return record;
  }

  return {
    apply: store,

    replace(path, host, meta) {
      removeXattrs(host, meta.xattrs);
      store(path, host, meta, 'other');
    },

    makeDevice(path, host, node) {
      writeFileSync(host, '', { flag: 'wx', mode: 0o600 });
      devices.set(path, node);
    },

    see(path, host, stats): Seen {
      const record = recordOf(path, stats) ?? firstSeen(path, stats);
      record.path = path;
      const storedMode = Number(stats.mode);
      if (storedMode !== record.storedMode) record.mode = record.storedMode = storedMode;
      const { uid, gid } = record;
      const device = stats.isFile() ? record.device : undefined;
      const mode = device === undefined ? record.mode : (record.mode & ~S_IFMT) | S_IFMT_OF[device.type];
      const readable = makeReadable(host, stats);
      record.storedMode = Number(readable.mode);
      return { mode, uid, gid, rdev: device === undefined ? 0n : deviceNumber(device), stats: readable };
    },

    xattrs(path, host, stats) {
      const stored = readXattrs(host);
      const record = recordOf(path, stats);
      if (record?.xattrs === undefined) return stored;
      const all = new Map([...record.xattrs, ...(stored ?? [])]);
      // The kernel takes capabilities from a file that is written to.
      if (stats.mtimeNs !== record.mtimeNs) all.delete(CAPABILITY);
      return all.size === 0 ? undefined : all;
    },

    setDefaultOwner: (owner) => void (defaultOwner = owner),

    recordOwner(file, { uid, gid }) {
      const record = recordOf(undefined, file);
      if (record === undefined) {
        const before = chowns.get(keyOf(file));
        const known = before !== undefined && isSameBirth(before, file) ? before : { uid: -1, gid: -1 };
        const owner = { uid: uid < 0 ? known.uid : uid, gid: gid < 0 ? known.gid : gid };
        chowns.set(keyOf(file), { ...owner, birthtimeNs: file.birthtimeNs });
        return;
      }
      if (uid >= 0) record.uid = uid;
      if (gid >= 0) record.gid = gid;
    },
  };
}

function keyOf({ dev, ino }: FileIdentity): string {
  return `${dev}:${ino}`;
}

function isSameBirth(a: { readonly birthtimeNs: bigint }, b: { readonly birthtimeNs: bigint }): boolean {
  return a.birthtimeNs === 0n || b.birthtimeNs === 0n || a.birthtimeNs === b.birthtimeNs;
}

function notStored(wanted: Xattrs, stored: Xattrs | undefined): Xattrs | undefined {
  const rest = [...wanted].filter(([name]) => stored?.has(name) !== true);
  return rest.length === 0 ? undefined : new Map(rest);
}

/** Its stats afterwards. */
function makeReadable(host: HostPath, stats: BigIntStats): BigIntStats {
  if (!stats.isDirectory() && !stats.isFile()) return stats;
  const needed = stats.isDirectory() ? 0o700 : 0o400;
  const mode = Number(stats.mode & 0o7777n);
  if ((mode & needed) === needed) return stats;
  chmodSync(host, mode | needed);
  return lstatSync(host, { bigint: true });
}

const S_IFMT_OF = { char: constants.S_IFCHR, block: constants.S_IFBLK } as const;

/** glibc's makedev(3). */
function deviceNumber({ major, minor }: DeviceNode): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}
