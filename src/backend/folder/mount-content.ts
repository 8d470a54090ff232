/** What is laid at the target of a mount where nothing can be mounted: copies, which are taken away again. */
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf, forFs } from '../../bytes/byte-path.ts';
import { makeNode } from '../../sys/mknod.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { RunMount } from '../backend.ts';
import { SetupError } from '../command/setup-error.ts';
import { copyTree } from './copy-tree.ts';
import type { LayerFolder } from './parts.ts';

export type CopiedMount =
  | RunMount
  /** The devices that every program expects. */
  | { readonly type: 'dev'; readonly target: string }
  /** A symlink, to where `file` lies. */
  | { readonly type: 'link'; readonly target: string; readonly to: string };

export interface ContentPlace {
  /** For layers on their way; on the file system of the rootfs, out of the reach of commands. */
  readonly scratch: string;
  /** Holds layers in `root`, an empty folder. */
  layerFolder(root: string): LayerFolder;
  readonly signal: AbortSignal;
}

/** What is left to do with the content once the command has ended, before it is removed. */
export type AfterRun = () => Promise<void>;

/** Whether the mount is a folder or a file. Throws SetupError when its source does not exist. */
export function kindOf(mount: CopiedMount): 'folder' | 'file' {
  switch (mount.type) {
    case 'dev':
    case 'tmpfs':
      return 'folder';
    case 'file':
    case 'link':
      return 'file';
    case 'folder':
      return statSync(mount.hostPath).isDirectory() ? 'folder' : 'file';
    case 'layers': {
      const entry = mount.tree.lstat(bytesOf(mount.path.slice(1)));
      if (entry === undefined) throw new SetupError(`mount ${mount.target}`, `its source ${mount.path} does not exist`);
      return entry.node.type === 'dir' ? 'folder' : 'file';
    }
  }
}

/** Makes the content at `to`, which does not exist and whose parent is a folder. */
export async function layContent(mount: CopiedMount, to: string | Buffer, place: ContentPlace): Promise<AfterRun> {
  switch (mount.type) {
    case 'dev':
      makeDevices(to);
      return nothing;
    case 'tmpfs':
      mkdirSync(to);
      chmodSync(to, mount.mode);
      return nothing;
    case 'link':
      symlinkSync(mount.to, to);
      return nothing;
    case 'file':
      // Shut until it has its owner. chown takes setuid and setgid off, so it comes first.
      writeFileSync(to, mount.bytes, { flag: 'wx', mode: 0 });
      chownSync(to, mount.uid, mount.gid);
      chmodSync(to, mount.mode);
      return nothing;
    case 'folder': {
      const copy = await copyTree(mount.hostPath, to);
      return mount.readonly ? nothing : () => copy.bringBack();
    }
    case 'layers':
      await layLayers(mount, to, place);
      return nothing;
  }
}

async function nothing(): Promise<void> {
  // It is removed, and that is all.
}

async function layLayers(mount: Extract<CopiedMount, { type: 'layers' }>, to: string | Buffer, place: ContentPlace): Promise<void> {
  const home = mkdtempSync(join(place.scratch, 'layers-'));
  try {
    const root = join(home, 'root');
    mkdirSync(root);
    const folder = place.layerFolder(root);
    for (const layer of mount.layers) await folder.lay(layer, place.signal);
    renameSync(mount.path === '/' ? root : forFs(`${bytesOf(root)}${bytesOf(mount.path)}`), to);
  } finally {
    await removeTree(home);
  }
}

const DEVICES = { null: [1, 3], zero: [1, 5], full: [1, 7], random: [1, 8], urandom: [1, 9], tty: [5, 0] } as const;
/** They lead nowhere without /proc. Without them, what a command writes to /dev/stderr would vanish in a file of that name. */
const LINKS = { fd: '/proc/self/fd', stdin: '/proc/self/fd/0', stdout: '/proc/self/fd/1', stderr: '/proc/self/fd/2', ptmx: 'pts/ptmx' };
const FOLDERS = { pts: 0o755, shm: 0o1777, mqueue: 0o1777 };

function makeDevices(folder: string | Buffer): void {
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const inside = (name: string): Buffer => Buffer.concat([Buffer.from(folder), Buffer.from(`/${name}`)]);
  for (const [name, [major, minor]] of Object.entries(DEVICES)) makeNode(inside(name), { type: 'char', mode: 0o666, major, minor });
  for (const [name, to] of Object.entries(LINKS)) symlinkSync(to, inside(name));
  for (const [name, mode] of Object.entries(FOLDERS)) {
    mkdirSync(inside(name));
    chmodSync(inside(name), mode);
  }
}

/** The kernel's name of a file: nothing that a command does gives its number to another one while this is held. */
export function identityOf(path: string | Buffer): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? undefined : `${stats.dev}:${stats.ino}`;
}
