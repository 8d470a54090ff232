/**
 * Mount points that the image lacks. Making them in the rootfs would put them into the next layer, so they are made in a
 * folder of their own, stacked on top of the lower ones: the missing parts, and the existing folders above them with
 * exactly the metadata that they have (an overlay shows that of the topmost folder). The same folder mends what
 * LayerIndex.implied describes: folders that a layer's tar leaves out and that were unpacked as 0755 0:0.
 */
import { type BytePath, type ByteString, compareBytes, joinPath, parentOf } from '../../bytes/byte-path.ts';
import type { FileMeta } from '../../layer/entry.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';
import type { FileTree, TreeEntry } from '../../layer/tree.ts';
import { noMountPoint, SetupError } from '../command/setup-error.ts';

export interface Stub {
  readonly type: 'dir' | 'file';
  readonly meta: FileMeta;
  /** 'copy': a folder that the image has. 'stub': it is not in the image. */
  readonly origin: 'copy' | 'stub';
}

/** By path, parents before children; the root is not in it. */
export type StubPlan = ReadonlyMap<BytePath, Stub>;

/** `target`: absolute, bytes. */
export interface MountPoint {
  readonly target: ByteString;
  readonly type: 'dir' | 'file';
}

/** What Docker gives a mount point that it makes. */
const STUB_MODE = { dir: 0o755, file: 0o644 } as const;
const MAX_SYMLINKS = 40;

/**
 * `indexes`: of the layers of `tree`, lowest first. `mountPoints` in the order of their mounting: those inside an earlier
 * one are made there, when it is mounted. Throws SetupError for a mount point that is of the wrong kind or below a file.
 */
export function planStubs(tree: FileTree, indexes: readonly LayerIndex[], mountPoints: readonly MountPoint[]): StubPlan {
  const stubs = new Map<BytePath, Stub>();
  // Of a folder that the command changes, the time is in the layer.
  const mtimeNs = BigInt(Date.now()) * 1_000_000n;
  const add = (path: BytePath, type: 'dir' | 'file'): void => {
    if (path === '' || stubs.has(path)) return;
    add(parentOf(path), 'dir');
    const meta = tree.lstat(path)?.meta;
    const missing: FileMeta = { mode: STUB_MODE[type], uid: 0, gid: 0, mtimeNs };
    stubs.set(path, { type, meta: meta ?? missing, origin: meta === undefined ? 'stub' : 'copy' });
  };
  for (const path of mistakenFolders(tree, indexes)) add(path, 'dir');
  const mounted = new Set<BytePath>();
  for (const { target, type } of mountPoints) {
    const found = resolve(tree, target, mounted);
    if (found === 'inside a mount') continue;
    mounted.add(found.path);
    if (found.entry === undefined) add(found.path, type);
    else if ((found.entry.node.type === 'dir') !== (type === 'dir')) throw wrongKind(target, type);
  }
  return new Map([...stubs].sort(([a], [b]) => compareBytes(a, b)));
}

/** Folders whose topmost layer only implies them, and that the tree knows better. */
function mistakenFolders(tree: FileTree, indexes: readonly LayerIndex[]): BytePath[] {
  const implied = new Set(indexes.flatMap((index) => [...index.implied]));
  return [...implied].filter((path) => {
    const entry = tree.lstat(path);
    if (entry?.node.type !== 'dir' || isPlain(entry.meta)) return false;
    const topmost = indexes.findLast((index) => index.implied.has(path) || index.puts.has(path));
    return topmost?.implied.has(path) === true;
  });
}

function isPlain({ mode, uid, gid, xattrs }: FileMeta): boolean {
  return mode === 0o755 && uid === 0 && gid === 0 && (xattrs?.size ?? 0) === 0;
}

export interface Resolved {
  readonly path: BytePath;
  /** undefined: not there, and parents of it may be missing, too. Never a symlink. */
  readonly entry: TreeEntry | undefined;
}

/** Where an absolute path leads inside the tree. Throws SetupError as `planStubs` does. */
export function findInTree(tree: FileTree, path: ByteString): Resolved {
  const found = resolve(tree, path, new Set());
  if (found === 'inside a mount') throw new Error('nothing is mounted in a tree');
  return found;
}

/** A dangling symlink leads to what it names, as it does for Docker. */
function resolve(tree: FileTree, target: ByteString, mounted: ReadonlySet<BytePath>): Resolved | 'inside a mount' {
  const rest = partsOf(target);
  let path: BytePath = '';
  let entry: TreeEntry | undefined;
  let symlinks = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      // As the kernel does, and init: there is no way up from a folder that is not there.
      if (path !== '' && entry === undefined) throw noMountPoint(shown(target), `/${shown(path)}`);
      path = parentOf(path);
      entry = tree.lstat(path);
      continue;
    }
    const child = joinPath(path, name);
    entry = tree.lstat(child);
    if (entry?.node.type === 'symlink') {
      if ((symlinks += 1) > MAX_SYMLINKS) throw new SetupError(`mount ${shown(target)}`, 'too many symlinks in the image lead there');
      rest.unshift(...partsOf(entry.node.target));
      if (entry.node.target.startsWith('/')) path = '';
      entry = tree.lstat(path);
      continue;
    }
    path = child;
    if (rest.length > 0 && mounted.has(path)) return 'inside a mount';
    if (rest.length > 0 && entry !== undefined && entry.node.type !== 'dir') {
      throw new SetupError(`mount ${shown(target)}`, `/${shown(path)} is not a folder in the image`);
    }
  }
  return { path, entry: path === '' ? tree.lstat('') : entry };
}

function wrongKind(target: ByteString, type: 'dir' | 'file'): SetupError {
  const [is, has] = type === 'dir' ? ['a folder', 'a file'] : ['a file', 'a folder'];
  return new SetupError(`mount ${shown(target)}`, `what is mounted is ${is}, and the image has ${has} there`);
}

function partsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function shown(path: ByteString): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
