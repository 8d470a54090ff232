/**
 * The layer library in the cache folder: an index per layer, and an unpacked folder for the layers that a RUN needed.
 * Both appear under their diffId by one rename when they are complete, so a killed build leaves nothing half done there.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { oncePerKey } from '../async/once-per-key.ts';
import type { BlobStore } from '../blob/blob.ts';
import { type CacheUse, UNPRUNED } from '../blob/cache-use.ts';
import { type BytePath, forFs } from '../bytes/byte-path.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, hexOf } from '../image/digest.ts';
import type { Layer } from '../image/image.ts';
import { compressionOf, type ImageFormat, type LayerCompression } from '../image/media-types.ts';
import { createIndexBuilder, type IndexBuilder } from '../layer/build-index.ts';
import type { DeviceMarks } from '../layer/device-marks.ts';
import type { FileContent, LayerEntry } from '../layer/entry.ts';
import { indexEntries } from '../layer/index-entries.ts';
import { parseIndex, serializeIndex } from '../layer/index-file.ts';
import type { LayerIndex } from '../layer/layer-index.ts';
import type { LayerMaterial } from '../layer/layer-material.ts';
import { readLayer } from '../layer/read-layer.ts';
import { replayIndex } from '../layer/replay.ts';
import { sealLayer } from '../layer/seal.ts';
import type { TarHandler } from '../layer/tar/member.ts';
import { createTarReader } from '../layer/tar/read.ts';
import { together } from '../layer/tar/together.ts';
import type { TarTap } from '../layer/tar-tap.ts';
import { createUnpacker } from '../layer/unpack.ts';
import type { Owners } from '../layer/unpack-meta.ts';
import { makeFolder } from '../sys/make-folder.ts';
import { removeTree } from '../sys/remove-tree.ts';
import type { LayerLibrary, LayerNeed, Seal } from './layer-library.ts';
import { sizeFile, unpackedBytes } from './noted-size.ts';
import { plainArchives } from './plain-archives.ts';

export interface FolderLibraryOptions {
  /** Absolute; indexes and unpacked layers live below it. */
  readonly cacheFolder: string;
  /** Absolute; on the same file system; where things are made. */
  readonly workFolder: string;
  /** How overlay marks are written here: it depends on who mounts them, so each kind has folders of its own. */
  readonly style: 'trusted' | 'user' | 'none';
  readonly store: BlobStore;
  readonly owners: Owners;
  /** See UnpackOptions. */
  readonly devices?: DeviceMarks | undefined;
  /** Where others may prune the cache folder. */
  readonly use?: CacheUse;
}

interface Sealed {
  readonly layer: Layer;
  readonly index: LayerIndex;
}

const NEEDS: readonly LayerNeed[] = ['index', 'archive', 'folder'];

export function folderLibrary(options: FolderLibraryOptions): LayerLibrary {
  const { store } = options;
  const shelves = openShelves(options);
  const archives = plainArchives(options.workFolder);
  const reading = oncePerKey<unknown>();
  const known = new Map<Digest, LayerIndex>();

  async function read(layer: Layer, need: LayerNeed, signal: AbortSignal): Promise<void> {
    const { diffId } = layer;
    // One after the other: the second finds the blob in the store, and perhaps nothing left to do.
    for (const other of NEEDS) {
      const pending = other === need ? undefined : reading.pending(`${diffId} ${other}`);
      if (pending !== undefined) await settled(pending);
    }
    await reading.get(`${diffId} ${need}`, async () => {
      if (!known.has(diffId)) await shelves.hold(diffId);
      const stored = known.get(diffId) ?? shelves.loadIndex(diffId, contentIn(layer));
      if (stored !== undefined) known.set(diffId, stored);
      if (stored !== undefined && (need !== 'folder' || shelves.hasFolder(diffId))) return;
      const compression = compressionFor(layer);
      const parts = shelves.begin(contentIn(layer), need);
      try {
        const archive = need === 'archive' && compression !== 'none' ? archives.tap(diffId, layer.descriptor.size) : null;
        const taps = archive === null ? parts.taps : [...parts.taps, archive];
        const how = { compression, taps, expectedDiffId: diffId, signal };
        await readLayer(await layer.open(signal), how);
        known.set(diffId, await parts.keep(diffId));
      } catch (error) {
        await parts.discard();
        throw error;
      }
    });
  }

  /** Files of a layer that is not unpacked yet: unpacked when the first of them is read. */
  function contentIn(layer: Layer): (path: BytePath) => FileContent {
    return (path) => ({
      at: 'deferred',
      async locate(signal) {
        await read(layer, 'folder', signal);
        return { at: 'host', path: hostPath(shelves.folderOf(layer.diffId), path) };
      },
    });
  }

  function materialOf(layer: Layer, index: LayerIndex): LayerMaterial {
    return {
      diffId: async () => layer.diffId,
      index,
      async folder(signal) {
        await read(layer, 'folder', signal);
        return shelves.folderOf(layer.diffId);
      },
      async replay(to, signal) {
        const how = { taps: [createTarReader(to)], expectedDiffId: layer.diffId, signal };
        const plain = archives.take(layer.diffId);
        if (plain !== null) await readLayer(plain, { ...how, compression: 'none' });
        else await readLayer(await layer.open(signal), { ...how, compression: compressionFor(layer) });
      },
    };
  }

  async function pack(entries: readonly LayerEntry[], how: Parameters<LayerLibrary['seal']>[1], signal: AbortSignal): Promise<Sealed> {
    // The content of a new layer is found through the layer, which is known only afterwards.
    let sealed: Layer | null = null;
    const parts = shelves.begin((path) => lateContent(path, () => (sealed === null ? null : contentIn(sealed))), how.need);
    try {
      const { descriptor, diffId } = await sealLayer(entries, sealOptions(how.format, [store], parts.taps, signal));
      const layer: Layer = { descriptor, diffId, open: (own) => store.open(descriptor, own) };
      sealed = layer;
      const index = await parts.keep(diffId);
      known.set(diffId, index);
      return { layer, index };
    } catch (error) {
      await parts.discard();
      throw error;
    }
  }

  return {
    async material(layer, need, signal) {
      await read(layer, need, signal);
      const index = known.get(layer.diffId);
      if (index === undefined) throw new Error(`layer ${layer.diffId} was read without an index`);
      return materialOf(layer, index);
    },

    seal(entries, how, signal): Seal {
      const index = indexEntries(entries);
      const packed = pack(entries, how, signal);
      const layer = packed.then((sealed) => sealed.layer);
      const kept = packed.then((sealed) => materialOf(sealed.layer, sealed.index));
      // Whoever awaits them is told; until then nobody may be there.
      for (const promise of [layer, kept]) promise.catch(() => undefined);
      return {
        layer,
        kept,
        material: {
          index,
          diffId: async () => (await layer).diffId,
          folder: async (own) => (await kept).folder(own),
          replay: async (to, own) => (await kept).replay(to, own),
        },
      };
    },

    async place(entries, signal) {
      const { folder, taps, index } = shelves.beginPlace();
      try {
        const { diffId } = await sealLayer(entries, { ...sealOptions('oci', [], taps, signal), compression: 'none' });
        const placed = index();
        return {
          diffId: async () => diffId,
          index: placed,
          folder: () => Promise.resolve(folder),
          replay: (to, own) => replayIndex(placed, to, own),
        };
      } catch (error) {
        await removeTree(folder);
        throw error;
      }
    },
  };
}

function compressionFor({ descriptor }: Layer): LayerCompression {
  const compression = compressionOf(descriptor.mediaType);
  if (compression !== null) return compression;
  throw new TsbuildError('IMAGE_INVALID', `layer ${descriptor.digest} has the media type ${descriptor.mediaType}`);
}

function sealOptions(format: ImageFormat, sinks: readonly BlobStore[], taps: readonly TarTap[], signal: AbortSignal) {
  return { sinks, format, compression: 'gzip', level: undefined, taps, mtime: 'seconds', signal } as const;
}

function lateContent(path: BytePath, find: () => ((path: BytePath) => FileContent) | null): FileContent {
  return {
    at: 'deferred',
    async locate(signal) {
      const content = find()?.(path);
      if (content?.at !== 'deferred') throw new Error('a file of a layer was asked for before the layer was sealed');
      return content.locate(signal);
    },
  };
}

/** Waits for the end of work whose failure is its own caller's. */
async function settled(work: Promise<unknown>): Promise<void> {
  await Promise.allSettled([work]);
}

function hostPath(folder: string, path: BytePath): string | Buffer {
  const inside = forFs(path);
  return typeof inside === 'string' ? join(folder, inside) : Buffer.concat([Buffer.from(`${folder}/`), inside]);
}

/** What one pass over a layer makes: taps that fill it, and one of two ends. */
interface Parts {
  readonly taps: readonly TarTap[];
  /** Puts it under its name; somebody else's that came first is as good. */
  keep(diffId: Digest): Promise<LayerIndex>;
  discard(): Promise<void>;
}

function openShelves({ cacheFolder, workFolder, style, owners, devices, use = UNPRUNED }: FolderLibraryOptions) {
  const indexes = join(cacheFolder, 'indexes');
  const folders = join(cacheFolder, 'layers', style);
  makeFolder(indexes);
  makeFolder(folders);
  let made = 0;
  const indexPath = (diffId: Digest): string => join(indexes, hexOf(diffId));
  const folderOf = (diffId: Digest): string => join(folders, hexOf(diffId));
  const newFolder = (): string => {
    const folder = join(workFolder, `unpack-${made++}`);
    mkdirSync(folder);
    return folder;
  };
  const unpackInto = (folder: string): TarHandler => createUnpacker({ folder, style, owners, devices });

  return {
    folderOf,
    /** An index that is there stays until the build ends, and the folder with it. */
    hold: (diffId: Digest): Promise<boolean> => use.hold(indexPath(diffId)),
    hasFolder: (diffId: Digest): boolean => existsSync(folderOf(diffId)),

    /** undefined: there is none, or none that this version can read. */
    loadIndex(diffId: Digest, contentOf: (path: BytePath) => FileContent): LayerIndex | undefined {
      let bytes: Buffer;
      try {
        bytes = readFileSync(indexPath(diffId));
      } catch {
        return undefined;
      }
      return parseIndex(bytes, contentOf);
    },

    begin(contentOf: (path: BytePath) => FileContent, need: LayerNeed): Parts {
      const builder: IndexBuilder = createIndexBuilder(contentOf);
      const folder = need === 'folder' ? newFolder() : null;
      return {
        taps: [createTarReader(folder === null ? builder : together([builder, unpackInto(folder)]))],
        async keep(diffId) {
          const index = builder.index();
          const temporary = join(workFolder, `index-${made++}`);
          try {
            writeFileSync(temporary, serializeIndex(index));
            if (folder !== null) writeFileSync(sizeFile(folder), String(unpackedBytes(index)));
            await use.enter(() => {
              renameSync(temporary, indexPath(diffId));
              if (folder !== null) moveFolder(folder, folderOf(diffId));
            });
            // Somebody else's came first.
            if (folder !== null) await removeTree(folder);
          } catch (cause) {
            rmSync(temporary, { force: true });
            throw notStored(cacheFolder, cause as Error);
          }
          return index;
        },
        async discard() {
          if (folder === null) return;
          await removeTree(folder);
          rmSync(sizeFile(folder), { force: true });
        },
      };
    },

    beginPlace(): { readonly folder: string; readonly taps: readonly TarTap[]; index(): LayerIndex } {
      const folder = newFolder();
      const builder = createIndexBuilder((path) => ({ at: 'host', path: hostPath(folder, path) }));
      return { folder, taps: [createTarReader(together([builder, unpackInto(folder)]))], index: () => builder.index() };
    },
  };
}

function notStored(cacheFolder: string, cause: NodeJS.ErrnoException): TsbuildError {
  return new TsbuildError('STORE_FAILED', `cannot keep a layer in ${cacheFolder}: ${cause.message}`, {
    cause,
  });
}

/** Leaves `from` where it is when `to` is there already. */
function moveFolder(from: string, to: string): void {
  renameSync(sizeFile(from), sizeFile(to));
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}
