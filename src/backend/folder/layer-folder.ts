/**
 * A plain folder that holds a stack of layers as one tree, and knows what a command changed in it: by walking it and comparing
 * with what it remembers of each file. Of content a hash is remembered.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { BytePath } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { FileNode, LayerEntry } from '../../layer/entry.ts';
import type { LayerIndex } from '../../layer/layer-index.ts';
import { type Applied, createApplier } from './apply-layer.ts';
import { removingBelow } from './apply-remove.ts';
import { placeOf } from './layer-folder-place.ts';
import { findWorkingFolder } from './layer-folder-working.ts';
import type { Ownership } from './ownership.ts';
import type { LayerFolder } from './parts.ts';
import { walk } from './walk.ts';
import { FILES_PER_TURN, readChanges } from './walk-changes.ts';
import { fileKey } from './walk-content.ts';
import { createWalkMemory, type Remembered, type WalkMemory } from './walk-memory.ts';
import { layerXattrs } from './walk-xattrs.ts';

export interface LayerFolderOptions {
  /** Absolute, without symlinks; exists. `/` in place. */
  readonly root: string;
  /**
   * Paths inside `root` that are out of the build's reach, with all below them: never written, removed, entered nor reported. The
   * folders above them stay, too. Layers' files at such paths are passed over.
   */
  readonly kept: Iterable<BytePath>;
  readonly ownership: Ownership;
}

/** Nothing but the commands of `run` and this folder itself may write to `root` from the first `lay` on. */
export function layerFolder({ root, kept, ownership }: LayerFolderOptions): LayerFolder {
  const place = placeOf(root, kept);
  let memory: WalkMemory = createWalkMemory();
  /** Whether the memory holds every file, and not only those of layers. */
  let remembers: 'all' | 'layers' = 'layers';
  /** What commands changed and nobody has read for the memory: that waits until there is another command. */
  let unread: readonly LayerEntry[] = [];

  /** As it is now; forgets what is gone. */
  function refresh(path: BytePath, knownAs: (was: Remembered | undefined) => Known): void {
    const host = place.host(path);
    const stats = lstatSync(host, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) {
      memory.delete(path);
      return;
    }
    const seen = ownership.see(path, host, stats);
    const { content, xattrs } = knownAs(memory.get(path));
    memory.set(path, seen, { content, xattrs: xattrs === 'none' ? undefined : layerXattrs(ownership.xattrs(path, host, seen.stats)) });
  }

  function rememberLayer({ removed, put, inodes }: Applied, index: LayerIndex): void {
    for (const path of removed) memory.delete(path);
    for (const [path, content] of put) {
      if (path === '') continue;
      const entry = index.puts.get(path);
      const xattrs = entry !== undefined && entry.meta.xattrs === undefined ? 'none' : 'read';
      refresh(path, () => ({ content, xattrs }));
    }
    if (inodes.size === 0) return;
    for (const path of memory.withInode(inodes)) refresh(path, (was) => ({ content: was?.content, xattrs: 'read' }));
  }

  async function rememberAll(signal: AbortSignal): Promise<void> {
    let count = 0;
    memory.startWalk();
    for (const { path, host, seen } of walk({ place, ownership }, '')) {
      if ((count += 1) % FILES_PER_TURN === 0) await setImmediate();
      signal.throwIfAborted();
      if (memory.isSame(path, seen)) memory.meet(path);
      else memory.set(path, seen, { content: undefined, xattrs: layerXattrs(ownership.xattrs(path, host, seen.stats)) });
    }
    for (const path of memory.unmet()) memory.delete(path);
  }

  async function readUnread(signal: AbortSignal): Promise<void> {
    for (const entry of unread) {
      if (entry.kind !== 'put' || memory.get(entry.path)?.content !== undefined) continue;
      const { path, node } = entry;
      const content = node.type === 'hardlink' ? memory.get(node.target)?.content : await contentOf(path, node, signal);
      if (content !== undefined) memory.setContent(path, content);
    }
    unread = [];
  }

  /** undefined: it is no file any more, since a layer was laid. */
  async function contentOf(path: BytePath, { type }: FileNode, signal: AbortSignal): Promise<string | undefined> {
    const host = place.host(path);
    return type === 'file' && lstatSync(host, { throwIfNoEntry: false })?.isFile() === true ? fileKey(host, signal) : undefined;
  }

  function makeFolder(path: BytePath): void {
    const host = place.host(path);
    mkdirSync(host, 0o755);
    ownership.apply(path, host, { mode: 0o755, uid: 0, gid: 0, mtimeNs: BigInt(Date.now()) * 1_000_000n }, 'other');
  }

  return {
    root,

    async lay(layer, signal) {
      const applier = createApplier({ place, ownership, index: layer.index });
      applier.hide();
      await layer.replay(applier, signal);
      rememberLayer(applier.applied(), layer.index);
    },

    async mark(signal) {
      if (remembers === 'layers') await rememberAll(signal);
      remembers = 'all';
      await readUnread(signal);
      await laterThan(memory.newestNs());
      signal.throwIfAborted();
    },

    workingFolder(cwd) {
      const host = place.host(findWorkingFolder(place, cwd, makeFolder));
      const text = host.toString();
      if (typeof host === 'string' || Buffer.from(text).equals(host)) return text;
      throw new TsbuildError('BACKEND_FAILED', `the working directory ${cwd} leads to a folder whose name is not UTF-8`);
    },

    remark(path) {
      const below = `${path}/`;
      const known = new Map<BytePath, Remembered | undefined>();
      for (const one of [...memory.paths()]) {
        if (one !== path && !one.startsWith(below)) continue;
        known.set(one, memory.get(one));
        memory.delete(one);
      }
      const as = (one: BytePath): void => refresh(one, () => ({ content: sameFile(known.get(one), place.host(one)), xattrs: 'read' }));
      as(path);
      for (const met of walk({ place, ownership }, path)) as(met.path);
    },

    async *changes(signal) {
      if (remembers !== 'all') throw new Error('nothing was marked');
      unread = await readChanges({ place, ownership, memory, signal });
      yield* unread;
    },

    async clear(signal) {
      memory = createWalkMemory();
      remembers = 'layers';
      unread = [];
      let count = 0;
      for (const _ of removingBelow(place, '', 'stay')) {
        if ((count += 1) % FILES_PER_TURN === 0) await setImmediate();
        signal.throwIfAborted();
      }
    },
  };
}

interface Known {
  readonly content: string | undefined;
  readonly xattrs: 'none' | 'read';
}

/** The content of what was moved away and back. */
function sameFile(was: Remembered | undefined, host: string | Buffer): string | undefined {
  if (was?.content === undefined) return undefined;
  const stats = lstatSync(host, { bigint: true });
  const same = stats.ino === was.ino && stats.dev === was.dev && stats.mtimeNs === was.mtimeNs && Number(stats.size) === was.size;
  return same ? was.content : undefined;
}

const NS_PER_MS = 1_000_000n;
/** Kernels with 100 ticks in a second are the slowest. */
const TICK_MS = 10;

/**
 * Ends once what is written from now on gets a later time: file systems tell time in ticks of the kernel's, and a file of the same
 * size that is written twice within one tick would look unchanged.
 */
async function laterThan(timeNs: bigint): Promise<void> {
  const until = Number(timeNs / NS_PER_MS) + TICK_MS;
  for (let left = until - Date.now(); left >= 0; left = until - Date.now()) {
    // A time in the future comes from a clock that was put back, or is another machine's.
    if (left > TICK_MS) return;
    await setTimeout(left + 1);
  }
}
