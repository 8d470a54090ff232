/**
 * A folder of this machine as a FileTree: read when asked, each path once. Names and link targets keep their bytes.
 * Sockets do not exist here; they mean nothing in an image. Nothing outside the folder is ever looked at.
 */
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { type BytePath, type ByteString, forFs, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileContent, FileMeta } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { deviceNumbers } from '../sys/device-numbers.ts';

/** The kernel's limit, in bytes without the NUL. */
const LONGEST_PATH = 4095;

/** Owner of files whose real owner a user namespace does not know. */
const OVERFLOW_UID = 65_534n;

export interface HostTreeOptions {
  /** `root`: all files are 0:0, as in a build context, whose owners mean nothing in an image. */
  readonly owners: 'as-found' | 'root';
  /** Reads extended attributes (sys/xattr.ts); null: none are kept. */
  readonly xattrs: ((path: string | Buffer) => FileMeta['xattrs']) | null;
}

/**
 * `rootFolder`: absolute, as a byte string. Look-ups throw CONTEXT_READ for what exists and cannot be read; the content
 * of an unreadable file fails with CONTEXT_READ when it is asked for.
 */
export function hostTree(rootFolder: ByteString, options: HostTreeOptions): FileTree {
  const entries = new Map<BytePath, TreeEntry | null>();
  const lists = new Map<BytePath, readonly ByteString[]>();
  const prefix = rootFolder.replace(/\/+$/, '');
  let root: string | undefined;

  function onHost(path: BytePath): string | Buffer {
    // The root itself may be a symlink to a folder; `/.` follows it.
    if (path === '') return forFs(`${prefix}/.`);
    if (prefix.length + 1 + path.length <= LONGEST_PATH) return forFs(`${prefix}/${path}`);
    // Deep in the tree: the path is too long only because of where the tree is.
    root ??= openRoot(forFs(`${prefix}/.`));
    return forFs(`${root}/${path}`);
  }

  function lstat(path: BytePath): TreeEntry | undefined {
    const known = entries.get(path);
    if (known !== undefined) return known ?? undefined;
    // Symlinks may add up to such a path; a tree that is too deep is another matter, which the kernel tells.
    if (path.length > 2 * LONGEST_PATH) return undefined;
    // The kernel would follow a symlink above `path`; a tree does not.
    const below = path === '' || lstat(parentOf(path))?.node.type === 'dir';
    const entry = below ? readEntry(onHost(path), path, options) : undefined;
    entries.set(path, entry ?? null);
    return entry;
  }

  function list(path: BytePath): readonly ByteString[] {
    const known = lists.get(path);
    if (known !== undefined) return known;
    const names =
      lstat(path)?.node.type === 'dir' ? readNames(onHost(path), path).filter((name) => lstat(joinPath(path, name)) !== undefined) : [];
    lists.set(path, names);
    return names;
  }

  return { lstat, list };
}

/** The folder of a build context: owners are 0:0 and extended attributes are dropped, as BuildKit's client does. */
export function contextTree(rootFolder: ByteString): FileTree {
  return hostTree(rootFolder, { owners: 'root', xattrs: null });
}

/** A short path to the folder. It stays open as long as the process runs: files are read when their layer is packed. */
function openRoot(folder: string | Buffer): string {
  const path = `/proc/self/fd/${openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)}`;
  // Without /proc everything below would seem not to exist.
  statSync(path);
  return path;
}

function readNames(hostPath: string | Buffer, path: BytePath): ByteString[] {
  try {
    return readdirSync(hostPath, { encoding: 'latin1' }).sort();
  } catch (error) {
    if (isGone(error)) return [];
    throw unreadable(path, error);
  }
}

function readEntry(hostPath: string | Buffer, path: BytePath, options: HostTreeOptions): TreeEntry | undefined {
  try {
    const stats = lstatSync(hostPath, { bigint: true });
    const meta = metaOf(stats, hostPath, options);
    if (stats.isFile()) {
      const content = contentOf(stats, hostPath, path);
      const link = stats.nlink > 1n ? { link: `${stats.dev}:${stats.ino}` } : {};
      return { meta, node: { type: 'file', size: Number(stats.size), content }, ...link };
    }
    if (stats.isDirectory()) return { meta, node: { type: 'dir' } };
    if (stats.isSymbolicLink()) return { meta, node: { type: 'symlink', target: readlinkSync(hostPath, { encoding: 'latin1' }) } };
    if (stats.isFIFO()) return { meta, node: { type: 'fifo' } };
    if (stats.isSocket()) return undefined;
    return { meta, node: { type: stats.isCharacterDevice() ? 'char' : 'block', ...deviceNumbers(stats.rdev) } };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error instanceof TsbuildError ? error : unreadable(path, error);
  }
}

type Stats = ReturnType<typeof bigStats>;
const bigStats = (path: string) => lstatSync(path, { bigint: true });

function metaOf(stats: Stats, hostPath: string | Buffer, options: HostTreeOptions): FileMeta {
  const found = options.owners === 'as-found';
  const xattrs = options.xattrs?.(hostPath);
  return {
    mode: Number(stats.mode & 0o7777n),
    uid: found ? Number(stats.uid) : 0,
    gid: found ? Number(stats.gid) : 0,
    mtimeNs: stats.mtimeNs,
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

/** A file that this process may not read gets content that says so when it is needed: .dockerignore or --exclude may leave it out. */
function contentOf(stats: Stats, hostPath: string | Buffer, path: BytePath): FileContent {
  const content = { at: 'host', path: hostPath, inode: Number(stats.ino) } as const;
  if (seemsReadable(stats)) return content;
  return {
    at: 'deferred',
    async locate() {
      try {
        // Not access(2), which asks for the real user instead of the effective one.
        closeSync(openSync(hostPath, 'r'));
      } catch (error) {
        throw unreadable(path, error);
      }
      return content;
    },
  };
}

/** By mode bits alone, which costs nothing; a "no" is asked of the kernel later. */
function seemsReadable(stats: Stats): boolean {
  const uid = process.geteuid?.() ?? 0;
  if ((stats.mode & 0o444n) === 0o444n) return true;
  // Root of a user namespace may not read what belongs to nobody in it.
  if (uid === 0) return stats.uid !== OVERFLOW_UID;
  return stats.uid === BigInt(uid) && (stats.mode & 0o400n) !== 0n;
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unreadable(path: BytePath, error: unknown): TsbuildError {
  const { code, message } = error as NodeJS.ErrnoException;
  const shown = path === '' ? 'the folder itself' : `"${textOf(path)}"`;
  if (code === 'ENAMETOOLONG') {
    return new TsbuildError('CONTEXT_READ', `cannot read ${shown}: it is too deep, its path has ${path.length} bytes`, {
      hint: 'leave it out with a line in .dockerignore: an image cannot be used anywhere with such a path',
    });
  }
  return new TsbuildError('CONTEXT_READ', `cannot read ${shown}: ${code ?? message}`, {
    hint: code === 'EACCES' ? 'change its permissions, or leave it out with a line in .dockerignore' : undefined,
    cause: error,
  });
}
