/**
 * The parts of a rung whose rootfs is a plain folder: the folder that holds the layers, what stands in for mount(2), and the
 * process that becomes the command. folder-rootfs.ts puts them together; in-place, chroot and proot choose among them.
 */
import type { BytePath } from '../../bytes/byte-path.ts';
import type { LayerEntry } from '../../layer/entry.ts';
import type { ExitStatus, LayerMaterial, RunMount, RunSpec, RunUser } from '../backend.ts';

/** A folder in which layers lie on top of each other, as one tree. */
export interface LayerFolder {
  /** Absolute; `/` in place. */
  readonly root: string;
  /**
   * Lays a layer on top: its files replace what is there, its whiteouts remove it. No symlink leads out of `root`. Throws
   * LAYER_INVALID, LAYER_PATH_ESCAPE and STORE_FAILED.
   */
  lay(layer: LayerMaterial, signal: AbortSignal): Promise<void>;
  /** Remembers the tree as it is: `changes` are counted from here. */
  mark(signal: AbortSignal): Promise<void>;
  /** Makes the folder of a command where it is missing (0755 0:0, part of the changes); its place on this machine. Throws BACKEND_FAILED. */
  workingFolder(cwd: string): string;
  /** Takes a path as it is now for how it was at the mark: a mount covered it and is gone. */
  remark(path: BytePath): void;
  /** As Rootfs.changes: in byte order, parents before children. The tree as it is now is then the one that `mark` remembered. */
  changes(signal: AbortSignal): AsyncIterable<LayerEntry>;
  /** Removes all that is not kept out of the build's reach. */
  clear(signal: AbortSignal): Promise<void>;
}

/** What a rung shows of this machine at a place of the rootfs by its own means. */
export interface Bind {
  /** Absolute. */
  readonly hostPath: string;
  /** Absolute inside the rootfs. */
  readonly target: string;
}

/** How `RUN --mount` is done without mount(2). */
export interface MountPlacer {
  /**
   * Makes the mounts, in the order of their targets, and the files of the network (/etc/hosts, /etc/resolv.conf) where the rung
   * needs them. Throws BACKEND_FAILED naming the mount; then nothing of it is left.
   */
  place(mounts: readonly RunMount[], where: PlacerPlace): Promise<PlacedMounts>;
}

export interface PlacerPlace {
  readonly folder: LayerFolder;
  readonly hostname: string;
  readonly user: RunUser;
  readonly signal: AbortSignal;
}

/** Disposing takes the mounts away again, with all that was made for them, so that no change is left of them. */
export interface PlacedMounts extends AsyncDisposable {
  /** For executors that bind; the others get none. */
  readonly binds: readonly Bind[];
}

export interface FolderCommand extends Pick<RunSpec, 'argv' | 'env' | 'cwd' | 'user' | 'network' | 'hostname'> {
  /** `LayerFolder.root`. */
  readonly root: string;
  readonly binds: readonly Bind[];
}

export interface CommandEvents {
  output(chunk: Uint8Array): void;
  /** The command is about to run. */
  started(): void;
  readonly signal: AbortSignal;
}

/** A process that becomes the command; started before it is needed, since Node takes a while to start. */
export interface WaitingCommand {
  /** At most once. The whole process tree is dead when this ends. Errors as of Rootfs.run. */
  run(command: FolderCommand, events: CommandEvents): Promise<ExitStatus>;
  /** Ends a process that was not needed. */
  cancel(): Promise<void>;
}

/** Throws BACKEND_FAILED. */
export type StartCommand = () => WaitingCommand;
