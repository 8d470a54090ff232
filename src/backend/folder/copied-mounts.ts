/**
 * `RUN --mount` without mount(2): each mount is laid as a copy at its target, with what was there moved aside, and taken away when
 * the command has ended, whatever it did to it. Where a real mount would have stopped the command: read-only ones can be written
 * to, and what is written is dropped; memory has no size of its own. What a real mount would not have let go (mv, ln) fails the RUN.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  truncateSync,
} from 'node:fs';
import { join, posix } from 'node:path';
import { type BytePath, bytesOf, compareBytes, forFs, parentOf, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { MOUNT, restrictionsOf } from '../../sys/mount.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import { setMtime } from '../../sys/times.ts';
import { setupFailed } from '../command/run-errors.ts';
import { SetupError } from '../command/setup-error.ts';
import { findTarget } from './find-target.ts';
import { type AfterRun, type CopiedMount, identityOf, kindOf, layContent } from './mount-content.ts';
import type { LayerFolder, MountPlacer, PlacedMounts, PlacerPlace } from './parts.ts';

export interface CopiedMountsOptions {
  /** Absolute, exists, on the file system of the rootfs, out of the reach of commands: what mounts cover waits here. */
  readonly aside: string;
  /** Holds layers in `root`, an empty folder. */
  layerFolder(root: string): LayerFolder;
  /** Out of the build's reach: nothing is mounted over them. */
  readonly kept: readonly BytePath[];
  /** What every command gets, before the mounts of its own. */
  standard(hostname: string): readonly CopiedMount[];
}

export function copiedMounts(options: CopiedMountsOptions): MountPlacer {
  return {
    async place(mounts, where) {
      const ordered = [...options.standard(where.hostname), ...mounts]
        .map((mount) => ({ mount, target: posix.normalize(mount.target) }))
        .sort((a, b) => compareBytes(bytesOf(a.target), bytesOf(b.target)));
      const placing = startPlacing(options, where);
      try {
        for (const { mount, target } of ordered) await placing.add(mount, target);
        placing.settle();
      } catch (error) {
        await placing.takeAway();
        throw explained(error);
      }
      return { binds: [], [Symbol.asyncDispose]: () => placing.takeAway() } satisfies PlacedMounts;
    },
  };
}

function explained(error: unknown): unknown {
  return error instanceof SetupError ? setupFailed(error.what, error.message, error.code) : error;
}

/** The same number on every architecture that Node runs on; Node's constants lack it. */
const O_PATH = 0o10000000;
/** Where a script lies that could not be executed at its target. Beside the folders of an image, and like no name in one. */
const SCRIPTS = '/.tsbuild-scripts';

/** A mount that is there. */
interface Placed {
  readonly target: string;
  readonly path: BytePath;
  readonly identity: string | undefined;
  /** Holds the inode, whatever the command calls it. */
  readonly fd: number;
  readonly after: AfterRun;
  /** Where what was there waits; null: there was nothing. */
  readonly covered: string | null;
  /** Folders that had to be made, outermost first. */
  readonly stubs: readonly Stub[];
}

interface Stub {
  readonly path: BytePath;
  readonly identity: string | undefined;
}

/** A folder of the rootfs in which something was made. */
interface Anchor {
  readonly mtimeNs: bigint;
  readonly identity: string | undefined;
  /** With all mounts in place; 0 until then. */
  ctimeNs: bigint;
}

interface Placing {
  /** `target`: normalized. Throws SetupError; then nothing of this mount is left. */
  add(mount: CopiedMount, target: string): Promise<void>;
  /** All mounts are there. */
  settle(): void;
  takeAway(): Promise<void>;
}

function startPlacing({ aside, kept, layerFolder }: CopiedMountsOptions, { folder, signal }: PlacerPlace): Placing {
  const top = folder.root === '/' ? '' : bytesOf(folder.root);
  const host = (path: BytePath): string | Buffer => (path === '' ? folder.root : forFs(`${top}/${path}`));
  const home = mkdtempSync(join(aside, 'covered-'));
  const own = lstatSync(home);
  const placed: Placed[] = [];
  const anchors = new Map<BytePath, Anchor>();

  /** Changes there would be in the layer. */
  const isSeen = (path: BytePath): boolean => !kept.some((one) => isWithin(path, one)) && !placed.some((one) => isWithin(path, one.path));

  const anchor = (path: BytePath): void => {
    if (anchors.has(path)) return;
    const { mtimeNs } = lstatSync(host(path), { bigint: true });
    anchors.set(path, { mtimeNs, identity: identityOf(host(path)), ctimeNs: 0n });
  };

  const makeParents = (path: BytePath): Stub[] => {
    const missing: BytePath[] = [];
    let at = parentOf(path);
    while (identityOf(host(at)) === undefined) {
      missing.unshift(at);
      at = parentOf(at);
    }
    anchor(at);
    return missing.map((stub) => {
      // What Docker gives a mount point that it makes.
      mkdirSync(host(stub));
      chmodSync(host(stub), 0o755);
      return { path: stub, identity: identityOf(host(stub)) };
    });
  };

  const removeStubs = (stubs: readonly Stub[]): void => {
    for (const stub of [...stubs].reverse()) if (isUnused(stub)) rmdirSync(host(stub.path));
  };
  const isUnused = ({ path, identity }: Stub): boolean => {
    if (!isReachable(path) || identityOf(host(path)) !== identity) return false;
    const { mode, uid, gid } = lstatSync(host(path));
    // Of an ordinary user's it is not seen whether a command gave it to somebody else.
    return (mode & 0o7777) === 0o755 && uid === own.uid && gid === own.gid && readdirSync(host(path)).length === 0;
  };
  /** Whether all above `path` are still folders: a command may have put symlinks there, which lead anywhere. */
  const isReachable = (path: BytePath): boolean => {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      if (lstatSync(host(at), { throwIfNoEntry: false })?.isDirectory() !== true) return false;
    }
    return true;
  };

  const cover = async (mount: CopiedMount, target: string): Promise<void> => {
    const kind = kindOf(mount);
    const { path, stats } = findTarget(host, target);
    refuse(path, stats !== undefined, target);
    if (stats !== undefined && stats.isDirectory() !== (kind === 'folder')) throw wrongKind(target, kind);
    const stubs = makeParents(path);
    const waiting = join(home, String(placed.length));
    const covered = stats === undefined ? null : waiting;
    if (covered !== null) renameSync(host(path), covered);
    try {
      const after = await layContent(mount, host(path), { scratch: home, layerFolder, signal });
      const fd = openSync(host(path), O_PATH | constants.O_NOFOLLOW);
      placed.push({ target, path, identity: identityOf(host(path)), fd, after, covered, stubs });
    } catch (error) {
      await removeTree(host(path));
      if (covered !== null) renameSync(covered, host(path));
      removeStubs(stubs);
      throw error;
    }
  };

  /** /dev of a container is mounted noexec mostly, where a heredoc's script has its target. */
  const isExecutable = (target: string): boolean => {
    let { path } = findTarget(host, target);
    while (identityOf(host(path)) === undefined) path = parentOf(path);
    return (restrictionsOf(host(path)) & MOUNT.noexec) === 0;
  };

  const refuse = (path: BytePath, exists: boolean, target: string): void => {
    const inTheWay = kept.find((one) => isWithin(one, path) || (exists && isWithin(path, one)));
    if (path === '' || path === 'proc' || path === 'sys') {
      if (target !== '/proc' && target !== '/sys') throw covering(target);
    } else if (isWithin(path, 'proc') || isWithin(path, 'sys')) throw covering(target);
    if (inTheWay !== undefined) {
      throw new SetupError(`mount ${target}`, `/${textOf(inTheWay)} belongs to this machine, not to the image, and cannot be covered`);
    }
  };

  /** The mount is gone afterwards, and what it covered is back, unless the command removed the folder that it was in. */
  const uncover = async ({ target, path, identity, fd, after, covered, stubs }: Placed, was: ReadonlySet<BytePath>): Promise<void> => {
    const reachable = isReachable(path) && was.has(parentOf(path));
    const intact = reachable && identityOf(host(path)) === identity;
    if (intact) await after();
    if (reachable) await removeTree(host(path));
    const moved = isElsewhere(fd);
    closeSync(fd);
    if (covered !== null && reachable) renameSync(covered, host(path));
    removeStubs(stubs);
    if (covered !== null && reachable && isSeen(path)) folder.remark(path);
    if (moved) {
      throw new TsbuildError('RUN_FAILED', `the command moved or linked what is mounted at ${target}`, {
        hint: 'a mount belongs to its RUN alone: copy what the image needs',
      });
    }
  };

  return {
    async add(mount, target) {
      try {
        if (mount.type === 'file' && (mount.mode & 0o111) !== 0 && !isExecutable(target)) {
          const to = `${SCRIPTS}/${placed.length}`;
          await cover({ ...mount, target: to }, to);
          await cover({ type: 'link', target, to }, target);
        } else await cover(mount, target);
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof SetupError || cause instanceof TsbuildError) throw cause;
        const { message, code } = cause as NodeJS.ErrnoException;
        throw new SetupError(`mount ${target}`, message, { code, cause });
      }
    },
    settle() {
      for (const [path, own] of anchors) {
        setMtime(host(path), own.mtimeNs);
        own.ctimeNs = lstatSync(host(path), { bigint: true }).ctimeNs;
      }
    },
    async takeAway() {
      const errors: unknown[] = [];
      // Folders that are still the ones in which mounts were made, and the time that each has.
      const times = new Map<BytePath, bigint>();
      const same = new Set<BytePath>();
      for (const [path, own] of anchors) {
        if (!isReachable(path) || identityOf(host(path)) !== own.identity) continue;
        const { ctimeNs, mtimeNs } = lstatSync(host(path), { bigint: true });
        same.add(path);
        times.set(path, own.ctimeNs === 0n || ctimeNs === own.ctimeNs ? own.mtimeNs : mtimeNs);
      }
      for (const { stubs } of placed) {
        for (const stub of stubs) if (isReachable(stub.path) && identityOf(host(stub.path)) === stub.identity) same.add(stub.path);
      }
      for (let one = placed.pop(); one !== undefined; one = placed.pop()) {
        try {
          await uncover(one, same);
        } catch (error) {
          errors.push(error);
        }
      }
      for (const [path, mtimeNs] of times) if (identityOf(host(path)) === anchors.get(path)?.identity) setMtime(host(path), mtimeNs);
      await removeTree(home);
      if (errors.length > 0) throw explained(errors[0]);
    },
  };
}

/** Whether a removed mount still has a name. Of a file, such as a secret, nothing is left there. */
function isElsewhere(fd: number): boolean {
  const stats = fstatSync(fd, { bigint: true });
  // Some file systems give a removed folder a link. The kernel ends the name of a removed one with this; a command may do so, too.
  if (stats.isDirectory()) {
    const at = readlinkSync(`/proc/self/fd/${fd}`, 'buffer');
    return !at.toString('latin1').endsWith(' (deleted)') || identityOf(at) === `${stats.dev}:${stats.ino}`;
  }
  if (stats.nlink === 0n) return false;
  if (stats.isFile()) truncateSync(`/proc/self/fd/${fd}`);
  return true;
}

function isWithin(path: BytePath, folder: BytePath): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function wrongKind(target: string, kind: 'folder' | 'file'): SetupError {
  const [is, has] = kind === 'folder' ? ['a folder', 'a file'] : ['a file', 'a folder'];
  return new SetupError(`mount ${target}`, `what is mounted is ${is}, and the image has ${has} there`);
}

function covering(target: string): SetupError {
  return new SetupError(`mount ${target}`, 'it leads through a symlink to the root, /proc or /sys, which a mount may not cover');
}
