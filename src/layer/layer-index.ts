/** What a layer holds, by path, from its tar headers: enough to look at a file system without unpacking it. */
import type { BytePath } from '../bytes/byte-path.ts';
import type { TreeEntry } from './tree.ts';

export interface LayerIndex {
  /**
   * Every path that the layer puts; '' when the tar has an entry for its root. Content is absent: `file` nodes carry
   * `at: 'deferred'` or 'memory' content. `link` keys are unique only within this layer.
   */
  readonly puts: ReadonlyMap<BytePath, TreeEntry>;
  /** Whiteouts. */
  readonly removes: ReadonlySet<BytePath>;
  readonly opaques: ReadonlySet<BytePath>;
  /** Folders that the tar leaves out though it has entries below them: unpacked as 0755 0:0, in the tree they keep the lower layer's metadata. */
  readonly implied: ReadonlySet<BytePath>;
  /** Hard links whose target is no file of this layer: new path -> path in the layers below. Rare; undefined: none. */
  readonly lowerLinks?: ReadonlyMap<BytePath, BytePath> | undefined;
}
