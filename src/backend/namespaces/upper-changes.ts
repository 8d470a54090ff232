/**
 * What a RUN changed: its overlay's upper folder, read as layer entries once nothing is mounted from it any more.
 * Files appear when they were written or had their metadata changed; folders when they are new, differ from the lower
 * ones, or hold a change. Spec: kernel Documentation/filesystems/overlayfs.rst; OCI image-spec layer.md.
 */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync, rmdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type BytePath, type ByteString, bytesOf, compareBytes, forFs, joinPath, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { DEVICE_MARK, type DeviceMarks, type DeviceNode } from '../../layer/device-marks.ts';
import type { FileMeta, LayerEntry, PutEntry } from '../../layer/entry.ts';
import type { FileTree, TreeEntry } from '../../layer/tree.ts';
import { deviceNumbers } from '../../sys/device-numbers.ts';
import { readXattrs } from '../../sys/xattr.ts';
import type { OverlayStyle } from './init-spec.ts';
import { sameContent } from './same-content.ts';
import type { StubPlan } from './stub-plan.ts';

export interface UpperFolder {
  /** Absolute. */
  readonly folder: string;
  readonly style: OverlayStyle;
  /** What lay below, without the stubs. */
  readonly lower: FileTree;
  /** Such a file as it lies in the folder of its layer; undefined: none of a folder. */
  lowerFile(path: BytePath): string | Buffer | undefined;
  readonly stubs: StubPlan;
  /** How files are marked that stand for device nodes; undefined: none are. */
  readonly devices?: DeviceMarks | undefined;
}

/** Folders are read in turns of so many, then other work of the process gets its turn. */
const FOLDERS_PER_TURN = 64;

export interface UpperChanges {
  /** In byte order of paths; parents of a change are always among them. */
  readonly entries: readonly LayerEntry[];
  /** Names that are left out because nothing changed there, and the entry that is another name of the same file. */
  readonly otherNames: ReadonlyMap<BytePath, BytePath>;
}

/**
 * Removes from `folder` the stubs that were
 * copied there and hold no change, so that it equals the layer. Throws BACKEND_FAILED where the folder is not a plain layer.
 */
export async function readUpperChanges(upper: UpperFolder, signal: AbortSignal): Promise<UpperChanges> {
  const walk: Walk = { ...upper, found: [], unchanged: [], folders: 0, signal };
  await readFolder(walk, '', upper.lower.lstat('') ?? null);
  // A walk by names is not in byte order: "a-b" comes before "a/b" and after "a".
  walk.found.sort((a, b) => compareBytes(a.path, b.path) || ORDER[a.kind] - ORDER[b.kind]);
  return linked(walk);
}

/** A folder is put before it is said to be opaque. */
const ORDER = { put: 0, remove: 0, opaque: 1 } as const;

type Found =
  | Exclude<LayerEntry, PutEntry>
  /** `file`: set where other names may share the file. */
  | (PutEntry & { readonly file?: string });

interface Walk extends UpperFolder {
  readonly found: Found[];
  /** Files that were copied up and may be the same as found ones. */
  readonly unchanged: { readonly path: BytePath; readonly file: string }[];
  folders: number;
  readonly signal: AbortSignal;
}

/** `below`: the lower folder that shines through, or null. Returns whether anything was found. */
async function readFolder(walk: Walk, path: BytePath, below: TreeEntry | null): Promise<'changed' | 'unchanged'> {
  if ((walk.folders += 1) % FOLDERS_PER_TURN === 0) await setImmediate();
  walk.signal.throwIfAborted();
  const before = walk.found.length;
  const names = reachable(path, () => readdirSync(hostPath(walk, path), 'latin1'));
  for (const name of names) await readEntry(walk, joinPath(path, name), below);
  return walk.found.length > before ? 'changed' : 'unchanged';
}

async function readEntry(walk: Walk, path: BytePath, parentBelow: TreeEntry | null): Promise<void> {
  const host = hostPath(walk, path);
  const stats = reachable(path, () => lstatSync(host, { bigint: true }));
  const below = parentBelow === null ? undefined : walk.lower.lstat(path);
  const xattrs = readXattrs(host);
  if (isWhiteout(stats, xattrs, walk.style)) {
    if (below !== undefined) walk.found.push({ kind: 'remove', path });
    return;
  }
  const meta = metaOf(stats, xattrs);
  if (stats.isDirectory()) return readSubfolder(walk, path, { meta, below, opaque: isOpaque(path, xattrs, walk.style) });
  refuse(path, xattrs, walk.style, 'metacopy');
  const device = walk.devices?.read(stats.isFile() ? xattrs?.get(DEVICE_MARK) : undefined);
  const entry = device === undefined ? entryOf(path, host, stats, meta) : deviceOf(path, device, stats, meta);
  if (entry?.kind === 'put' && (await isUnchanged(walk, entry, { stats, xattrs, below }))) {
    if (entry.file !== undefined) walk.unchanged.push({ path, file: entry.file });
    return;
  }
  if (entry !== undefined) walk.found.push(entry);
  // A socket is not in layers, yet it stands in the place of what was there.
  else if (below !== undefined) walk.found.push({ kind: 'remove', path });
}

/**
 * A file that was copied up without being changed: by a chown to the owner that it has, or since it got a further name. BuildKit
 * leaves it out, too (comparing by time where the time has nanoseconds; here the content always counts).
 */
async function isUnchanged(
  walk: Walk,
  { path, node }: PutEntry,
  { stats, xattrs, below }: { readonly stats: BigIntStats; readonly xattrs: Xattrs; readonly below: TreeEntry | undefined },
): Promise<boolean> {
  if (below?.node.type !== node.type) return false;
  const host = walk.lowerFile(path);
  const lower = host === undefined ? undefined : lstatSync(host, { bigint: true, throwIfNoEntry: false });
  if (host === undefined || lower === undefined) return false;
  if (lower.mode !== stats.mode || lower.uid !== stats.uid || lower.gid !== stats.gid || lower.rdev !== stats.rdev) return false;
  if (lower.size !== stats.size || lower.mtimeNs !== stats.mtimeNs || !equalMeta(metaOf(lower, readXattrs(host)), metaOf(stats, xattrs)))
    return false;
  if (node.type === 'symlink') return readlinkSync(host, 'latin1') === node.target;
  return node.type !== 'file' || (await sameContent(host, hostPath(walk, path), walk.signal));
}

/** A command reaches any depth by steps; a layer is written, and unpacked again, by whole paths of at most 4095 bytes. */
function reachable<T>(path: BytePath, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw cause;
    const start = textOf(path.slice(0, 60));
    throw new TsbuildError('BACKEND_FAILED', `the command left a path of ${path.length} bytes, too long for a layer: "/${start}..."`, {
      hint: 'remove such a deep folder in the same RUN; a path and that of the cache folder together may have 4095 bytes',
      cause,
    });
  }
}

interface Subfolder {
  readonly meta: FileMeta;
  readonly below: TreeEntry | undefined;
  readonly opaque: boolean;
}

async function readSubfolder(walk: Walk, path: BytePath, { meta, below, opaque }: Subfolder): Promise<void> {
  const same = below?.node.type === 'dir' ? below : null;
  const inside = await readFolder(walk, path, opaque ? null : same);
  const hides = opaque && same !== null;
  if (same === null) {
    const stub = walk.stubs.get(path);
    if (inside === 'unchanged' && stub?.origin === 'stub' && equalMeta(stub.meta, meta)) {
      rmdirSync(hostPath(walk, path));
      return;
    }
  } else if (inside === 'unchanged' && !hides && equalMeta(same.meta, meta)) {
    return;
  }
  walk.found.push({ kind: 'put', path, meta, node: { type: 'dir' } });
  if (hides) walk.found.push({ kind: 'opaque', path });
}

/** undefined: a socket. */
function entryOf(path: BytePath, host: string | Buffer, stats: BigIntStats, meta: FileMeta): Found | undefined {
  const put = { kind: 'put', path, meta } as const;
  const shared = stats.nlink > 1n ? { file: `${stats.dev}:${stats.ino}` } : {};
  if (stats.isFile()) return { ...put, ...shared, node: { type: 'file', size: Number(stats.size), content: { at: 'host', path: host } } };
  if (stats.isSymbolicLink()) return { ...put, ...shared, node: { type: 'symlink', target: readlinkSync(host, 'latin1') } };
  if (stats.isFIFO()) return { ...put, ...shared, node: { type: 'fifo' } };
  if (stats.isCharacterDevice()) return { ...put, ...shared, node: { type: 'char', ...deviceNumbers(stats.rdev) } };
  if (stats.isBlockDevice()) return { ...put, ...shared, node: { type: 'block', ...deviceNumbers(stats.rdev) } };
  return undefined;
}

/** What was written into a file that stands for a device node is not part of the layer. */
function deviceOf(path: BytePath, node: DeviceNode, stats: BigIntStats, meta: FileMeta): Found {
  const shared = stats.nlink > 1n ? { file: `${stats.dev}:${stats.ino}` } : {};
  return { kind: 'put', path, meta, ...shared, node };
}

/** The first name of a file is put, further ones become hard links to it. */
function linked({ found, unchanged }: Pick<Walk, 'found' | 'unchanged'>): UpperChanges {
  const first = new Map<string, BytePath>();
  const entries = found.map((entry): LayerEntry => {
    if (entry.kind !== 'put') return entry;
    const { file, ...put } = entry;
    if (file === undefined) return put;
    const target = first.get(file);
    if (target !== undefined) return { ...put, node: { type: 'hardlink', target } };
    first.set(file, put.path);
    return put;
  });
  const otherNames = new Map<BytePath, BytePath>();
  for (const { path, file } of unchanged) {
    const target = first.get(file);
    if (target !== undefined) otherNames.set(path, target);
  }
  return { entries, otherNames };
}

type Xattrs = ReadonlyMap<ByteString, Uint8Array> | undefined;

/** A character device 0:0, or an empty file with the mark that kernels since 6.7 take where device nodes cannot be made. */
function isWhiteout(stats: BigIntStats, xattrs: Xattrs, style: OverlayStyle): boolean {
  if (stats.isCharacterDevice()) return stats.rdev === 0n;
  return stats.isFile() && stats.size === 0n && xattrs?.has(overlayXattr(style, 'whiteout')) === true;
}

function isOpaque(path: BytePath, xattrs: Xattrs, style: OverlayStyle): boolean {
  refuse(path, xattrs, style, 'redirect');
  const value = xattrs?.get(overlayXattr(style, 'opaque'));
  return value !== undefined && Buffer.from(value).toString('latin1') === 'y';
}

/** Both are switched off by mount options; a folder that has them anyway would lose files silently. */
function refuse(path: BytePath, xattrs: Xattrs, style: OverlayStyle, what: 'redirect' | 'metacopy'): void {
  if (xattrs?.has(overlayXattr(style, what)) !== true) return;
  throw new TsbuildError('BACKEND_FAILED', `the kernel recorded "/${textOf(path)}" as an overlay ${what}, which cannot become a layer`, {
    hint: `switch it off: echo N > /sys/module/overlay/parameters/${what === 'redirect' ? 'redirect_dir' : 'metacopy'}`,
  });
}

function overlayXattr(style: OverlayStyle, name: string): ByteString {
  return `${style}.overlay.${name}`;
}

function metaOf(stats: BigIntStats, xattrs: Xattrs): FileMeta {
  // A mark that a command copied to what cannot be a device, or changed, means nothing elsewhere.
  const kept = [...(xattrs ?? [])].filter(
    ([name]) => name !== DEVICE_MARK && !/^((trusted|user)\.overlay\.|security\.selinux$)/.test(name),
  );
  return {
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeNs: stats.mtimeNs,
    ...(kept.length === 0 ? {} : { xattrs: new Map(kept) }),
  };
}

/** But for mtime, which every change inside a folder moves. */
function equalMeta(a: FileMeta, b: FileMeta): boolean {
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  const [left, right] = [a.xattrs ?? new Map<ByteString, Uint8Array>(), b.xattrs ?? new Map<ByteString, Uint8Array>()];
  return (
    left.size === right.size &&
    [...left].every(([name, value]) => Buffer.compare(value, right.get(name) ?? Buffer.of()) === 0 && right.has(name))
  );
}

function hostPath({ folder }: UpperFolder, path: BytePath): string | Buffer {
  return path === '' ? folder : forFs(`${bytesOf(folder)}/${path}`);
}
