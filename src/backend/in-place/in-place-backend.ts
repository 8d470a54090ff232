/**
 * The `in-place` rung: `/` of this container is the rootfs, one stage after the other. What is the container's own stays out of the
 * build's reach, and an image that has files there is refused rather than built without them.
 */
import { mkdtempSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BytePath, bytesOf, cleanPath, forFs, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { makeFolder } from '../../sys/make-folder.ts';
import { hideFromOthers } from '../../sys/process-family.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { Backend, ExitStatus, LayerMaterial, Rootfs, RunSpec } from '../backend.ts';
import { DOCKER_CAPABILITIES } from '../command/capabilities.ts';
import { startsHere } from '../command/foreign-programs.ts';
import { watchProcessTree } from '../command/process-tree.ts';
import { type CommandPrograms, startCommand } from '../command/start-command.ts';
import { commandConfinement } from '../confined/command-confinement.ts';
import { copiedMounts } from '../folder/copied-mounts.ts';
import { openFolderRootfs } from '../folder/folder-rootfs.ts';
import { kernelOwnership } from '../folder/kernel-ownership.ts';
import { layerFolder } from '../folder/layer-folder.ts';
import type { StartCommand } from '../folder/parts.ts';
import type { KeptPaths } from './kept-paths.ts';
import { keepNetworkFiles } from './network-files.ts';

export interface InPlaceBackendOptions {
  readonly kept: KeptPaths;
  /** Absolute: what commands may not open. */
  readonly closed: readonly string[];
  readonly programs: CommandPrograms;
  /** What is in `/` when the build has ended. */
  readonly afterwards: 'left' | 'cleared';
  warn(message: string): void;
}

/** On the file system of `/`, and kept. */
const WORK = '/tsbuild/work';

/** From now on this process takes over the orphans of its descendants, and no other process may look into it. */
export function inPlaceBackend({ kept, closed, programs, afterwards, warn }: InPlaceBackendOptions): Backend {
  hideFromOthers();
  const starting = startConfined({ programs, closed, warn });
  const refuse = refusalOf(kept, warn);
  const ownership = kernelOwnership();
  return {
    name: 'in-place',
    executes(platform) {
      makeFolder(WORK);
      return startsHere(platform, WORK);
    },
    form: { kind: 'copy', most: 1 },
    async open(layers, signal) {
      for (const layer of layers) refuse.layer(layer);
      // The folder that tsbuild was started in may go.
      process.chdir('/');
      makeFolder(WORK);
      const start = await starting();
      const aside = mkdtempSync(join(WORK, 'aside-'));
      const folder = layerFolder({ root: '/', kept: kept.all, ownership });
      const hold = (root: string) => layerFolder({ root, kept: [], ownership });
      const placer = copiedMounts({ aside, layerFolder: hold, kept: kept.all, standard: () => [] });
      const dispose = async (): Promise<void> => {
        await removeTree(aside);
        if (afterwards === 'cleared') await folder.clear(new AbortController().signal);
      };
      try {
        await folder.clear(signal);
      } catch (error) {
        await removeTree(aside);
        throw error;
      }
      return guarded(await openFolderRootfs(layers, { folder, placer, start, dispose }, signal), refuse);
    },
  };
}

/** Without Landlock commands run all the same, as they do in Kaniko, which is said. */
function startConfined({
  programs,
  closed,
  warn,
}: Pick<InPlaceBackendOptions, 'programs' | 'closed' | 'warn'>): () => Promise<StartCommand> {
  const tree = watchProcessTree();
  const make = async (): Promise<StartCommand> => {
    const confinement = await commandConfinement({ closed, open: [], stockFolder: join(WORK, 'entries') });
    if (confinement === undefined) warn(NOT_CONFINED);
    return startCommand({ programs, tree, root: 'as it is', capabilities: DOCKER_CAPABILITIES, confinement });
  };
  let made: Promise<StartCommand> | undefined;
  return () => (made ??= make());
}

const NOT_CONFINED =
  'RUN steps can read the registry credentials and what else is mounted into this container: its kernel has no Landlock of version 3 (Linux 6.2), or forbids it; see docs/SECURITY.md';

interface Refusal {
  /** Throws BACKEND_FAILED for a layer with files in a folder that is not the image's. */
  layer(layer: LayerMaterial): void;
  workingFolder(cwd: string): void;
}

function guarded(rootfs: Rootfs, refuse: Refusal): Rootfs {
  return {
    ...rootfs,
    async lay(layer, signal) {
      refuse.layer(layer);
      await rootfs.lay(layer, signal);
    },
    async run(spec, signal) {
      refuse.workingFolder(spec.cwd);
      const putBack = keepNetworkFiles();
      try {
        return withHint(await rootfs.run(spec, signal), spec);
      } finally {
        putBack();
      }
    },
  };
}

function withHint(status: ExitStatus, { user, argv }: RunSpec): ExitStatus {
  if (status.kind !== 'code' || status.code === 0 || user.uid === 0) return status;
  return /\b(?:sudo|su|doas)\b/.test(argv.join(' ')) ? { ...status, hint: NO_NEW_PRIVILEGES } : status;
}

const NO_NEW_PRIVILEGES =
  'in place a command of another user than root cannot become root, since it could then read credentials: do that part in a RUN after USER root';

function refusalOf({ all, quiet }: KeptPaths, warn: (message: string) => void): Refusal {
  const loud = all.filter((path) => !quiet.has(path) && ![...quiet].some((one) => path.startsWith(`${one}/`)));
  const told = new Set<BytePath>();
  const keptAbove = (path: BytePath): BytePath | undefined => loud.find((one) => path === one || path.startsWith(`${one}/`));
  return {
    layer({ index }) {
      for (const path of index.puts.keys()) {
        const one = keptAbove(path);
        // An empty folder of that name is no loss.
        if (one === undefined || (path === one && index.puts.get(path)?.node.type === 'dir')) continue;
        if (path !== one || isFolder(one)) throw notTheImages(`the image has "/${textOf(path)}"`, one);
        if (told.has(one)) continue;
        told.add(one);
        warn(
          `the image has the file "/${textOf(one)}", and so has this container: RUN steps see the container's, and cannot change the image's`,
        );
      }
    },
    workingFolder(cwd) {
      const one = keptAbove(cleanPath(bytesOf(cwd)));
      if (one !== undefined) throw notTheImages(`a RUN begins in ${cwd}`, one);
    },
  };
}

function isFolder(path: BytePath): boolean {
  return statSync(forFs(`/${path}`), { throwIfNoEntry: false })?.isDirectory() === true;
}

function notTheImages(what: string, kept: BytePath): TsbuildError {
  return new TsbuildError('BACKEND_FAILED', `${what}, where this container has files of its own: /${textOf(kept)}`, {
    hint: 'in place, the two would get mixed: mount the context, the cache and other volumes at paths that the image does not use',
  });
}
