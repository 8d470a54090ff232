/**
 * Whether the `namespaces` rung works here, found out by trying: one process in all namespaces with its own /proc, and an
 * overlay on the work folder that is made but mounted nowhere. Both take a few milliseconds.
 */
import { execFile } from 'node:child_process';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DeviceMarks } from '../../layer/device-marks.ts';
import { makeFolder } from '../../sys/make-folder.ts';
import { tryFileSystem } from '../../sys/mount.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import { canTakeDescriptors } from '../../sys/seccomp-listener.ts';
import { knowsSyscalls } from '../../sys/syscalls.ts';
import type { Probe } from '../backend.ts';
import { namespacesBackend } from './namespaces-backend.ts';
import { hasSeccompFilter, hasSysAdmin, overlayStyle } from './process-status.ts';
import { findProgram, type SandboxPrograms } from './programs.ts';
import { namespaceArguments } from './sandbox-process.ts';
import { probeUserNamespace } from './userns.ts';

export interface NamespacesProbe {
  /** Where the rootfs of RUNs are kept; made when missing. Absolute. */
  readonly workFolder: string;
  /** The bundled init.ts. Absolute. */
  readonly initPath: string;
  /** Given where the kernel makes no device nodes: how to mark what stands for them. */
  readonly devices?: DeviceMarks | undefined;
}

export interface Obstacle {
  readonly why: string;
  readonly hint: string;
}

/** Throws what making the work folder throws. */
export async function probeNamespaces({ workFolder, initPath, devices }: NamespacesProbe): Promise<Probe> {
  const found = findPrograms(initPath);
  const obstacle =
    'why' in found ? found : ((await identityObstacle()) ?? (await namespaceObstacle(found)) ?? (await overlayObstacle(workFolder)));
  if (obstacle !== undefined) return { works: false, name: 'namespaces', ...obstacle };
  const programs = found as SandboxPrograms;
  const help = devices === undefined ? undefined : { marks: devices, canSupervise: canTakeDescriptors() };
  return {
    works: true,
    name: 'namespaces',
    backend: () => namespacesBackend({ programs, workFolder, style: overlayStyle(), devices: help }),
  };
}

function findPrograms(init: string): SandboxPrograms | Obstacle {
  if (process.platform !== 'linux' || !knowsSyscalls()) {
    return { why: `there is no support for ${process.platform} on ${process.arch}`, hint: 'use Linux on amd64 or arm64' };
  }
  const setpriv = findProgram('setpriv');
  const unshare = findProgram('unshare');
  if (setpriv === undefined || unshare === undefined) {
    return { why: 'the programs "unshare" and "setpriv" are not installed', hint: 'install the package util-linux' };
  }
  return { setpriv, unshare, node: process.execPath, init };
}

async function identityObstacle(): Promise<Obstacle | undefined> {
  if (process.geteuid?.() !== 0) {
    const userNamespace = await probeUserNamespace();
    if (userNamespace.kind === 'unavailable') return userNamespace;
    return { why: 'tsbuild is not inside its user namespace', hint: 'start it with its own command, which enters one' };
  }
  if (hasSysAdmin()) return undefined;
  return {
    why: 'this root lacks CAP_SYS_ADMIN, as it does in an ordinary container',
    hint: 'Kubernetes: securityContext.privileged: true; docker run --privileged; or start it as an ordinary user where user namespaces are allowed',
  };
}

async function namespaceObstacle({ setpriv, unshare }: SandboxPrograms): Promise<Obstacle | undefined> {
  const command = [...namespaceArguments(unshare), '--mount-proc', '--', findProgram('true') ?? 'true'];
  try {
    await promisify(execFile)(setpriv, command, { env: {}, cwd: '/' });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { readonly stderr?: string; readonly message: string };
    const said = stderr?.trim() || message;
    if (/unrecognized option|invalid option/i.test(said)) {
      return {
        why: `unshare or setpriv lacks an option: ${said.split('\n')[0] ?? ''}`,
        hint: 'install util-linux 2.33 or newer; the programs of busybox do not do',
      };
    }
    if (/mount.*proc/i.test(said)) {
      return {
        why: `/proc cannot be mounted: ${said}`,
        hint: 'in a container, /proc must not be masked: docker run --security-opt systempaths=unconfined; Kubernetes: securityContext.procMount: Unmasked, which needs hostUsers: false',
      };
    }
    if (hasSeccompFilter()) {
      return {
        why: `a seccomp profile forbids namespaces: ${said}`,
        hint: 'allow unshare and mount: docker run --security-opt seccomp=unconfined; Kubernetes: securityContext.seccompProfile.type: Unconfined',
      };
    }
    return {
      why: `namespaces cannot be made: ${said}`,
      hint: 'unshare --mount --pid --fork --ipc --uts --mount-proc true has to work here',
    };
  }
}

/** Why no overlay can have its upper folder in `workFolder`, which is made when missing; undefined: it can. */
export async function overlayObstacle(workFolder: string): Promise<Obstacle | undefined> {
  makeFolder(workFolder);
  const folder = mkdtempSync(join(workFolder, 'probe-'));
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(folder, name));
    // Short, since values of more than 255 bytes are refused.
    const short = `/proc/self/fd/${fd}`;
    const flags = overlayStyle() === 'user' ? ['userxattr'] : [];
    const options = { lowerdir: `${short}/lower`, upperdir: `${short}/upper`, workdir: `${short}/work` };
    if (tryFileSystem('overlay', options, flags) === 'unknown') return staticObstacle(workFolder);
    return undefined;
  } catch (error) {
    return staticObstacle(workFolder) ?? explainOverlay(error as NodeJS.ErrnoException, workFolder);
  } finally {
    closeSync(fd);
    await removeTree(folder);
  }
}

/** statfs(2) magics of file systems that cannot carry the upper folder of an overlay. */
const UNFIT: Readonly<Record<number, string>> = { 2035054128: 'an overlay itself', 26985: 'NFS', 1702057286: 'FUSE' };

function staticObstacle(workFolder: string): Obstacle | undefined {
  const unfit = UNFIT[statfsSync(workFolder).type];
  if (unfit === undefined) return undefined;
  return {
    why: `${workFolder} is on a file system that cannot carry an overlay: it is ${unfit}`,
    hint: 'mount a volume there, or choose a folder on ext4, xfs, btrfs or tmpfs with --cache-dir',
  };
}

function explainOverlay({ code, message }: NodeJS.ErrnoException, workFolder: string): Obstacle {
  if (code === 'ENODEV') return { why: 'this kernel has no overlay file system', hint: 'as root on the host: modprobe overlay' };
  if (code === 'EPERM')
    return { why: `an overlay may not be mounted here: ${message}`, hint: 'a user namespace needs Linux 5.11 or newer for that' };
  return {
    why: `no overlay can be made on ${workFolder}: ${message}`,
    hint: 'choose a folder on ext4, xfs, btrfs or tmpfs with --cache-dir',
  };
}
