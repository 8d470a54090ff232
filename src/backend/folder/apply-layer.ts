/**
 * Lays one layer over the files of those below it, in a plain folder. What the layer hides of them goes first, known from its
 * index, so the order of the archive does not matter; then its members are put in the archive's order.
 *
 * A layer is untrusted. The kernel never follows a symlink here: each parent has been seen to be a folder, and what is a
 * symlink or file of a lower layer there gives way to a folder, as in an overlay. Where the layer's own symlinks lead is
 * worked out from what it says (follow-links.ts), as the index does. Synchronous, because that is several times faster.
 * Spec: OCI image-spec layer.md, "Applying Changesets".
 */
import { type Hash, randomBytes } from 'node:crypto';
import { closeSync, constants, ftruncateSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { type BytePath, type ByteString, baseName, forFs, joinPath, parentOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { FileMeta } from '../../layer/entry.ts';
import { followLinks } from '../../layer/follow-links.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';
import { isWithin, memberPath, notBelow, parseMemberName } from '../../layer/member-name.ts';
import type { TarHandler, TarMember } from '../../layer/tar/member.ts';
import { makeNode } from '../../sys/mknod.ts';
import { setMtime } from '../../sys/times.ts';
import { badLink, explained, keptTarget, noTarget } from './apply-errors.ts';
import { type Removed, removing, removingBelow } from './apply-remove.ts';
import type { Place } from './layer-folder-place.ts';
import type { HostPath, Ownership } from './ownership.ts';
import { contentHash, contentKey, symlinkKey } from './walk-content.ts';

export interface ApplyOptions {
  readonly place: Place;
  readonly ownership: Ownership;
  readonly index: LayerIndex;
}

/** Paths that are other than before; after `end` only. */
export interface Applied {
  /** Gone, perhaps with others of the same path put since. */
  readonly removed: ReadonlySet<BytePath>;
  /** Files that the layer put, and folders that it put or that changed, with what their content is known to be. */
  readonly put: ReadonlyMap<BytePath, string | undefined>;
  /** Of files that got or lost a name. */
  readonly inodes: ReadonlySet<bigint>;
}

export interface Applier extends TarHandler {
  /** Removes what the layer hides. To be called before any member is shown. */
  hide(): void;
  applied(): Applied;
}

/** A folder on the way of a member. */
interface Folder {
  meta: FileMeta | undefined;
  /** What the folder is on the disk; null: there is none, since the layer itself has something else there in the end. */
  readonly disk: 'new' | { readonly mtimeNs: bigint } | null;
}

/** Something of this layer that is no folder. */
interface Placed {
  readonly symlink: ByteString | undefined;
  /** Undefined: nowhere, since nothing can refer to it. */
  readonly host: HostPath | undefined;
  /** The path in the layers below of which this is a further name. */
  readonly lower: BytePath | undefined;
  readonly inPlace: boolean;
}

interface OpenFile {
  readonly fd: number;
  readonly path: BytePath;
  readonly host: HostPath;
  readonly meta: FileMeta;
  readonly inPlace: boolean;
  hash: Hash | undefined;
  position: number;
  endsInHole: boolean;
}

const IMPLIED: FileMeta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };
/** Holes that are longer are not hashed: they may be far longer than any disk. */
const LONGEST_HOLE = 16 * 1024 * 1024;

/**
 * Methods throw LAYER_PATH_ESCAPE and LAYER_INVALID for what the layer does wrong, STORE_FAILED for what the file system
 * refuses; the rootfs is good for nothing then. Kept paths are passed over, as Kaniko does, and a folder above them stays one.
 */
export function createApplier({ place: whole, ownership, index }: ApplyOptions): Applier {
  const scratch: BytePath = `.tsbuild-${randomBytes(8).toString('hex')}`;
  const place: Place = { ...whole, isKept: (path) => isWithin(path, scratch) || whole.isKept(path) };
  const folders = new Map<BytePath, Folder>([['', { meta: undefined, disk: { mtimeNs: mtimeOf(place.root) } }]]);
  const placed = new Map<BytePath, Placed>();
  const removed = new Set<BytePath>();
  const contents = new Map<BytePath, string | undefined>();
  const inodes = new Set<bigint>();
  /** Times of folders as the layers below left them, from before anything in them was removed. */
  const times = new Map<BytePath, bigint>();
  const made = new Set<BytePath>();
  /** Further names of lower files, made before any of them could go. */
  const pins = new Map<BytePath, HostPath>();
  let scratches = 0;
  let file: OpenFile | undefined;
  let current: BytePath = '';

  /** What the layer itself has at `path` once all of its members are put. */
  const kindAtTheEnd = (path: BytePath): 'folder' | 'other' | 'nothing' => {
    if (path === '' || index.implied.has(path)) return 'folder';
    const type = index.puts.get(path)?.node.type;
    if (type === 'dir') return 'folder';
    return type !== undefined || index.lowerLinks?.has(path) === true ? 'other' : 'nothing';
  };

  /** A place of this layer's own, removed at the end. */
  function aside(): HostPath {
    if (scratches === 0) mkdirSync(place.host(scratch), 0o700);
    scratches += 1;
    return place.host(`${scratch}/${scratches}`);
  }

  /** Whether the folders above `path` are such on the disk, as the layers below left it. */
  function isReachable(path: BytePath): boolean {
    if (path === '') return true;
    const parent = parentOf(path);
    return isReachable(parent) && lstatSync(place.host(parent), { throwIfNoEntry: false })?.isDirectory() === true;
  }

  function remove(steps: Iterable<Removed>): void {
    for (const { path, stats } of steps) {
      removed.add(path);
      times.delete(path);
      made.delete(path);
      if (!stats.isDirectory() && stats.nlink > 1n) inodes.add(stats.ino);
    }
  }

  function pin(path: BytePath, target: BytePath): void {
    if (pins.has(target)) return;
    const stats = isReachable(target) ? lstatSync(place.host(target), { bigint: true, throwIfNoEntry: false }) : undefined;
    if (stats === undefined || stats.isDirectory()) throw noTarget(path, target);
    if (place.isKept(target)) throw keptTarget(path, target);
    const host = aside();
    linkSync(place.host(target), host);
    inodes.add(stats.ino);
    pins.set(target, host);
  }

  /** Of a folder, as it was before the layer came. */
  function timeOf(path: BytePath): bigint {
    let time = times.get(path);
    if (time === undefined) times.set(path, (time = mtimeOf(place.host(path))));
    return time;
  }

  function linkAt(path: BytePath): ByteString | undefined {
    return placed.get(path)?.symlink;
  }

  function folderOf(path: BytePath): BytePath {
    return folders.has(path) ? path : followLinks(path, linkAt);
  }

  /** Where a member goes: what it says, but for the layer's own symlinks on the way. */
  function placeFor(path: BytePath): BytePath {
    return joinPath(folderOf(parentOf(path)), baseName(path));
  }

  function needFolder(path: BytePath, of: BytePath): Folder {
    const known = folders.get(path);
    if (known !== undefined) return known;
    if (placed.has(path)) throw notBelow(of, path);
    needFolder(parentOf(path), of);
    return addFolder(path);
  }

  function addFolder(path: BytePath): Folder {
    const folder: Folder = { meta: undefined, disk: kindAtTheEnd(path) === 'folder' && !place.isKept(path) ? folderOnDisk(path) : null };
    folders.set(path, folder);
    return folder;
  }

  function folderOnDisk(path: BytePath): Folder['disk'] {
    const host = place.host(path);
    const stats = lstatSync(host, { bigint: true, throwIfNoEntry: false });
    if (stats?.isDirectory() === true) return made.has(path) ? 'new' : { mtimeNs: timeOf(path) };
    if (stats !== undefined) remove(removing(place, path, 'fail'));
    mkdirSync(host, 0o700);
    made.add(path);
    return 'new';
  }

  /** The way is free for something that is no folder: what this layer had below is forgotten. */
  function dropFolder(path: BytePath): void {
    if (!folders.delete(path)) return;
    const below = `${path}/`;
    for (const all of [folders, placed, contents]) for (const known of all.keys()) if (known.startsWith(below)) all.delete(known);
    contents.delete(path);
  }

  /**
   * Where something that is no folder is made; undefined: nowhere. What the layer itself has something else for in the end, and
   * what is kept, is made aside where a further name may be wanted.
   */
  function freePlace(path: BytePath): { readonly host: HostPath; readonly inPlace: boolean } | undefined {
    const out = place.isKept(path) || place.isAboveKept(path);
    if (place.isAboveKept(path) && kindAtTheEnd(path) === 'other') remove(removing(place, path, 'fail'));
    if (out && index.puts.get(path)?.link === undefined && kindAtTheEnd(path) === 'other') return undefined;
    if (out || kindAtTheEnd(path) !== 'other') return { host: aside(), inPlace: false };
    return { host: place.host(path), inPlace: true };
  }

  function put(path: BytePath, symlink: ByteString | undefined, create: (host: HostPath) => void): boolean {
    dropFolder(path);
    const free = freePlace(path);
    placed.set(path, { symlink, host: free?.host, lower: undefined, inPlace: free?.inPlace ?? false });
    if (free === undefined) return false;
    if (free.inPlace) contents.set(path, undefined);
    if (make(() => create(free.host)) === 'made') return true;
    remove(removing(place, path, 'fail'));
    create(free.host);
    return true;
  }

  function putFolder(path: BytePath, meta: FileMeta): void {
    placed.delete(path);
    contents.delete(path);
    (folders.get(path) ?? addFolder(path)).meta = meta;
  }

  function putFile(path: BytePath, meta: FileMeta): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    put(path, undefined, (host) => {
      const inPlace = contents.has(path);
      const hash = inPlace ? contentHash() : undefined;
      file = { fd: openSync(host, flags, 0o600), path, host, meta, inPlace, hash, position: 0, endsInHole: false };
    });
  }

  function putSymlink(path: BytePath, target: ByteString, meta: FileMeta): void {
    const made = put(path, target, (host) => symlinkSync(forFs(target), host));
    if (!made) return;
    finish(path, meta, 'symlink');
    if (contents.has(path)) contents.set(path, symlinkKey(target));
  }

  function putSpecial(path: BytePath, { meta, major, minor }: TarMember, type: 'fifo' | 'char' | 'block'): void {
    const made = put(path, undefined, (host) =>
      type === 'fifo'
        ? makeNode(host, { type, mode: 0o600, major: 0, minor: 0 })
        : ownership.makeDevice(path, host, { type, major, minor }),
    );
    if (made) finish(path, meta, 'other');
  }

  function finish(path: BytePath, meta: FileMeta, type: 'symlink' | 'other'): void {
    const host = placed.get(path)?.host;
    if (host !== undefined) ownership.apply(path, host, meta, type);
  }

  function link(path: BytePath, target: BytePath): void {
    const own = placed.get(target);
    if (isWithin(target, path) || folders.has(target)) throw badLink(path, target);
    const lower = own === undefined ? target : own.lower;
    const source = lower === undefined ? own?.host : (own?.host ?? pins.get(lower));
    const content = contents.get(target);
    if (source === undefined) {
      // Another member takes its place; else its target would have been pinned.
      dropFolder(path);
      placed.set(path, { symlink: own?.symlink, host: undefined, lower, inPlace: false });
      return;
    }
    put(path, own?.symlink, (host) => linkSync(source, host));
    const now = placed.get(path) as Placed;
    placed.set(path, { ...now, lower });
    if (now.inPlace) contents.set(path, content);
    inodes.add(lstatSync(source, { bigint: true }).ino);
  }

  function putMember(path: BytePath, member: TarMember): void {
    needFolder(parentOf(path), path);
    const { type, meta } = member;
    if (type === 'dir') putFolder(path, meta);
    else if (type === 'file') putFile(path, meta);
    else if (type === 'symlink') putSymlink(path, member.target, meta);
    else if (type === 'hardlink') link(path, placeFor(memberPath(member.target, 'hard link target')));
    else putSpecial(path, member, type);
  }

  function finishFolders(): void {
    if (scratches > 0) for (const _ of removing(whole, scratch, 'fail')) void _;
    // Children first: making them has moved their folder's time.
    for (const [path, { meta, disk }] of [...folders].reverse()) {
      current = path;
      if (disk === null) continue;
      const host = place.host(path);
      if (disk === 'new') ownership.apply(path, host, meta ?? IMPLIED, 'other');
      else if (meta !== undefined) ownership.replace(path, host, meta);
      else setMtime(host, disk.mtimeNs);
      contents.set(path, undefined);
    }
  }

  function guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw explained(error, current);
    }
  }

  return {
    hide() {
      guarded(() => {
        for (const [path, target] of index.lowerLinks ?? []) pin((current = path), target);
        for (const path of index.removes) {
          current = path;
          if (!isReachable(path)) continue;
          timeOf(parentOf(path));
          remove(removing(place, path, 'fail'));
        }
        for (const path of index.opaques) {
          current = path;
          if (!isReachable(joinPath(path, '.')) || place.isKept(path)) continue;
          timeOf(path);
          remove(removingBelow(place, path, 'fail'));
        }
      });
    },
    member(member) {
      guarded(() => {
        const name = parseMemberName(member.name);
        if (name.kind === 'nothing') return;
        current = name.path;
        if (name.kind === 'opaque') needFolder(folderOf(name.path), name.path);
        else if (name.kind === 'remove') {
          const path = placeFor(name.path);
          needFolder(parentOf(path), path);
        } else if (name.path !== '') putMember(placeFor(name.path), member);
        else if (member.type === 'dir') needFolder('', '').meta = member.meta;
        else throw new TsbuildError('LAYER_INVALID', `a layer makes its root a ${member.type}`);
      });
    },
    content(bytes) {
      if (file === undefined) return;
      const { fd, hash, position } = file;
      guarded(() => {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
      });
      hash?.update(bytes);
      file.position += bytes.length;
      file.endsInHole = false;
    },
    hole(bytes) {
      if (file === undefined) return;
      if (bytes > LONGEST_HOLE) file.hash = undefined;
      file.hash?.update(Buffer.alloc(bytes));
      file.position += bytes;
      file.endsInHole = true;
    },
    contentEnd() {
      if (file === undefined) return;
      const { fd, path, meta, position, endsInHole, hash } = file;
      guarded(() => {
        if (endsInHole) ftruncateSync(fd, position);
        closeSync(fd);
        file = undefined;
        finish(path, meta, 'other');
        if (hash !== undefined) contents.set(path, contentKey(hash));
      });
    },
    end: () => guarded(finishFolders),
    abort() {
      if (file !== undefined) closeSync(file.fd);
      file = undefined;
    },
    applied: () => ({ removed, put: contents, inodes }),
  };
}

function mtimeOf(host: HostPath): bigint {
  return lstatSync(host, { bigint: true }).mtimeNs;
}

function make(create: () => void): 'made' | 'exists' {
  try {
    create();
    return 'made';
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return 'exists';
    throw error;
  }
}
