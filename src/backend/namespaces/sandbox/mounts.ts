/** Makes the mounts of a RUN inside its rootfs, in the given order. */
import { chmodSync, chownSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOUNT, mount, restrictionsOf } from '../../../sys/mount.ts';
import { SetupError, step } from '../../command/setup-error.ts';
import type { InitMount, InitSpec } from '../init-spec.ts';
import { mountDev, mountProc, mountSys } from './kernel-mounts.ts';
import { mountOverlay } from './mount-overlay.ts';
import { openInRoot } from './open-in-root.ts';

/** `root`: the mounted rootfs, absolute. Throws SetupError naming the mount. */
export function makeMounts(root: string, { mounts, scratch }: Pick<InitSpec, 'mounts' | 'scratch'>): void {
  if (mounts.some((m) => m.type === 'file')) {
    step('mount memory for files', () =>
      mount({ source: 'tmpfs', target: scratch, type: 'tmpfs', flags: MOUNT.nosuid | MOUNT.nodev, data: 'mode=700' }),
    );
  }
  const rootfs: Rootfs = { root, kernels: [], others: [] };
  for (const [i, one] of mounts.entries()) step(`mount ${one.target}`, () => makeMount(rootfs, one, join(scratch, String(i))));
}

interface Rootfs {
  readonly root: string;
  /** Where /proc and /sys are, once they are mounted: as the kernel names the places now. */
  readonly kernels: string[];
  readonly others: { readonly target: string; readonly place: string }[];
}

function makeMount(rootfs: Rootfs, one: InitMount, memoryFile: string): void {
  const { root } = rootfs;
  if (one.type === 'proc' || one.type === 'sys') {
    if (one.type === 'proc') mountProc(root, one.target);
    else mountSys(root, one.target);
    guard(
      rootfs,
      openInRoot(root, one.target, 'fail', (path) => readlinkSync(path)),
    );
  } else if (one.type === 'dev') mountDev(root, one.target);
  else if (one.type === 'tmpfs') mountTmpfs(rootfs, one);
  else if (one.type === 'file') mountFile(rootfs, one, memoryFile);
  else if (one.type === 'bind') {
    bind(rootfs, one.target, one.hostPath);
    restrict(root, one.target, MOUNT.nodev | (one.readonly ? MOUNT.readonly : 0));
  } else {
    const overlay = mountOverlay(one.overlay);
    openInRoot(overlay, one.path, 'fail', (source) => bind(rootfs, one.target, source));
  }
}

/** The plan refuses such targets as they are written; here they are found where symlinks of the image lead to. */
function refuseCovering({ root, kernels, others }: Rootfs, target: string, path: string): void {
  const place = readlinkSync(path);
  if (isWithin(root, place) || kernels.some((kernel) => isWithin(kernel, place) || isWithin(place, kernel))) throw covering(target);
  others.push({ target, place });
}

/** What was mounted there before would be lost without a word. An image's own link of these files to /proc is no mistake of the build. */
function guard({ kernels, others }: Rootfs, kernel: string): void {
  kernels.push(kernel);
  const lost = others.find(({ target, place }) => isWithin(place, kernel) && !NETWORK_FILES.has(target));
  if (lost !== undefined) throw covering(lost.target);
}

const NETWORK_FILES: ReadonlySet<string> = new Set(['/etc/hosts', '/etc/resolv.conf']);

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function covering(target: string): SetupError {
  return new SetupError(`mount ${target}`, 'it leads through a symlink to the root, /proc or /sys, which a mount may not cover');
}

function mountTmpfs(rootfs: Rootfs, { target, mode, sizeBytes }: Extract<InitMount, { type: 'tmpfs' }>): void {
  const data = `mode=${mode.toString(8)}${sizeBytes === null ? '' : `,size=${sizeBytes}`}`;
  openInRoot(rootfs.root, target, 'make folder', (path, kind) => {
    if (kind === 'file') throw mismatch(target, 'folder');
    refuseCovering(rootfs, target, path);
    mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags: MOUNT.nosuid | MOUNT.nodev, data });
  });
}

function mountFile(rootfs: Rootfs, { target, base64, mode, uid, gid }: Extract<InitMount, { type: 'file' }>, memoryFile: string): void {
  writeFileSync(memoryFile, Buffer.from(base64, 'base64'), { flag: 'wx' });
  // chown takes setuid and setgid off, so it comes first.
  chownSync(memoryFile, uid, gid);
  chmodSync(memoryFile, mode);
  bind(rootfs, target, memoryFile);
  restrict(rootfs.root, target, MOUNT.nodev | MOUNT.nosuid | MOUNT.readonly);
}

/** Recursive, because a user namespace may not take apart the mounts that it was given. */
function bind(rootfs: Rootfs, target: string, source: string): void {
  const kind = statSync(source).isDirectory() ? 'folder' : 'file';
  openInRoot(rootfs.root, target, `make ${kind}`, (path, found) => {
    if (found !== kind) throw mismatch(target, kind);
    refuseCovering(rootfs, target, path);
    mount({ source, target: path, type: null, flags: MOUNT.bind | MOUNT.recursive });
  });
}

/** Adds flags to the mount at `target`; opened anew, since a path from before the mount means what lies below it. */
function restrict(root: string, target: string, flags: number): void {
  openInRoot(root, target, 'fail', (path) =>
    mount({ source: 'none', target: path, type: null, flags: MOUNT.remount | MOUNT.bind | flags | restrictionsOf(path) }),
  );
}

function mismatch(target: string, wanted: 'folder' | 'file'): SetupError {
  const [is, has] = wanted === 'folder' ? ['a folder', 'a file'] : ['a file', 'a folder'];
  return new SetupError(`mount ${target}`, `what is mounted is ${is}, and the image has ${has} there`);
}
