/**
 * Opens a path inside a rootfs as the rootfs's own processes would see it: symlinks are resolved inside, `..` stops at the
 * root, mounts are crossed. Each component is opened without following it, so nothing that another process changes
 * meanwhile (in a shared cache folder) leads out. openat2's RESOLVE_IN_ROOT does the same, but only since kernel 5.6.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { type ByteString, bytesOf, forFs } from '../../../bytes/byte-path.ts';
import { systemError } from '../../../sys/libc.ts';
import { noMountPoint } from '../../command/setup-error.ts';

/** The same number on every architecture that Node runs on; Node's constants lack it. */
const O_PATH = 0o10000000;
const MAX_SYMLINKS = 40;

/** What to do where the last parts of the path do not exist. */
export type WhenMissing = 'fail' | 'make folder' | 'make file';

/**
 * Calls `use` with a path (`/proc/self/fd/N`) that means exactly the file found. Nothing is ever made in the file system
 * of `root` itself, only in what is mounted inside: the rootfs's own mount points have been laid out before. Throws
 * system errors (ENOENT, ENOTDIR, ELOOP), and SetupError where a mount point is missing in the rootfs itself.
 */
export function openInRoot<T>(root: string, path: string, whenMissing: WhenMissing, use: (path: string, kind: 'folder' | 'file') => T): T {
  const opened: number[] = [];
  const open = (file: string | Buffer, flags: number): number => {
    const fd = openSync(file, O_PATH | flags);
    opened.push(fd);
    return fd;
  };
  try {
    const found = walk(open(root, constants.O_DIRECTORY), path, whenMissing, open);
    return use(`/proc/self/fd/${found}`, fstatSync(found).isDirectory() ? 'folder' : 'file');
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

function walk(root: number, path: string, whenMissing: WhenMissing, open: (file: string | Buffer, flags: number) => number): number {
  const rest = partsOf(bytesOf(path));
  let trail = [root];
  let symlinks = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    if (name === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const folder = trail.at(-1) ?? root;
    const at = forFs(`/proc/self/fd/${folder}/${name}`);
    const fd = openOrMake({ at, path, folder, root, last: rest.length === 0, whenMissing }, open);
    const stats = fstatSync(fd);
    if (stats.isSymbolicLink()) {
      if ((symlinks += 1) > MAX_SYMLINKS) throw systemError(os.errno.ELOOP, 'open', path);
      const target = readlinkSync(at, { encoding: 'latin1' });
      rest.unshift(...partsOf(target));
      if (target.startsWith('/')) trail = [root];
      continue;
    }
    if (rest.length > 0 && !stats.isDirectory()) throw systemError(os.errno.ENOTDIR, 'open', path);
    trail.push(fd);
  }
  return trail.at(-1) ?? root;
}

interface Component {
  readonly at: string | Buffer;
  /** The whole path, for errors. */
  readonly path: string;
  readonly folder: number;
  readonly root: number;
  readonly last: boolean;
  readonly whenMissing: WhenMissing;
}

function openOrMake(
  { at, path, folder, root, last, whenMissing }: Component,
  open: (file: string | Buffer, flags: number) => number,
): number {
  try {
    return open(at, constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || whenMissing === 'fail') throw error;
    if (fstatSync(folder).dev === fstatSync(root).dev) throw noMountPoint(path, nameOf(root, at));
  }
  if (last && whenMissing === 'make file') writeFileSync(at, '', { flag: 'wx', mode: 0o644 });
  else mkdirSync(at, 0o755);
  return open(at, constants.O_NOFOLLOW);
}

/** A missing file of the rootfs by its name there. */
function nameOf(root: number, at: string | Buffer): string {
  const [, fd = '', name = ''] = /^\/proc\/self\/fd\/(\d+)\/(.*)$/s.exec(at.toString()) ?? [];
  const top = readlinkSync(`/proc/self/fd/${root}`);
  return `${readlinkSync(`/proc/self/fd/${fd}`).slice(top.length)}/${name}`;
}

function partsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
