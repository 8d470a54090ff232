/** Indexes of layers with their unpacked folders, for whoever prunes or checks the cache folder. */
import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { type CachedThing, HEX_NAMES, namesIn, type Shelf } from '../blob/shelf.ts';
import { bytesOf, forFs, textOf } from '../bytes/byte-path.ts';
import { parseIndex } from '../layer/index-file.ts';
import type { LayerIndex } from '../layer/layer-index.ts';
import type { TreeEntry } from '../layer/tree.ts';
import { notedBytes, sizeFile } from './noted-size.ts';

/** One folder for each way of writing overlay marks. */
const STYLES = ['trusted', 'user', 'none'] as const;
const ENTRIES_PER_TURN = 512;

export function layerShelf(cacheFolder: string): Shelf {
  const indexPath = (name: string): string => join(cacheFolder, 'indexes', name);
  const folders = (name: string): readonly string[] => STYLES.map((style) => join(cacheFolder, 'layers', style, name));

  /** A folder without an index is of no use: it counts as made when it got its name. */
  const lastUsedMs = (name: string): number | null => {
    const index = lstatSync(indexPath(name), { throwIfNoEntry: false });
    if (index !== undefined) return index.mtimeMs;
    const made = folders(name).flatMap((folder) => lstatSync(folder, { throwIfNoEntry: false })?.ctimeMs ?? []);
    return made.length === 0 ? null : Math.max(...made);
  };

  return {
    kind: 'layer',
    lastUsedMs,
    useless: () => [],
    async list() {
      // Every build looks at all of them when it ends, so each costs as few calls as can be.
      const unpacked = new Map<string, string[]>();
      for (const name of namesIn(join(cacheFolder, 'indexes'))) if (HEX_NAMES.test(name)) unpacked.set(name, []);
      for (const folder of STYLES.map((style) => join(cacheFolder, 'layers', style))) {
        for (const name of namesIn(folder)) {
          if (HEX_NAMES.test(name)) unpacked.set(name, [...(unpacked.get(name) ?? []), `${folder}/${name}`]);
        }
      }
      const found: CachedThing[] = [];
      for (const [name, own] of unpacked) {
        const index = lstatSync(indexPath(name), { throwIfNoEntry: false });
        const usedMs = index?.mtimeMs ?? lastUsedMs(name);
        if (usedMs === null) continue;
        let bytes = index?.size ?? 0;
        for (const folder of own) bytes += await notedBytes(folder);
        found.push({ kind: 'layer', name, label: `sha256:${name}`, bytes, lastUsedMs: usedMs });
      }
      return found;
    },
    evict(name, to) {
      const into = join(to, `layer-${name}`);
      mkdirSync(into);
      // The index last: what a killed process leaves is still a thing.
      for (const [i, folder] of folders(name).entries()) {
        moveAway(sizeFile(folder), join(into, `${i}.size`));
        moveAway(folder, join(into, String(i)));
      }
      moveAway(indexPath(name), join(into, 'index'));
      return true;
    },
    async check(name, signal) {
      let bytes: Buffer;
      try {
        bytes = readFileSync(indexPath(name));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        return lastUsedMs(name) === null ? null : 'it has no index';
      }
      const index = parseIndex(bytes, () => ({ at: 'memory', bytes: new Uint8Array() }));
      if (index === undefined) return 'its index is damaged, or of another version of tsbuild';
      for (const folder of folders(name)) {
        const damage = await checkFolder(folder, index, signal);
        if (damage !== null) return damage;
      }
      return null;
    },
  };
}

function moveAway(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    if (code !== 'EACCES') throw error;
    // An ordinary user moves only folders that it may write to.
    chmodSync(from, 0o700);
    renameSync(from, to);
  }
}

/** What the index names has to be there, with its type and size. Owners, times and marks are not looked at: how they are kept differs. */
async function checkFolder(folder: string, { puts }: LayerIndex, signal: AbortSignal): Promise<string | null> {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return null;
  let seen = 0;
  for (const [path, entry] of puts) {
    if (++seen % ENTRIES_PER_TURN === 0) await setImmediate(undefined, { signal });
    const fault = faultOf(forFs(`${bytesOf(folder)}/${path}`), entry);
    if (fault !== null) return `of its unpacked files, /${textOf(path)} ${fault}`;
  }
  return null;
}

function faultOf(path: string | Buffer, { node }: TreeEntry): string | null {
  // Devices may be marks of devices, and fifos nothing at all.
  if (node.type !== 'file' && node.type !== 'dir' && node.type !== 'symlink') return null;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'is missing';
  if (node.type === 'dir') return stats.isDirectory() ? null : 'is no folder';
  if (node.type === 'symlink') {
    return stats.isSymbolicLink() && readlinkSync(path, { encoding: 'latin1' as BufferEncoding }) === node.target
      ? null
      : 'is another link';
  }
  if (!stats.isFile()) return 'is no file';
  return stats.size === node.size ? null : `has ${stats.size} bytes instead of ${node.size}`;
}
