/** Translates a RUN's mounts for init.ts: /proc and its like added, overlays laid out, in the order of their targets. */
import { chmodSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { bytesOf, compareBytes } from '../../bytes/byte-path.ts';
import { stackTree } from '../../layer/stack-tree.ts';
import type { RunMount, RunSpec } from '../backend.ts';
import { hostsFile, resolvConf } from '../command/network-files.ts';
import { SetupError } from '../command/setup-error.ts';
import type { InitMount, OverlayStyle } from './init-spec.ts';
import { layOutLayers, unpackedStack } from './overlay-folder.ts';
import { findInTree, type MountPoint } from './stub-plan.ts';

export interface PreparedMount {
  readonly point: MountPoint;
  readonly init: InitMount;
}

export interface MountFolder {
  /** Absolute, exists, of this run only. */
  readonly folder: string;
  readonly style: OverlayStyle;
  readonly signal: AbortSignal;
}

/** Sorted by target, so that outer mounts come before those inside them; of equal targets the RUN's own come last and win. Throws SetupError. */
export async function prepareMounts(spec: Pick<RunSpec, 'mounts' | 'hostname'>, where: MountFolder): Promise<PreparedMount[]> {
  const files = join(where.folder, 'etc');
  mkdirSync(files);
  writeReadable(join(files, 'resolv.conf'), resolvConf());
  writeReadable(join(files, 'hosts'), hostsFile(spec.hostname));
  const standard: InitMount[] = [
    { type: 'proc', target: '/proc' },
    { type: 'sys', target: '/sys' },
    { type: 'dev', target: '/dev' },
    { type: 'bind', target: '/etc/resolv.conf', hostPath: join(files, 'resolv.conf'), readonly: true },
    { type: 'bind', target: '/etc/hosts', hostPath: join(files, 'hosts'), readonly: true },
  ];
  const prepared = standard.map((init) => ({ point: pointOf(init.target, init.type === 'bind' ? 'file' : 'dir'), init }));
  for (const [i, mount] of spec.mounts.entries()) prepared.push(await prepare(mount, i, where));
  return prepared.sort((a, b) => compareBytes(a.point.target, b.point.target));
}

/** For every user of the rootfs, whatever the umask of this process is. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

function pointOf(target: string, type: 'dir' | 'file'): MountPoint {
  return { target: bytesOf(posix.normalize(target)), type };
}

async function prepare(mount: RunMount, number: number, where: MountFolder): Promise<PreparedMount> {
  const { target } = mount;
  switch (mount.type) {
    case 'tmpfs':
      return { point: pointOf(target, 'dir'), init: mount };
    case 'file': {
      const { mode, uid, gid } = mount;
      const base64 = Buffer.from(mount.bytes).toString('base64');
      return { point: pointOf(target, 'file'), init: { type: 'file', target, base64, mode, uid, gid } };
    }
    case 'folder': {
      const { hostPath, readonly } = mount;
      const type = statSync(hostPath).isDirectory() ? 'dir' : 'file';
      return { point: pointOf(target, type), init: { type: 'bind', target, hostPath, readonly } };
    }
    case 'layers': {
      const indexes = mount.layers.map((layer) => layer.index);
      const { entry } = findInTree(stackTree(indexes), bytesOf(mount.path));
      if (entry === undefined) throw new SetupError(`mount ${target}`, `its source ${mount.path} does not exist`);
      const layers = await unpackedStack(mount.layers, where);
      const overlay = layOutLayers({
        folder: join(where.folder, `layers${number}`),
        layers,
        mountPoints: [],
        writable: mount.writable,
        style: where.style,
      });
      const type = entry.node.type === 'dir' ? 'dir' : 'file';
      return { point: pointOf(target, type), init: { type: 'overlay', target, overlay: overlay.spec, path: mount.path } };
    }
  }
}
