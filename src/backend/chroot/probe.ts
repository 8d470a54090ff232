/**
 * Whether the `chroot` rung works here: root with the capabilities of an ordinary container, whoever's image it is. Each RUN changes
 * its root to a folder; there is no /proc in it, and no namespace around it.
 */
import { closeSync, mkdtempSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../sys/make-folder.ts';
import { makeNode } from '../../sys/mknod.ts';
import { MOUNT, restrictionsOf } from '../../sys/mount.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import { knowsSyscalls } from '../../sys/syscalls.ts';
import type { Probe } from '../backend.ts';
import { CAP_SYS_CHROOT, hasCapability } from '../command/capabilities.ts';
import type { CommandPrograms } from '../command/start-command.ts';
import { chrootBackend } from './chroot-backend.ts';

export interface ChrootProbe {
  /** Where rootfs are kept; made when missing. Absolute. */
  readonly workFolder: string;
  readonly programs: CommandPrograms;
  /** Told once what RUNs lack on this rung. */
  warn(message: string): void;
}

interface Obstacle {
  readonly why: string;
  readonly hint: string;
}

/** Throws what making the work folder throws. */
export async function probeChroot({ workFolder, programs, warn }: ChrootProbe): Promise<Probe> {
  const obstacle = rightsObstacle() ?? (await folderObstacle(workFolder));
  if (obstacle !== undefined) return { works: false, name: 'chroot', ...obstacle };
  return { works: true, name: 'chroot', backend: () => chrootBackend({ workFolder, programs, warn }) };
}

function rightsObstacle(): Obstacle | undefined {
  if (process.platform !== 'linux' || !knowsSyscalls()) {
    return { why: `there is no support for ${process.platform} on ${process.arch}`, hint: 'use Linux on amd64 or arm64' };
  }
  if (process.geteuid?.() !== 0) {
    return { why: 'only root may change its root', hint: 'run the container as root (Kubernetes: runAsUser: 0)' };
  }
  if (!hasCapability(CAP_SYS_CHROOT)) {
    return {
      why: 'this root lacks CAP_SYS_CHROOT',
      hint: 'do not drop it: Kubernetes: securityContext.capabilities.add: [SYS_CHROOT]; docker run --cap-add SYS_CHROOT',
    };
  }
  return undefined;
}

/** Programs are executed there, and /dev/null has to be one. */
async function folderObstacle(workFolder: string): Promise<Obstacle | undefined> {
  makeFolder(workFolder);
  const hint = 'choose a folder on a volume without these restrictions with --cache-dir';
  const restrictions = restrictionsOf(workFolder);
  if ((restrictions & MOUNT.noexec) !== 0) return { why: `no program in ${workFolder} may be executed: its mount is noexec`, hint };
  if ((restrictions & MOUNT.nodev) !== 0) return { why: `devices in ${workFolder} cannot be used: its mount is nodev`, hint };
  const folder = mkdtempSync(join(workFolder, 'probe-'));
  try {
    const node = join(folder, 'null');
    makeNode(node, { type: 'char', mode: 0o600, major: 1, minor: 3 });
    closeSync(openSync(node, 'r+'));
    return undefined;
  } catch (error) {
    return {
      why: `no device can be made and used in ${workFolder}: ${(error as Error).message}`,
      hint: 'root needs CAP_MKNOD outside of user namespaces: start the container by a daemon that runs as root, without dropping capabilities',
    };
  } finally {
    await removeTree(folder);
  }
}
