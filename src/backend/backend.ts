/**
 * Where RUN steps run. A backend opens one rootfs for a stage; layers made without it (COPY, WORKDIR) are laid on top,
 * commands run in it, and what they changed comes back as layer entries.
 */

import type { Platform } from '../image/platform.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import type { FileTree } from '../layer/tree.ts';

export type IsolationName = 'namespaces' | 'in-place' | 'chroot' | 'proot';

export type { LayerMaterial };

export interface RunUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** All `target`s are absolute paths inside the rootfs; symlinks in them are resolved inside the rootfs. */
export type RunMount =
  /** A folder or file of other layers; writes, where allowed, are dropped. `path` is absolute inside those layers. */
  | {
      readonly type: 'layers';
      readonly target: string;
      readonly layers: readonly LayerMaterial[];
      readonly tree: FileTree;
      readonly path: string;
      readonly writable: boolean;
    }
  /** A folder of this machine that is shared with later runs (cache). */
  | { readonly type: 'folder'; readonly target: string; readonly hostPath: string; readonly readonly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null; readonly mode: number }
  /** A file that exists only in memory: secrets, heredoc scripts. Never in a layer. */
  | {
      readonly type: 'file';
      readonly target: string;
      readonly bytes: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export interface RunSpec {
  readonly argv: readonly string[];
  /** Exactly the environment of the command. */
  readonly env: readonly string[];
  /** Absolute inside the rootfs. Made (0755 0:0, part of the changes) when it is missing, as runc does. */
  readonly cwd: string;
  readonly user: RunUser;
  readonly mounts: readonly RunMount[];
  readonly network: 'host' | 'none';
  readonly hostname: string;
  /** `none`: no other run in this rootfs is to be expected, so nothing is got ready for it. */
  readonly next?: 'run' | 'none';
  /** stdout and stderr, in the order written. */
  output(chunk: Uint8Array): void;
}

export type ExitStatus =
  /** `hint`: what the sandbox knows about the failure of such a command. */
  { readonly kind: 'code'; readonly code: number; readonly hint?: string } | { readonly kind: 'signal'; readonly signal: string };

export interface Rootfs extends AsyncDisposable {
  /** Lays a finished layer on top of everything so far. */
  lay(layer: LayerMaterial, signal: AbortSignal): Promise<void>;
  /**
   * Runs a command to its end; the whole process tree is dead when this returns. An abort kills the tree and rejects
   * with the signal's reason. Throws BACKEND_FAILED when the sandbox cannot be set up (naming the call that failed),
   * RUN_FAILED with a hint when argv[0] cannot be executed (not found, wrong architecture).
   */
  run(spec: RunSpec, signal: AbortSignal): Promise<ExitStatus>;
  /**
   * What the last `run` changed, in byte order of paths, parents before children. To be read once, after run; the
   * content of its files stays readable until the next `run`, and in an overlay until `dispose`.
   */
  changes(signal: AbortSignal): AsyncIterable<LayerEntry>;
  /**
   * Tells the rootfs which sealed layer its last changes became: the rootfs already holds them, so the layer is not laid
   * again. Returns the material to use for it from now on: one whose `folder()` is the rootfs's own folder of changes
   * where there is such (it stays until `dispose`), else `layer` itself.
   */
  adopt(layer: LayerMaterial): LayerMaterial;
}

export type RootfsForm =
  /** Layers are stacked as unpacked folders. An adopted layer is the rootfs's own folder of changes, so a rootfs stays until the build ends. */
  | { readonly kind: 'overlay' }
  /** A rootfs holds a copy of its layers' files, which nothing refers to once its stage has ended. `most`: so many may be open at once. */
  | { readonly kind: 'copy'; readonly most: number };

export interface Backend {
  readonly name: IsolationName;
  /** Whether programs for this platform's architecture can be executed: by the machine, or by an emulator that its kernel knows. */
  executes(platform: Platform): boolean;
  readonly form: RootfsForm;
  /** `layers` lowest first; `tree` is the same files, for look-ups. */
  open(layers: readonly LayerMaterial[], signal: AbortSignal): Promise<Rootfs>;
}

/** Whether a rung works here; `why` is for people and for `doctor`: what is missing and what would enable it. */
export type Probe =
  | { readonly works: true; readonly name: IsolationName; backend(): Backend }
  | { readonly works: false; readonly name: IsolationName; readonly why: string; readonly hint: string };
