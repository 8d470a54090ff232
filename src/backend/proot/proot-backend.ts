/** The `proot` rung: commands run in a plain folder whose owners are kept in memory, without any privilege. */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { landlockVersion } from '../../sys/landlock.ts';
import { makeFolder } from '../../sys/make-folder.ts';
import { hideFromOthers } from '../../sys/process-family.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { Backend } from '../backend.ts';
import { openFolderRootfs } from '../folder/folder-rootfs.ts';
import { layerFolder } from '../folder/layer-folder.ts';
import { recordedOwnership } from '../folder/recorded-ownership.ts';
import { ownArchitectures } from './guest-files.ts';
import { prootMounts } from './proot-mounts.ts';
import { type ProotPrograms, startProot } from './start-proot.ts';
import { watchTracees } from './tracees.ts';

export interface ProotOptions {
  /** Absolute. */
  readonly workFolder: string;
  readonly programs: ProotPrograms;
}

/** From now on this process takes over the orphans of its descendants, and no other process may look into it. */
export function prootBackend({ workFolder, programs }: ProotOptions): Backend {
  hideFromOthers();
  const tracees = watchTracees();
  const landlock = landlockVersion();
  return {
    name: 'proot',
    // Whatever emulators the kernel knows: proot does not ask it.
    executes: ({ os, architecture }) => os === 'linux' && ownArchitectures().includes(architecture),
    form: { kind: 'copy', most: availableParallelism() },
    async open(layers, signal) {
      makeFolder(workFolder);
      const home = realpathSync(mkdtempSync(join(workFolder, 'rootfs-')));
      const [root, aside, scratch] = [join(home, 'root'), join(home, 'aside'), join(home, 'proot')];
      for (const folder of [root, aside, scratch]) mkdirSync(folder);
      chmodSync(root, 0o755);
      const ownership = recordedOwnership();
      const hold = (folder: string) => layerFolder({ root: folder, kept: [], ownership });
      const placer = prootMounts({ aside, layerFolder: hold });
      const start = startProot({ programs, tracees, scratch, ownership, landlock });
      return openFolderRootfs(layers, { folder: hold(root), placer, start, dispose: () => removeTree(home) }, signal);
    },
  };
}
