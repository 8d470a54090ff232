/**
 * Writes one layer into an empty folder in the form that the kernel's overlay takes: whiteouts are character devices 0:0,
 * opaque folders carry an xattr. Only what this layer says; lower layers are not looked at.
 *
 * A layer is untrusted. The kernel never follows a symlink here: a parent is a folder that this unpacking made itself, which
 * it knows without asking, and where the layer's own symlinks lead is worked out from what it has made (follow-links.ts).
 * Synchronous, because that is several times faster than promises here.
 * Specs: kernel overlayfs.rst, "whiteouts and opaque directories"; OCI image-spec layer.md.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type BytePath, type ByteString, baseName, forFs, joinPath, parentOf, textOf } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { makeNode } from '../sys/mknod.ts';
import { setXattr } from '../sys/xattr.ts';
import { DEVICE_MARK, type DeviceMarks } from './device-marks.ts';
import type { FileMeta } from './entry.ts';
import { followLinks } from './follow-links.ts';
import { isWithin, memberPath, notBelow, parseMemberName } from './member-name.ts';
import type { TarHandler, TarMember } from './tar/member.ts';
import { applyMeta, applyMetaOf, type Creator, type Owners } from './unpack-meta.ts';

export interface UnpackOptions {
  /** Absolute; exists and is empty. */
  readonly folder: string;
  /**
   * Whose xattrs the overlay will be mounted with: 'user' is mount option `userxattr`, needed in a user namespace. 'none': nobody
   * mounts it, and only the content of files is asked for; what only an overlay can tell is left out.
   */
  readonly style: 'trusted' | 'user' | 'none';
  readonly owners: Owners;
  /** How to mark what stands for a device node where none may be made; undefined: a whiteout hides its place instead. */
  readonly devices?: DeviceMarks | undefined;
}

interface Folder {
  /** Undefined: the tar has no entry for it (yet). */
  meta: FileMeta | undefined;
  opaque: boolean;
}

const IMPLIED: FileMeta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };
const WHITEOUT = { type: 'char', mode: 0, major: 0, minor: 0 } as const;

/**
 * Methods throw LAYER_PATH_ESCAPE and LAYER_INVALID for what the layer does wrong, STORE_FAILED for what the file system
 * refuses. The folder is right only after `end`; after a failure the caller removes it.
 *
 * Device nodes that this process may not make become marked files, or whiteouts: nothing of a lower layer shows in their
 * place, and the index still knows them. Whiteouts are also hard links to files of lower layers, which differ from image to
 * image: whoever stacks the folder puts them above it.
 */
export function createUnpacker(options: UnpackOptions): TarHandler {
  const root = options.folder;
  if (readdirSync(root).length > 0) throw new Error('a layer must be unpacked into an empty folder');
  const folders = new Map<BytePath, Folder>([['', { meta: undefined, opaque: false }]]);
  const symlinks = new Map<BytePath, ByteString>();
  const removed = new Set<BytePath>();
  let file: { readonly fd: number; readonly path: BytePath; readonly meta: FileMeta; position: number; hole: boolean } | undefined;
  let current: BytePath = '';
  // Known from the first file: all are made by one process, in folders that get their owners only at the end.
  let creator: Creator | 'skip' | undefined = options.owners === 'skip' ? 'skip' : undefined;

  function host(path: BytePath): string | Buffer {
    const name = forFs(path);
    return typeof name === 'string' ? `${root}/${name}` : Buffer.concat([Buffer.from(`${root}/`), name]);
  }

  function folderOf(path: BytePath): BytePath {
    return folders.has(path) ? path : followLinks(path, (link) => symlinks.get(link));
  }

  /** Where a member goes: what it says, but for symlinks on the way. */
  function placeOf(path: BytePath): BytePath {
    return joinPath(folderOf(parentOf(path)), baseName(path));
  }

  function needFolder(path: BytePath, of: BytePath): Folder {
    const known = folders.get(path);
    if (known !== undefined) return known;
    needFolder(parentOf(path), of);
    if (make(() => mkdirSync(host(path), 0o700)) === 'exists') throw notBelow(of, path);
    return remember(path);
  }

  function remember(path: BytePath): Folder {
    const folder: Folder = { meta: undefined, opaque: false };
    folders.set(path, folder);
    return folder;
  }

  /** The way is free for something that is no folder. */
  function dropFolder(path: BytePath): void {
    if (!folders.delete(path)) return;
    rmSync(host(path), { recursive: true, force: true });
    const below = `${path}/`;
    for (const all of [folders, symlinks, removed]) for (const known of all.keys()) if (known.startsWith(below)) all.delete(known);
  }

  /** Makes what is no folder; what an earlier member left there goes first. */
  function place(path: BytePath, create: (place: string | Buffer) => void): void {
    dropFolder(path);
    symlinks.delete(path);
    const place = host(path);
    if (make(() => create(place)) !== 'exists') return;
    unlinkSync(place);
    create(place);
  }

  function put(path: BytePath, member: TarMember): void {
    needFolder(parentOf(path), path);
    switch (member.type) {
      case 'dir': {
        let folder = folders.get(path);
        if (folder === undefined) {
          const place = host(path);
          if (make(() => mkdirSync(place, 0o700)) === 'exists') {
            unlinkSync(place);
            symlinks.delete(path);
            mkdirSync(place, 0o700);
          }
          folder = remember(path);
        }
        folder.meta = member.meta;
        return;
      }
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        place(path, (place) => {
          file = { fd: openSync(place, flags, 0o600), path, meta: member.meta, position: 0, hole: false };
        });
        return;
      }
      case 'symlink':
        place(path, (place) => symlinkSync(forFs(member.target), place));
        symlinks.set(path, member.target);
        applyMeta(host(path), member.meta, 'symlink', options.owners);
        return;
      case 'hardlink':
        link(path, placeOf(memberPath(member.target, 'hard link target')));
        return;
      case 'fifo':
      case 'char':
      case 'block':
        special(path, member, member.type);
        return;
    }
  }

  function special(path: BytePath, { meta, major, minor }: TarMember, type: 'fifo' | 'char' | 'block'): void {
    try {
      place(path, (place) => makeNode(place, { type, mode: meta.mode, major, minor }));
    } catch (error) {
      if (type === 'fifo' || codeOf(error) !== 'EPERM') throw error;
      const { devices } = options;
      place(path, (place) => (devices === undefined ? makeWhiteout(place) : writeFileSync(place, '', { flag: 'wx', mode: 0o600 })));
      if (devices === undefined) return;
      setXattr(host(path), DEVICE_MARK, devices.write({ type, major, minor }));
    }
    applyMeta(host(path), meta, 'other', options.owners);
  }

  function link(path: BytePath, target: BytePath): void {
    if (isWithin(target, path) || folders.has(target)) throw badLink(path, target);
    const symlink = symlinks.get(target);
    // Asked only below folders of this unpacking: link(2) could go elsewhere through others.
    const mine = folders.has(parentOf(target)) && exists(host(target));
    place(path, (place) => (mine ? linkSync(host(target), place) : makeWhiteout(place)));
    if (symlink !== undefined) symlinks.set(path, symlink);
  }

  /** In the place of something that this layer has, but not by itself. */
  function makeWhiteout(place: string | Buffer): void {
    if (options.style === 'none') writeFileSync(place, '', { flag: 'wx', mode: 0o600 });
    else makeNode(place, WHITEOUT);
  }

  function whiteout(path: BytePath): void {
    if (options.style === 'none') return;
    const folder = folders.get(path);
    // Removed and put anew in one layer: what lower layers have is hidden, what this one has is not.
    if (folder !== undefined) folder.opaque = true;
    else make(() => makeNode(host(path), WHITEOUT));
  }

  function finishFolders(): void {
    // Children first: a folder's own mode may forbid going into it.
    for (const [path, { meta, opaque }] of [...folders].reverse()) {
      current = path;
      const place = path === '' ? root : host(path);
      if (opaque && options.style !== 'none') setXattr(place, `${options.style}.overlay.opaque`, Buffer.from('y'));
      applyMeta(place, meta ?? IMPLIED, 'other', options.owners);
    }
  }

  function guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw explained(error, current, root);
    }
  }

  return {
    member(member) {
      guarded(() => {
        const name = parseMemberName(member.name);
        if (name.kind === 'nothing') return;
        current = name.path;
        if (name.kind === 'opaque') needFolder(folderOf(name.path), name.path).opaque = true;
        else if (name.kind === 'remove') {
          const path = placeOf(name.path);
          needFolder(parentOf(path), path);
          removed.add(path);
        } else if (name.path !== '') put(placeOf(name.path), member);
        else if (member.type === 'dir') needFolder('', '').meta = member.meta;
        else throw new TsbuildError('LAYER_INVALID', `a layer makes its root a ${member.type}`);
      });
    },
    content(bytes) {
      if (file === undefined) return;
      const { fd } = file;
      guarded(() => {
        for (let at = 0; at < bytes.length; ) {
          const count = writeSync(fd, bytes, at, bytes.length - at, (file?.position ?? 0) + at);
          at += count;
        }
      });
      file.position += bytes.length;
      file.hole = false;
    },
    hole(bytes) {
      if (file === undefined) return;
      file.position += bytes;
      file.hole = true;
    },
    contentEnd() {
      if (file === undefined) return;
      const { fd, path, meta, position, hole } = file;
      guarded(() => {
        if (hole) ftruncateSync(fd, position);
        applyMetaOf(fd, host(path), meta, (creator ??= fstatSync(fd)));
        file = undefined;
        closeSync(fd);
      });
    },
    end() {
      guarded(() => {
        for (const path of removed) {
          current = path;
          whiteout(path);
        }
        finishFolders();
      });
    },
    abort() {
      if (file !== undefined) closeSync(file.fd);
      file = undefined;
    },
  };
}

function make(create: () => void): 'made' | 'exists' {
  try {
    create();
    return 'made';
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'exists';
    throw error;
  }
}

function exists(path: string | Buffer): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function badLink(path: BytePath, target: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}", which is a folder, the link itself or below it`,
  );
}

function explained(error: unknown, path: BytePath, folder: string): unknown {
  if (error instanceof TsbuildError) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  const name = textOf(path).slice(0, 300);
  if (code === 'ENAMETOOLONG')
    return new TsbuildError('LAYER_INVALID', `a layer holds a name or link that is too long for Linux: "${name}"`, { cause: error });
  return new TsbuildError(
    'STORE_FAILED',
    `"${name}" of a layer cannot be unpacked in ${folder}: ${code} in ${(error as NodeJS.ErrnoException).syscall ?? 'a system call'}`,
    { cause: error },
  );
}
