/**
 * The mounts of a proot's command. What the command alone has is laid into the rootfs as a copy, as for rungs that cannot bind;
 * what is the machine's, and folders that stay, are bound by proot, which cannot keep anybody from writing to them.
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
  readlinkSync,
  renameSync,
  truncateSync,
} from 'node:fs';
import { join, posix } from 'node:path';
import { TsbuildError } from '../../errors.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { RunMount } from '../backend.ts';
import { hostsFile, resolvConf } from '../command/network-files.ts';
import { setupFailed } from '../command/run-errors.ts';
import { SetupError } from '../command/setup-error.ts';
import { copiedMounts } from '../folder/copied-mounts.ts';
import { type CopiedMount, layContent } from '../folder/mount-content.ts';
import type { Bind, LayerFolder, MountPlacer } from '../folder/parts.ts';

export interface ProotMountsOptions {
  /** See copiedMounts. */
  readonly aside: string;
  layerFolder(root: string): LayerFolder;
}

/** The machine's, as the image's programs expect them. */
const MACHINE: readonly Bind[] = ['/dev', '/proc', '/sys'].map((path) => ({ hostPath: path, target: path }));

export function prootMounts(options: ProotMountsOptions): MountPlacer {
  return {
    async place(mounts, where) {
      const home = mkdtempSync(join(options.aside, 'bound-'));
      const bound = [...MACHINE.map(({ target }) => target), ...mounts.filter(isBound).map(({ target }) => posix.normalize(target))];
      const isInside = ({ target }: RunMount): boolean => bound.some((one) => posix.normalize(target).startsWith(`${one}/`));
      const held: HeldPlace[] = [];
      const end = async (): Promise<void> => {
        for (const place of held) place.close();
        await removeTree(home);
      };
      try {
        for (const [i, mount] of mounts.entries()) {
          if (isBound(mount)) held.push(hold(mount.hostPath, mount.target, 'stays'));
          else if (isInside(mount))
            held.push(hold(await layAside(mount, join(home, String(i)), { ...options, signal: where.signal }), mount.target, 'ends'));
        }
        const copied = mounts.flatMap((mount) => (isInside(mount) ? [] : [copyOf(mount)]));
        const placed = await copiedMounts({ ...options, kept: [], standard }).place(copied, where);
        return {
          binds: [...MACHINE, ...held.map(({ bind }) => bind)],
          async [Symbol.asyncDispose]() {
            try {
              await placed[Symbol.asyncDispose]();
              for (const place of held) place.check();
            } finally {
              await end();
            }
          },
        };
      } catch (error) {
        await end();
        throw error;
      }
    },
  };
}

interface AsidePlace extends ProotMountsOptions {
  readonly signal: AbortSignal;
}

/** For what lies inside a bind, where the rootfs cannot be seen. */
async function layAside(mount: RunMount, to: string, { aside, layerFolder, signal }: AsidePlace): Promise<string> {
  try {
    await layContent(copyOf(mount), to, { scratch: aside, layerFolder, signal });
    return to;
  } catch (cause) {
    if (cause instanceof SetupError) throw setupFailed(cause.what, cause.message, cause.code);
    signal.throwIfAborted();
    if (cause instanceof TsbuildError) throw cause;
    const { message, code } = cause as NodeJS.ErrnoException;
    throw setupFailed(`mount ${mount.target}`, message, code ?? null);
  }
}

/** Empty places for what is bound, and files for the network. */
function standard(hostname: string): readonly CopiedMount[] {
  const file = { type: 'file', mode: 0o644, ...ownIds() } as const;
  return [
    ...MACHINE.map(({ target }) => ({ type: 'tmpfs', target, sizeBytes: null, mode: 0o755 }) as const),
    { ...file, target: '/etc/hosts', bytes: Buffer.from(hostsFile(hostname)) },
    { ...file, target: '/etc/resolv.conf', bytes: Buffer.from(resolvConf()) },
  ];
}

/** On the disk all is this process's; proot shows that as the user's. */
function ownIds(): { readonly uid: number; readonly gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

type FolderMount = Extract<RunMount, { type: 'folder' }>;

/** Read-only ones are copied, so that nothing that a command writes stays. */
function isBound(mount: RunMount): mount is FolderMount {
  return mount.type === 'folder' && !mount.readonly;
}

function copyOf(mount: RunMount): RunMount {
  if (mount.type === 'file') return { ...mount, ...ownIds() };
  if (!isBound(mount)) return mount;
  const { target, hostPath } = mount;
  if (lstatSync(hostPath).isDirectory()) return { type: 'tmpfs', target, sizeBytes: null, mode: 0o755 };
  return { type: 'file', target, bytes: Buffer.alloc(0), mode: 0o644, ...ownIds() };
}

interface HeldPlace {
  readonly bind: Bind;
  /** Puts it back where a command moved or removed it, which a mount would not have let it. Throws RUN_FAILED. */
  check(): void;
  close(): void;
}

function hold(hostPath: string, target: string, then: 'stays' | 'ends'): HeldPlace {
  const fd = openSync(hostPath, constants.O_RDONLY);
  const was = fstatSync(fd);
  return {
    bind: { hostPath, target: posix.normalize(target) },
    check() {
      const now = lstatSync(hostPath, { throwIfNoEntry: false });
      const isFile = was.isFile();
      if (now?.dev === was.dev && now.ino === was.ino && (!isFile || now.nlink === was.nlink)) return;
      const where = readlinkSync(`/proc/self/fd/${fd}`);
      if (now === undefined && where.endsWith(' (deleted)')) {
        if (then === 'stays' && !isFile) {
          mkdirSync(hostPath);
          chmodSync(hostPath, was.mode & 0o7777);
        }
        return;
      }
      if (then === 'ends' && isFile) truncateSync(`/proc/self/fd/${fd}`);
      if (then === 'stays' && now === undefined) renameSync(where, hostPath);
      throw new TsbuildError('RUN_FAILED', `the command moved or linked what is mounted at ${target}`, {
        hint: 'a mount belongs to its RUN alone: copy what the image needs',
      });
    },
    close: () => closeSync(fd),
  };
}
