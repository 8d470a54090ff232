/** Makes the mounts of a RUN inside its rootfs, in the given order. */
import { chmodSync, chownSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOUNT, mount, restrictionsOf } from '../../../sys/mount.ts';
import type { InitMount, InitSpec } from '../init-spec.ts';
import { SetupError, step } from '../setup-error.ts';
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
  for (const [i, one] of mounts.entries()) step(`mount ${one.target}`, () => makeMount(root, one, join(scratch, String(i))));
}

function makeMount(root: string, one: InitMount, memoryFile: string): void {
  if (one.type === 'proc') mountProc(root, one.target);
  else if (one.type === 'sys') mountSys(root, one.target);
  else if (one.type === 'dev') mountDev(root, one.target);
  else if (one.type === 'tmpfs') mountTmpfs(root, one);
  else if (one.type === 'file') mountFile(root, one, memoryFile);
  else if (one.type === 'bind') {
    bind(root, one.target, one.hostPath);
    restrict(root, one.target, MOUNT.nodev | (one.readonly ? MOUNT.readonly : 0));
  } else {
    const overlay = mountOverlay(one.overlay);
    openInRoot(overlay, one.path, 'fail', (source) => bind(root, one.target, source));
  }
}

function mountTmpfs(root: string, { target, mode, sizeBytes }: Extract<InitMount, { type: 'tmpfs' }>): void {
  const data = `mode=${mode.toString(8)}${sizeBytes === null ? '' : `,size=${sizeBytes}`}`;
  openInRoot(root, target, 'make folder', (path, kind) => {
    if (kind === 'file') throw mismatch(target, 'folder');
    mount({ source: 'tmpfs', target: path, type: 'tmpfs', flags: MOUNT.nosuid | MOUNT.nodev, data });
  });
}

function mountFile(root: string, { target, base64, mode, uid, gid }: Extract<InitMount, { type: 'file' }>, memoryFile: string): void {
  writeFileSync(memoryFile, Buffer.from(base64, 'base64'), { flag: 'wx' });
  // chown takes setuid and setgid off, so it comes first.
  chownSync(memoryFile, uid, gid);
  chmodSync(memoryFile, mode);
  bind(root, target, memoryFile);
  restrict(root, target, MOUNT.nodev | MOUNT.nosuid | MOUNT.readonly);
}

/** Recursive, because a user namespace may not take apart the mounts that it was given. */
function bind(root: string, target: string, source: string): void {
  const kind = statSync(source).isDirectory() ? 'folder' : 'file';
  openInRoot(root, target, `make ${kind}`, (path, found) => {
    if (found !== kind) throw mismatch(target, kind);
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
