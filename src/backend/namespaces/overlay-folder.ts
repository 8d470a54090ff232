/** Lays out the folder that an overlay of layers is mounted from: stubs, short names for the lower folders, a fresh upper folder. */
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { BytePath } from '../../bytes/byte-path.ts';
import type { FileMeta } from '../../layer/entry.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';
import { stackTree } from '../../layer/stack-tree.ts';
import type { FileTree } from '../../layer/tree.ts';
import { applyMeta } from '../../layer/unpack-meta.ts';
import type { LayerMaterial } from '../backend.ts';
import { SetupError } from '../command/setup-error.ts';
import type { OverlaySpec, OverlayStyle } from './init-spec.ts';
import { lowerFile, writeLowerLinks } from './lower-links.ts';
import { writeStubs } from './stub-folder.ts';
import { type MountPoint, planStubs, type StubPlan } from './stub-plan.ts';

/** A layer whose files lie in a folder, in overlay form. */
export interface UnpackedLayer {
  readonly index: LayerIndex;
  readonly folder: string;
  /** To be stacked directly above `folder`; undefined: nothing more. */
  readonly links?: string | undefined;
}

export interface LayersLayout {
  /** Made by this; its parent exists. Absolute. */
  readonly folder: string;
  /** Lowest first. */
  readonly layers: readonly UnpackedLayer[];
  readonly mountPoints: readonly MountPoint[];
  readonly writable: boolean;
  readonly style: OverlayStyle;
}

export interface LaidOut {
  readonly spec: OverlaySpec;
  /** The files of the layers, without stubs. */
  readonly tree: FileTree;
  /** Such a file as it was unpacked. */
  lowerFile(path: BytePath): string | Buffer | undefined;
  readonly stubs: StubPlan;
}

/** OVL_MAX_STACK of the kernel, without the stubs. */
const MAX_LAYERS = 499;

const PLAIN_ROOT: FileMeta = { mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n };

/** `below`: what the layer is stacked on, lowest first. `folder`: exists, of this build only. Throws LAYER_INVALID. */
export async function unpacked(
  layer: LayerMaterial,
  { below, folder, signal }: { readonly below: readonly UnpackedLayer[]; readonly folder: string; readonly signal: AbortSignal },
): Promise<UnpackedLayer> {
  const { index } = layer;
  const plain: UnpackedLayer = { index, folder: await layer.folder(signal) };
  if (index.lowerLinks === undefined) return plain;
  const links = join(mkdtempSync(join(folder, 'links-')), 'l');
  writeLowerLinks(links, [...below, plain]);
  return { ...plain, links };
}

/** All of them at once, then each on top of those before it. */
export async function unpackedStack(
  layers: readonly LayerMaterial[],
  place: { readonly folder: string; readonly signal: AbortSignal },
): Promise<UnpackedLayer[]> {
  await Promise.all(layers.map((layer) => layer.folder(place.signal)));
  const stack: UnpackedLayer[] = [];
  for (const layer of layers) stack.push(await unpacked(layer, { ...place, below: stack }));
  return stack;
}

/** Throws SetupError for mount points that cannot be. */
export function layOutLayers({ folder, layers, mountPoints, writable, style }: LayersLayout): LaidOut {
  const folders = topmostOfEach(layers);
  if (folders.length > MAX_LAYERS) {
    throw new SetupError(`stack ${layers.length} layers`, `the kernel's overlay takes at most ${MAX_LAYERS}`);
  }
  const indexes = layers.map((layer) => layer.index);
  const tree = stackTree(indexes);
  const stubs = planStubs(tree, indexes, mountPoints);
  // An overlay shows the topmost folder's mode and owner: for its root that is the upper folder itself, or the stubs.
  const root = tree.lstat('')?.meta ?? PLAIN_ROOT;
  mkdirSync(folder, { mode: 0o700 });
  mkdirSync(join(folder, 'm'));
  writeStubs(join(folder, 's'), stubs, root);
  const lowers = [join(folder, 's'), ...folders];
  // Without an upper folder an overlay needs two lower ones.
  if (lowers.length === 1) lowers.push(emptyFolder(join(folder, 'e')));
  for (const [i, lower] of lowers.entries()) symlinkSync(lower, join(folder, String(i)));
  if (writable) {
    applyMeta(emptyFolder(upperOf(folder)), root, 'other', 'apply');
    emptyFolder(workOf(folder));
  }
  return { spec: { folder, lowers: lowers.length, writable, style }, tree, lowerFile: (path) => lowerFile(tree, layers, path), stubs };
}

/**
 * Folders, highest first. The kernel refuses a folder twice, and layers with the same content are the same folder: the
 * lower one is left out, since everything that it shows or hides, the higher one shows or hides again.
 */
function topmostOfEach(layers: readonly UnpackedLayer[]): readonly string[] {
  return [...new Set(layers.flatMap(({ folder, links }) => (links === undefined ? [folder] : [folder, links])).reverse())];
}

/** Where the changes are; once nothing is mounted from it this is a layer in overlay form. */
export function upperOf(folder: string): string {
  return join(folder, 'u');
}

export function workOf(folder: string): string {
  return join(folder, 'w');
}

function emptyFolder(path: string): string {
  mkdirSync(path);
  return path;
}
