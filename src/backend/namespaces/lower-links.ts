/**
 * Hard links that a layer makes to files of the layers below it. An overlay cannot say that, and the layer's own folder is
 * shared by every image that has the layer, above whatever lower ones. So they are made in a folder of this build, which is
 * stacked directly above the layer's: each name, and the folders above it as the layer has them (an overlay shows the
 * topmost one's metadata).
 */
import { linkSync, mkdirSync } from 'node:fs';
import { type BytePath, bytesOf, forFs, parentOf, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';
import { type StackedTree, stackTree } from '../../layer/stack-tree.ts';
import { applyMeta } from '../../layer/unpack-meta.ts';

export interface LinkedLayer {
  readonly index: LayerIndex;
  readonly folder: string;
}

/**
 * Makes `folder`, whose parent exists, for the topmost of `layers` (lowest first). Throws LAYER_INVALID for a link to what
 * no lower layer has.
 */
export function writeLowerLinks(folder: string, layers: readonly LinkedLayer[]): void {
  const tree = stackTree(layers.map((layer) => layer.index));
  const top = bytesOf(folder);
  mkdirSync(folder, { mode: 0o700 });
  const parents = new Set<BytePath>(['']);
  const needFolder = (path: BytePath): void => {
    if (parents.has(path)) return;
    needFolder(parentOf(path));
    mkdirSync(forFs(`${top}/${path}`));
    parents.add(path);
  };
  for (const [path, target] of layers.at(-1)?.index.lowerLinks ?? []) {
    const file = lowerFile(tree, layers, path);
    if (file === undefined) throw noTarget(path, target);
    needFolder(parentOf(path));
    // All folders of a build are on the file system of its cache.
    linkSync(file, forFs(`${top}/${path}`));
  }
  // Children first, since making a child changes its folder's time.
  for (const path of [...parents].reverse()) {
    const meta = tree.lstat(path)?.meta;
    if (meta !== undefined) applyMeta(path === '' ? folder : forFs(`${top}/${path}`), meta, 'other', 'apply');
  }
}

/** The file or folder itself, as it was unpacked; undefined: no layer has it. */
export function lowerFile(tree: StackedTree, layers: readonly LinkedLayer[], path: BytePath): string | Buffer | undefined {
  const origin = tree.originOf(path);
  const layer = origin === undefined ? undefined : layers[origin.position];
  return origin === undefined || layer === undefined ? undefined : forFs(`${bytesOf(layer.folder)}/${origin.path}`);
}

function noTarget(path: BytePath, target: BytePath): TsbuildError {
  return new TsbuildError(
    'LAYER_INVALID',
    `a layer's hard link "${textOf(path)}" leads to "${textOf(target)}", which neither this layer nor one below it has`,
    { hint: 'the image is damaged: containerd and podman refuse it, too' },
  );
}
