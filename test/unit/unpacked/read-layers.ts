/** Layers read into a cache folder that other processes fill at the same time: `read.mjs cache-folder start-at blob...`. Writes their folders. */
import { createReadStream, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { diskStore } from '../../../src/blob/disk-store.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { layerMediaType } from '../../../src/image/media-types.ts';
import { folderLibrary } from '../../../src/unpacked/folder-library.ts';

const [, , cacheFolder = '', startAt = '', ...blobs] = process.argv;
mkdirSync(join(cacheFolder, 'work'), { recursive: true });
const workFolder = mkdtempSync(join(cacheFolder, 'work', 'build-'));
const store = diskStore(join(cacheFolder, 'blobs'), workFolder);
const library = folderLibrary({ cacheFolder, workFolder, style: 'user', owners: 'skip', store });
const { signal } = new AbortController();

// All begin at the same moment, or they would not meet.
await sleep(Number(startAt) - Date.now());
const folders = blobs.map(async (path) => {
  const bytes = readFileSync(path);
  const descriptor = { mediaType: layerMediaType('oci', 'gzip'), digest: digestOf(bytes), size: bytes.length };
  const layer = { descriptor, diffId: digestOf(gunzipSync(bytes)), open: () => Promise.resolve(createReadStream(path)) };
  const material = await library.material(layer, 'folder', signal);
  return material.folder(signal);
});
console.log(JSON.stringify({ workFolder, folders: await Promise.all(folders) }));
