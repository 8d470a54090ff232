/**
 * What tsbuild tells init.ts (the first process of a RUN's namespaces), and what init answers. JSON over two pipes; both
 * ends are of the same build, so it is not versioned.
 */
import type { RunUser } from '../backend.ts';
import type { CommandReport } from '../command/command-report.ts';

/** 'trusted' in the initial user namespace, 'user' (mount option userxattr) inside another one. */
export type OverlayStyle = 'trusted' | 'user';

/**
 * An overlay to be mounted from inside `folder`, where everything has a short name, because mount(2) takes one page of
 * options: symlinks `0` (the topmost) to `lowers - 1` lead to the lower folders, `m` is the mount point, and where it is
 * writable `u` is the upper folder and `w` the work folder.
 */
export interface OverlaySpec {
  readonly folder: string;
  readonly lowers: number;
  readonly writable: boolean;
  readonly style: OverlayStyle;
}

/** Mounts in the order in which they are made. `target`: absolute, resolved inside the rootfs as it is then. */
export type InitMount =
  | { readonly type: 'proc'; readonly target: string }
  | { readonly type: 'sys'; readonly target: string }
  | { readonly type: 'dev'; readonly target: string }
  | { readonly type: 'bind'; readonly target: string; readonly hostPath: string; readonly readonly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null; readonly mode: number }
  /** `path`: absolute inside the overlay. */
  | { readonly type: 'overlay'; readonly target: string; readonly overlay: OverlaySpec; readonly path: string }
  | {
      readonly type: 'file';
      readonly target: string;
      readonly base64: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export interface InitSpec {
  readonly root: OverlaySpec;
  /** An empty folder of this run: files that exist only in memory are kept here. */
  readonly scratch: string;
  readonly mounts: readonly InitMount[];
  readonly network: 'host' | 'none';
  readonly hostname: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: RunUser;
  /** 'ask': tsbuild makes the device nodes; init says `listening` where that works. */
  readonly devices: 'kernel' | 'ask';
}

/** One line each. */
export type InitReport =
  /** Descriptor `fd` of init is the listener of its seccomp filter. It waits in a mknod(2) until it is answered there. */
  { readonly kind: 'listening'; readonly fd: number } | CommandReport;
