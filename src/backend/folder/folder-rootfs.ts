/**
 * A rootfs that is a plain folder: layers are laid into it one over the other, commands run in it, and a walk finds what they
 * changed. Nothing in it is shared, so nothing refers to it once its stage has ended.
 */
import { TsbuildError } from '../../errors.ts';
import type { LayerMaterial, Rootfs } from '../backend.ts';
import type { LayerFolder, MountPlacer, StartCommand, WaitingCommand } from './parts.ts';

export interface FolderRootfsParts {
  /** Empty, or to be cleared by the caller first. */
  readonly folder: LayerFolder;
  readonly placer: MountPlacer;
  readonly start: StartCommand;
  /** Gives the folder back: removes it, or leaves it to the next stage. */
  dispose(): Promise<void>;
}

/** `layers`: lowest first. A failure disposes of everything. */
export async function openFolderRootfs(layers: readonly LayerMaterial[], parts: FolderRootfsParts, signal: AbortSignal): Promise<Rootfs> {
  const rootfs = createRootfs(parts);
  try {
    rootfs.startAhead();
    for (const layer of layers) await rootfs.lay(layer, signal);
    return rootfs;
  } catch (error) {
    await rootfs[Symbol.asyncDispose]();
    throw error;
  }
}

/** `ran`: its changes are not adopted yet. */
type RootfsState = 'ready' | 'ran';

interface StartingRootfs extends Rootfs {
  /** Starts the process of the next command. Throws BACKEND_FAILED. */
  startAhead(): void;
}

function createRootfs({ folder, placer, start, dispose }: FolderRootfsParts): StartingRootfs {
  let waiting: WaitingCommand | null = null;
  let state: RootfsState = 'ready';

  const startAhead = (): void => void (waiting = start());
  const take = (): WaitingCommand => {
    const taken = waiting ?? start();
    waiting = null;
    return taken;
  };
  const needs = (wanted: RootfsState): void => {
    if (state !== wanted) throw new Error(wanted === 'ran' ? 'nothing has been run' : 'the changes of the last run are not adopted yet');
  };

  return {
    startAhead,

    async lay(layer, signal) {
      needs('ready');
      await folder.lay(layer, signal);
    },

    async run(spec, signal) {
      signal.throwIfAborted();
      if ([...spec.argv, ...spec.env].some((text) => text.includes('\0'))) {
        throw new TsbuildError('RUN_FAILED', 'a command and its environment cannot hold NUL bytes');
      }
      needs('ready');
      await folder.mark(signal);
      const { argv, env, cwd, user, network, hostname } = spec;
      const placed = await placer.place(spec.mounts, { folder, hostname, user, signal });
      try {
        folder.workingFolder(cwd);
        const command = { root: folder.root, argv, env, cwd, user, network, hostname, binds: placed.binds };
        const started = (): void => (spec.next === 'none' ? undefined : attempt(startAhead));
        return await take().run(command, { output: spec.output, started, signal });
      } finally {
        state = 'ran';
        await placed[Symbol.asyncDispose]();
      }
    },

    changes(signal) {
      needs('ran');
      return folder.changes(signal);
    },

    adopt(layer) {
      needs('ran');
      state = 'ready';
      return layer;
    },

    async [Symbol.asyncDispose]() {
      const unused = waiting;
      waiting = null;
      await unused?.cancel();
      await dispose();
    },
  };
}

/** For what is tried again when it is needed, and reports its failure then. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
  }
}
