/** The layers of a cache folder, in the form that whoever runs this can use. Beside wire.ts, because builds are not alone in needing them. */
import { statfsSync } from 'node:fs';
import { hasSysAdmin, overlayStyle } from '../backend/namespaces/process-status.ts';
import { type CacheUse, cacheUse } from '../blob/cache-use.ts';
import { type DiskStore, diskStore } from '../blob/disk-store.ts';
import { type DeviceMarks, deviceMarks } from '../layer/device-marks.ts';
import type { Owners } from '../layer/unpack-meta.ts';
import type { CacheFolders } from '../unpacked/cache-folder.ts';
import { deviceKey } from '../unpacked/device-key.ts';
import { folderLibrary } from '../unpacked/folder-library.ts';
import type { LayerLibrary } from '../unpacked/layer-library.ts';
import type { WorkFolder } from '../unpacked/work-folder.ts';

export interface LayersPlace {
  readonly cacheFolder: string;
  readonly folders: CacheFolders;
  readonly work: WorkFolder;
}

export interface OpenLayers {
  readonly use: CacheUse;
  readonly store: DiskStore;
  readonly layers: LayerLibrary;
  /** Undefined where devices are made as they are. */
  readonly devices: DeviceMarks | undefined;
  readonly owners: Owners;
  /** `none`: nobody here mounts overlays of unpacked layers. */
  readonly style: 'trusted' | 'user' | 'none';
}

/** `wrapped`: the store that the layers are read from and kept in, given the folder's own. */
export function openLayers({ cacheFolder, folders, work }: LayersPlace, wrapped = (store: DiskStore): DiskStore => store): OpenLayers {
  const use = cacheUse(cacheFolder, work.startedMs);
  const store = wrapped(diskStore(cacheFolder, work.path, use));
  const style = layerStyle(folders.layers);
  // Root makes device nodes itself.
  const devices = style === 'user' ? deviceMarks(deviceKey(folders.layers, work.path)) : undefined;
  const owners = isRoot() ? 'apply' : 'skip';
  const layers = folderLibrary({ cacheFolder, workFolder: work.path, store, style, owners, devices, use });
  return { use, store, layers, devices, owners, style };
}

/** statfs(2) magic; an overlay takes no whiteouts. */
const OVERLAYFS = 0x794c7630;

/** In what form layers are unpacked. Where nobody can mount an overlay, the kernel makes no marks of overlays either. */
function layerStyle(folder: string): 'trusted' | 'user' | 'none' {
  return hasSysAdmin() && statfsSync(folder).type !== OVERLAYFS ? overlayStyle() : 'none';
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
