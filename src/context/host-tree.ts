/**
 * A folder of this machine as a FileTree: read when asked, each path once. Names and link targets keep their bytes.
 * Sockets do not exist here; they mean nothing in an image. Nothing outside the folder is ever looked at.
 *
 * What is kept of a file is its name and a row of numbers; entries are made each time they are asked for.
 */
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { type BytePath, type ByteString, baseName, forFs, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import type { FileContent, FileMeta, FileStamp } from '../layer/entry.ts';
import type { FileTree, TreeEntry } from '../layer/tree.ts';
import { deviceNumbers } from '../sys/device-numbers.ts';
import { positionOf } from './sorted-names.ts';
import { type StatRows, statRows } from './stat-rows.ts';

/** The kernel's limit, in bytes without the NUL. */
const LONGEST_PATH = 4095;

/** Owner of files whose real owner a user namespace does not know. */
const OVERFLOW_UID = 65_534;

export interface HostTreeOptions {
  /** `root`: all files are 0:0, as in a build context, whose owners mean nothing in an image. */
  readonly owners: 'as-found' | 'root';
  /** Reads extended attributes (sys/xattr.ts); null: none are kept. */
  readonly xattrs: ((path: string | Buffer) => FileMeta['xattrs']) | null;
}

/** Files of one folder: `names[i]` has row `first + i`. */
interface Listing {
  readonly path: BytePath;
  readonly names: readonly ByteString[];
  readonly first: number;
}

/**
 * `rootFolder`: absolute, as a byte string. Look-ups throw CONTEXT_READ for what exists and cannot be read; the content
 * of an unreadable file fails with CONTEXT_READ when it is asked for.
 */
export function hostTree(rootFolder: ByteString, options: HostTreeOptions): FileTree {
  const seen: Seen = { rows: statRows(), targets: new Map(), xattrs: new Map(), onHost: hostPaths(rootFolder) };
  const folders = new Map<BytePath, Listing>();
  /** What was looked up before its folder was listed; null: it is not there. */
  const singles = new Map<BytePath, Listing | null>();
  const uid = process.geteuid?.() ?? 0;

  /** Looks at a file; null: there is none. Only where the folder above is known to be one: the kernel would follow a symlink. */
  function look(path: BytePath): number | null {
    const hostPath = seen.onHost(path);
    try {
      const stats = lstatSync(hostPath, { bigint: true, throwIfNoEntry: false });
      if (stats === undefined || stats.isSocket()) return null;
      const target = stats.isSymbolicLink() ? readlinkSync(hostPath, { encoding: 'latin1' }) : undefined;
      const xattrs = options.xattrs?.(hostPath);
      const row = seen.rows.add(stats);
      if (target !== undefined) seen.targets.set(row, target);
      if (xattrs !== undefined) seen.xattrs.set(row, xattrs);
      return row;
    } catch (error) {
      if (isGone(error)) return null;
      throw error instanceof TsbuildError ? error : unreadable(path, error);
    }
  }

  function lookAtSingle(path: BytePath): Listing | null {
    const known = singles.get(path);
    if (known !== undefined) return known;
    const row = path === '' || typeAt(parentOf(path)) === 'dir' ? look(path) : null;
    const single = row === null ? null : { path: parentOf(path), names: [baseName(path)], first: row };
    singles.set(path, single);
    return single;
  }

  function find(path: BytePath): { readonly listing: Listing; readonly position: number } | undefined {
    // Symlinks may add up to such a path; a tree that is too deep is another matter, which the kernel tells.
    if (path.length > 2 * LONGEST_PATH) return undefined;
    const listing = path === '' ? undefined : folders.get(parentOf(path));
    if (listing === undefined) {
      const single = lookAtSingle(path);
      return single === null ? undefined : { listing: single, position: 0 };
    }
    const position = positionOf(listing.names, baseName(path));
    return position < 0 ? undefined : { listing, position };
  }

  function typeAt(path: BytePath): TreeEntry['node']['type'] | undefined {
    const found = find(path);
    return found === undefined ? undefined : typeOf(seen.rows.mode(found.listing.first + found.position));
  }

  /** Looks at a file of a folder that is being listed: the last row is its. */
  function lookInFolder(path: BytePath): number | null {
    const single = singles.size === 0 ? undefined : singles.get(path);
    if (single === undefined) return look(path);
    if (single === null) return null;
    const row = seen.rows.repeat(single.first);
    const [target, xattrs] = [seen.targets.get(single.first), seen.xattrs.get(single.first)];
    if (target !== undefined) seen.targets.set(row, target);
    if (xattrs !== undefined) seen.xattrs.set(row, xattrs);
    return row;
  }

  function readFolder(path: BytePath): Listing {
    if (typeAt(path) !== 'dir') return { path, names: [], first: 0 };
    const names: ByteString[] = [];
    let first = 0;
    for (const name of readNames(seen.onHost(path), path)) {
      const row = lookInFolder(joinPath(path, name));
      if (row === null) continue;
      if (names.length === 0) first = row;
      names.push(name);
    }
    return { path, names, first };
  }

  return {
    lstat(path) {
      const found = find(path);
      return found === undefined ? undefined : entryOf(seen, found.listing, found.position, { owners: options.owners, uid });
    },
    list(path) {
      let listing = folders.get(path);
      if (listing === undefined) folders.set(path, (listing = readFolder(path)));
      return listing.names;
    },
  };
}

/** The folder of a build context: owners are 0:0 and extended attributes are dropped, as BuildKit's client does. */
export function contextTree(rootFolder: ByteString): FileTree {
  return hostTree(rootFolder, { owners: 'root', xattrs: null });
}

/** Where a path of the tree is on this machine. */
function hostPaths(rootFolder: ByteString): (path: BytePath) => string | Buffer {
  const prefix = rootFolder.replace(/\/+$/, '');
  let root: string | undefined;
  return (path) => {
    // The root itself may be a symlink to a folder; `/.` follows it.
    if (path === '') return forFs(`${prefix}/.`);
    if (prefix.length + 1 + path.length <= LONGEST_PATH) return forFs(`${prefix}/${path}`);
    // Deep in the tree: the path is too long only because of where the tree is.
    root ??= openRoot(forFs(`${prefix}/.`));
    return forFs(`${root}/${path}`);
  };
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

/** What is known of a tree's files, beside their names. */
interface Seen {
  readonly rows: StatRows;
  /** Of symlinks, by row. */
  readonly targets: Map<number, ByteString>;
  readonly xattrs: Map<number, FileMeta['xattrs']>;
  onHost(path: BytePath): string | Buffer;
}

interface Eyes extends Pick<HostTreeOptions, 'owners'> {
  /** Effective user of this process. */
  readonly uid: number;
}

function entryOf(seen: Seen, listing: Listing, position: number, eyes: Eyes): TreeEntry {
  const { rows } = seen;
  const row = listing.first + position;
  const mode = rows.mode(row);
  const found = eyes.owners === 'as-found';
  const xattrs = seen.xattrs.get(row);
  const meta: FileMeta = {
    mode: mode & 0o7777,
    uid: found ? rows.uid(row) : 0,
    gid: found ? rows.gid(row) : 0,
    mtimeNs: rows.mtimeNs(row),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
  const type = typeOf(mode);
  switch (type) {
    case 'file': {
      const node = { type, size: rows.size(row), content: contentOf(new HostFile(seen, listing, position), rows, row, eyes.uid) };
      if (!rows.isShared(row)) return { meta, node };
      const { device, inode } = rows.stamp(row);
      return { meta, node, link: `${device}:${inode}` };
    }
    case 'symlink':
      return { meta, node: { type, target: seen.targets.get(row) ?? '' } };
    case 'char':
    case 'block':
      return { meta, node: { type, ...deviceNumbers(rows.rdev(row)) } };
    default:
      return { meta, node: { type } };
  }
}

function typeOf(mode: number): TreeEntry['node']['type'] {
  switch (mode & constants.S_IFMT) {
    case constants.S_IFREG:
      return 'file';
    case constants.S_IFDIR:
      return 'dir';
    case constants.S_IFLNK:
      return 'symlink';
    case constants.S_IFIFO:
      return 'fifo';
    case constants.S_IFCHR:
      return 'char';
    case constants.S_IFBLK:
      return 'block';
    default:
      throw new Error(`files of mode ${mode.toString(8)} are not known here`);
  }
}

/** Content of a file that is kept as a few numbers until it is read: a context has many more files than are read at once. */
class HostFile {
  readonly at = 'host';
  readonly #seen: Seen;
  readonly #listing: Listing;
  readonly #position: number;

  constructor(seen: Seen, listing: Listing, position: number) {
    this.#seen = seen;
    this.#listing = listing;
    this.#position = position;
  }

  get path(): string | Buffer {
    return this.#seen.onHost(this.pathInTree);
  }

  get inode(): number {
    return Number(this.stamp.inode);
  }

  get stamp(): FileStamp {
    return this.#seen.rows.stamp(this.#listing.first + this.#position);
  }

  get pathInTree(): BytePath {
    return joinPath(this.#listing.path, this.#listing.names[this.#position] ?? '');
  }
}

/** A file that this process may not read gets content that says so when it is needed: .dockerignore or --exclude may leave it out. */
function contentOf(content: HostFile, rows: StatRows, row: number, uid: number): FileContent {
  if (seemsReadable(rows.mode(row), rows.uid(row), uid)) return content;
  return {
    at: 'deferred',
    async locate() {
      try {
        // Not access(2), which asks for the real user instead of the effective one.
        closeSync(openSync(content.path, 'r'));
      } catch (error) {
        throw unreadable(content.pathInTree, error);
      }
      return content;
    },
  };
}

/** By mode bits alone, which costs nothing; a "no" is asked of the kernel later. */
function seemsReadable(mode: number, owner: number, uid: number): boolean {
  if ((mode & 0o444) === 0o444) return true;
  // Root of a user namespace may not read what belongs to nobody in it.
  if (uid === 0) return owner !== OVERFLOW_UID;
  return owner === uid && (mode & 0o400) !== 0;
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
