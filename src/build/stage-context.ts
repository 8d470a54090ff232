/** What the steps of one stage share: the ports, the plan, and the way to other stages and images. */

import type { BytePath } from '../bytes/byte-path.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import type { FileTree } from '../layer/tree.ts';
import type { Origin, Stage } from '../plan/plan.ts';
import type { LayerNeed } from '../unpacked/layer-library.ts';
import type { OpenContext } from './contexts.ts';
import type { Ports } from './ports.ts';

/** Files that are taken from: a stage's or an image's layers, or a context. */
export type OriginFiles =
  | ContextFiles
  | { readonly kind: 'layers'; readonly materials: readonly LayerMaterial[]; readonly tree: FileTree; readonly label: string };

/** Of the build context, or of a folder of --build-context. */
export interface ContextFiles extends OpenContext {
  readonly kind: 'context';
  /** A path with all below it, as a folder that a mount can show: made once per build. */
  place(path: BytePath): Promise<LayerMaterial>;
}

export interface StageContext {
  readonly stage: Stage;
  readonly ports: Ports;
  readonly signal: AbortSignal;
  /** What a RUN needs of the layers below it and of those that it mounts; `index` where none is to be run. */
  readonly runNeed: LayerNeed;
  /** Resolves an origin, which waits for a stage; an image is pulled as far as `need` says. */
  files(origin: Origin, need: LayerNeed): Promise<OriginFiles>;
}
