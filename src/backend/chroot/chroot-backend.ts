/** The `chroot` rung: each RUN in a folder that is its root, with devices and network files laid into it for the time of the RUN. */
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../../sys/make-folder.ts';
import { hideFromOthers } from '../../sys/process-family.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { Backend } from '../backend.ts';
import { CAP_SYS_CHROOT, DOCKER_CAPABILITIES } from '../command/capabilities.ts';
import { startsHere } from '../command/foreign-programs.ts';
import { hostsFile, resolvConf } from '../command/network-files.ts';
import { watchProcessTree } from '../command/process-tree.ts';
import { type CommandPrograms, startCommand } from '../command/start-command.ts';
import { copiedMounts } from '../folder/copied-mounts.ts';
import { openFolderRootfs } from '../folder/folder-rootfs.ts';
import { kernelOwnership } from '../folder/kernel-ownership.ts';
import { layerFolder } from '../folder/layer-folder.ts';
import type { CopiedMount } from '../folder/mount-content.ts';

export interface ChrootOptions {
  /** Absolute. */
  readonly workFolder: string;
  readonly programs: CommandPrograms;
  warn(message: string): void;
}

/** Root leaves a chroot by another one, so commands may not make one. */
const CAPABILITIES = DOCKER_CAPABILITIES & ~(1n << CAP_SYS_CHROOT);

/** From now on this process takes over the orphans of its descendants, and no other process may look into it. */
export function chrootBackend({ workFolder, programs, warn }: ChrootOptions): Backend {
  hideFromOthers();
  const start = startCommand({ programs, tree: watchProcessTree(), root: 'chroot', capabilities: CAPABILITIES });
  let warned = false;
  return {
    name: 'chroot',
    executes(platform) {
      makeFolder(workFolder);
      return startsHere(platform, workFolder);
    },
    form: { kind: 'copy', most: 1 },
    async open(layers, signal) {
      if (!warned) warn(NO_PROC);
      warned = true;
      makeFolder(workFolder);
      const home = mkdtempSync(join(workFolder, 'rootfs-'));
      const [root, aside] = [join(home, 'root'), join(home, 'aside')];
      mkdirSync(aside);
      mkdirSync(root);
      chmodSync(root, 0o755);
      const ownership = kernelOwnership();
      const hold = (folder: string) => layerFolder({ root: folder, kept: [], ownership });
      const placer = copiedMounts({ aside, layerFolder: hold, kept: [], standard: standardMounts });
      return openFolderRootfs(layers, { folder: hold(root), placer, start, dispose: () => removeTree(home) }, signal);
    },
  };
}

const NO_PROC =
  'RUN steps have no /proc here (isolation chroot): what needs it fails or finds nothing, such as Java, os.Executable of Go, <(...) and /dev/fd of shells, ps, and services that are started; see docs/SECURITY.md for what they can reach';

function standardMounts(hostname: string): readonly CopiedMount[] {
  const file = { type: 'file', mode: 0o644, uid: 0, gid: 0 } as const;
  return [
    { type: 'dev', target: '/dev' },
    // What a command writes there is no part of an image.
    { type: 'tmpfs', target: '/proc', sizeBytes: null, mode: 0o555 },
    { type: 'tmpfs', target: '/sys', sizeBytes: null, mode: 0o555 },
    { ...file, target: '/etc/hosts', bytes: Buffer.from(hostsFile(hostname)) },
    { ...file, target: '/etc/resolv.conf', bytes: Buffer.from(resolvConf()) },
  ];
}
