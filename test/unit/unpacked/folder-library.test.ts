import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DiskStore, diskStore } from '../../../src/blob/disk-store.ts';
import { hexOf } from '../../../src/image/digest.ts';
import type { FileContent, LayerEntry } from '../../../src/layer/entry.ts';
import type { LayerMaterial } from '../../../src/layer/layer-material.ts';
import { folderLibrary } from '../../../src/unpacked/folder-library.ts';
import type { LayerLibrary } from '../../../src/unpacked/layer-library.ts';
import { bundle, bundleFolder } from '../../contract/backend-bundle.ts';
import { runProgram } from '../../helpers/child-program.ts';
import { put, putDir } from '../../helpers/fake-ports.ts';
import { type TestLayer, testLayer } from '../../helpers/test-image.ts';

const { signal } = new AbortController();
const owners = process.getuid?.() === 0 ? 'apply' : 'skip';
let root: string;
let cacheFolder: string;
let workFolder: string;
let store: DiskStore;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
  cacheFolder = join(root, 'cache');
  workFolder = join(cacheFolder, 'work');
  mkdirSync(workFolder, { recursive: true });
  store = diskStore(join(cacheFolder, 'blobs'), workFolder);
});
// Not rmSync: tests make names that are not UTF-8.
afterEach(() => void execFileSync('rm', ['-rf', root]));

const library = (): LayerLibrary => folderLibrary({ cacheFolder, workFolder, style: 'user', owners, store });
const indexOf = (layer: TestLayer): string => join(cacheFolder, 'indexes', hexOf(layer.diffId));
const folderOf = (layer: TestLayer): string => join(cacheFolder, 'layers', 'user', hexOf(layer.diffId));
const working = (): readonly string[] => readdirSync(workFolder);

async function textOf(material: LayerMaterial, path: string): Promise<string> {
  const node = material.index.puts.get(path)?.node;
  if (node?.type !== 'file') throw new Error(`${path} is no file`);
  const read = async (content: FileContent): Promise<string> =>
    content.at === 'memory'
      ? Buffer.from(content.bytes).toString()
      : content.at === 'host'
        ? readFileSync(content.path, 'utf8')
        : read(await content.locate(signal));
  return read(node.content);
}

/** What its archive shows: names and contents. */
async function replayed(material: LayerMaterial): Promise<readonly [string, string][]> {
  const found: [string, string][] = [];
  const content = (bytes: Buffer): void => {
    const last = found.at(-1);
    if (last !== undefined) last[1] += bytes.toString();
  };
  await material.replay({ member: ({ name }) => found.push([name, '']), content, hole: () => undefined }, signal);
  return found;
}

describe('a layer that exists', () => {
  test('is read once for many who ask for its index', async () => {
    const layer = await testLayer({ text: 'hello' });
    const layers = library();
    const materials = await Promise.all([1, 2, 3].map(() => layers.material(layer, 'index', signal)));
    expect(layer.opened).toBe(1);
    expect(new Set(materials.map(({ index }) => index)).size).toBe(1);
    expect(existsSync(folderOf(layer))).toBe(false);
  });

  test('is read once for many who ask for its folder, and its index comes along', async () => {
    const layer = await testLayer({ text: 'hello' });
    const layers = library();
    const materials = await Promise.all([1, 2, 3].map(() => layers.material(layer, 'folder', signal)));
    const folders = await Promise.all(materials.map((material) => material.folder(signal)));
    expect(layer.opened).toBe(1);
    expect(new Set(folders)).toEqual(new Set([folderOf(layer)]));
    expect(readFileSync(join(folderOf(layer), 'file'), 'utf8')).toBe('hello');
    expect(existsSync(indexOf(layer))).toBe(true);
    expect(working()).toEqual([]);
  });

  test('is decompressed once for one who needs its index and then its archive, of which nothing is left', async () => {
    const layer = await testLayer({ text: 'hello' });
    const material = await library().material(layer, 'archive', signal);
    expect(await replayed(material)).toEqual([['file', 'hello']]);
    expect(layer.opened).toBe(1);
    await vi.waitFor(() => expect(working()).toEqual([]));
    expect(await replayed(material)).toEqual([['file', 'hello']]);
    expect(layer.opened).toBe(2);
  });

  test('is refused when its archive was changed before it was laid', async () => {
    const layer = await testLayer({ text: 'hello' });
    const material = await library().material(layer, 'archive', signal);
    const [archive] = working();
    writeFileSync(join(workFolder, archive as string), 'x', { flag: 'r+' });
    await expect(replayed(material)).rejects.toMatchObject({ code: expect.stringMatching(/^(?:BLOB_DIGEST_MISMATCH|LAYER_INVALID)$/) });
  });

  test('is read once for one who needs its folder and another who needs its index meanwhile', async () => {
    const layer = await testLayer();
    const layers = library();
    await Promise.all([layers.material(layer, 'folder', signal), layers.material(layer, 'index', signal)]);
    expect(layer.opened).toBe(1);
  });

  test('is not opened again by a later build, whether it needs the index or the folder', async () => {
    const layer = await testLayer({ text: 'hello' });
    await library().material(layer, 'folder', signal);
    const later = library();
    const material = await later.material(layer, 'folder', signal);
    await library().material(layer, 'index', signal);
    expect(layer.opened).toBe(1);
    expect(await textOf(material, 'file')).toBe('hello');
  });

  test('is opened a second time, and no third, when its folder is needed after its index', async () => {
    const layer = await testLayer({ text: 'hello' });
    const layers = library();
    const material = await layers.material(layer, 'index', signal);
    expect(layer.opened).toBe(1);
    expect(await material.folder(signal)).toBe(folderOf(layer));
    expect(await textOf(material, 'file')).toBe('hello');
    expect(layer.opened).toBe(2);
  });

  test('is read anew when its index was damaged on the disk', async () => {
    const layer = await testLayer({ text: 'hello' });
    await library().material(layer, 'index', signal);
    writeFileSync(indexOf(layer), readFileSync(indexOf(layer)).subarray(0, 40));
    const material = await library().material(layer, 'index', signal);
    expect(layer.opened).toBe(2);
    expect(await textOf(material, 'file')).toBe('hello');
  });

  test('of an unknown media type is IMAGE_INVALID and not opened', async () => {
    const layer = await testLayer();
    const strange = {
      ...layer,
      descriptor: { ...layer.descriptor, mediaType: 'application/x' },
      open: () => Promise.reject(new Error('opened')),
    };
    await expect(library().material(strange, 'index', signal)).rejects.toMatchObject({ code: 'IMAGE_INVALID' });
  });
});

describe('a layer that cannot be read', () => {
  const breaking = (layer: TestLayer): Readable =>
    Readable.from(
      (function* () {
        yield layer.bytes.subarray(0, layer.bytes.length / 2);
        throw new Error('the line is dead');
      })(),
    );

  test.each(['index', 'folder'] as const)('leaves nothing when its stream breaks: %s', async (need) => {
    const layer = await testLayer({ bytes: 100_000 });
    const layers = library();
    const broken = { ...layer, open: () => Promise.resolve(breaking(layer)) };
    await expect(layers.material(broken, need, signal)).rejects.toThrow();
    expect(existsSync(indexOf(layer))).toBe(false);
    expect(existsSync(folderOf(layer))).toBe(false);
    expect(working()).toEqual([]);
    // The failure is not remembered.
    await layers.material(layer, need, signal);
    expect(existsSync(indexOf(layer))).toBe(true);
  });

  test.each(['index', 'folder'] as const)('leaves nothing when its content is not what the config says: %s', async (need) => {
    const layer = await testLayer({ text: 'good' });
    const other = await testLayer({ text: 'evil' });
    const wrong = { ...layer, open: () => other.open(signal) };
    await expect(library().material(wrong, need, signal)).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH' });
    expect(readdirSync(join(cacheFolder, 'indexes'))).toEqual([]);
    expect(readdirSync(join(cacheFolder, 'layers', 'user'))).toEqual([]);
    expect(working()).toEqual([]);
  });

  test('leaves nothing when the build is aborted in the middle', async () => {
    const layer = await testLayer();
    const controller = new AbortController();
    const reason = new Error('enough');
    const endless = {
      ...layer,
      open: () =>
        Promise.resolve(
          Readable.from(
            (async function* () {
              yield layer.bytes.subarray(0, 100);
              controller.abort(reason);
              await new Promise((resolve) => setTimeout(resolve, 10));
              yield layer.bytes.subarray(100);
            })(),
          ),
        ),
    };
    await expect(library().material(endless, 'folder', controller.signal)).rejects.toBe(reason);
    expect(existsSync(folderOf(layer))).toBe(false);
    expect(working()).toEqual([]);
  });

  test('does not fail one who asks for its folder after another’s failure with its index', async () => {
    const layer = await testLayer();
    const layers = library();
    let first = true;
    const flaky = {
      ...layer,
      open: () => {
        if (!first) return layer.open(signal);
        first = false;
        return Promise.resolve(breaking(layer));
      },
    };
    const results = await Promise.allSettled([layers.material(flaky, 'index', signal), layers.material(flaky, 'folder', signal)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  test('is STORE_FAILED when it cannot be kept', async () => {
    const layer = await testLayer();
    const layers = library();
    mkdirSync(join(indexOf(layer), 'in the way'), { recursive: true });
    await expect(layers.material(layer, 'folder', signal)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(working()).toEqual([]);
  });
});

describe('a new layer', () => {
  const entries: readonly LayerEntry[] = [putDir('d'), put('d/f', 'text'), put('\xff', 'bytes')];

  async function sealed(layers: LayerLibrary, how: Parameters<LayerLibrary['seal']>[1]) {
    const seal = layers.seal(entries, how, signal);
    return { layer: await seal.layer, material: await seal.kept };
  }

  test('can be looked at before it is sealed, where its entries lead', async () => {
    const { layer, material } = library().seal(entries, { format: 'oci', need: 'index' }, signal);
    expect([...material.index.puts.keys()]).toEqual(['d', 'd/f', '\xff']);
    expect(await textOf(material, 'd/f')).toBe('text');
    expect(await material.diffId()).toBe((await layer).diffId);
    expect(readFileSync(join(await material.folder(signal), 'd', 'f'), 'utf8')).toBe('text');
  });

  test('can be read through its material, its folder and its blob, also by a later build', async () => {
    const { layer, material } = await sealed(library(), { format: 'oci', need: 'index' });
    expect([...material.index.puts.keys()]).toEqual(['d', 'd/f', '\xff']);
    expect(await textOf(material, 'd/f')).toBe('text');
    const folder = await material.folder(signal);
    expect(readFileSync(join(folder, 'd', 'f'), 'utf8')).toBe('text');
    expect(readFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff])]), 'utf8')).toBe('bytes');
    const later = await library().material(layer, 'folder', signal);
    expect(await textOf(later, '\xff')).toBe('bytes');
    const hash = createHash('sha256');
    for await (const chunk of await layer.open(signal)) hash.update(chunk as Buffer);
    expect(`sha256:${hash.digest('hex')}`).toBe(layer.descriptor.digest);
    expect(working()).toEqual([]);
  });

  test('that a RUN needs is unpacked while it is packed', async () => {
    const { layer, material } = await sealed(library(), { format: 'oci', need: 'folder' });
    expect(existsSync(join(cacheFolder, 'layers', 'user', hexOf(layer.diffId), 'd', 'f'))).toBe(true);
    // No blob is needed any more.
    rmSync(join(cacheFolder, 'blobs'), { recursive: true });
    expect(await textOf(material, 'd/f')).toBe('text');
  });

  test('may be made twice at once', async () => {
    const layers = library();
    const how = { format: 'oci', need: 'folder' } as const;
    const [one, two] = await Promise.all([sealed(layers, how), sealed(layers, how)]);
    expect(one.layer.diffId).toBe(two.layer.diffId);
    expect(await textOf(one.material, 'd/f')).toBe('text');
    expect(working()).toEqual([]);
  });

  test('whose making fails leaves nothing', async () => {
    const content = { at: 'deferred', locate: () => Promise.reject(new Error('no more')) } as const;
    const failing: LayerEntry = { ...put('z'), node: { type: 'file', size: 1, content } };
    const { layer, kept } = library().seal([...entries, failing], { format: 'oci', need: 'folder' }, signal);
    await expect(layer).rejects.toThrow('no more');
    await expect(kept).rejects.toThrow('no more');
    expect(working()).toEqual([]);
    expect(readdirSync(join(cacheFolder, 'layers', 'user'))).toEqual([]);
    expect(readdirSync(join(cacheFolder, 'indexes'))).toEqual([]);
  });

  test('has the media type of its image’s family', async () => {
    const { layer } = await sealed(library(), { format: 'docker', need: 'index' });
    expect(layer.descriptor.mediaType).toBe('application/vnd.docker.image.rootfs.diff.tar.gzip');
  });
});

describe('entries that are placed', () => {
  test('are a folder of this build and no layer', async () => {
    const placed = await library().place([putDir('d'), put('d/f', 'text')], signal);
    const folder = await placed.folder(signal);
    expect(folder.startsWith(`${workFolder}/`)).toBe(true);
    expect(readFileSync(join(folder, 'd/f'), 'utf8')).toBe('text');
    expect(await textOf(placed, 'd/f')).toBe('text');
    expect(existsSync(join(cacheFolder, 'blobs'))).toBe(false);
    expect(readdirSync(join(cacheFolder, 'indexes'))).toEqual([]);
  });

  test('get folders of their own each time', async () => {
    const layers = library();
    const placed = await Promise.all([layers.place([put('f')], signal), layers.place([put('f')], signal)]);
    const folders = await Promise.all(placed.map((one) => one.folder(signal)));
    expect(new Set(folders).size).toBe(2);
  });

  test('leave nothing when they fail', async () => {
    function* failing(): Generator<LayerEntry> {
      yield put('f');
      throw new Error('no more');
    }
    await expect(library().place(failing(), signal)).rejects.toThrow('no more');
    expect(working()).toEqual([]);
  });
});

test('kinds of overlay marks have folders of their own', async () => {
  const layer = await testLayer();
  const trusted = folderLibrary({ cacheFolder, workFolder, style: 'trusted', owners, store });
  const one = await (await trusted.material(layer, 'folder', signal)).folder(signal);
  const other = await (await library().material(layer, 'folder', signal)).folder(signal);
  expect(one).not.toBe(other);
});

test('two processes that read the same layers at the same time do each other no harm', async () => {
  const blobs = join(root, 'given');
  mkdirSync(blobs);
  const layers = await Promise.all(Array.from({ length: 8 }, () => testLayer({ bytes: 200_000 })));
  const paths = layers.map((layer, i) => {
    const path = join(blobs, String(i));
    writeFileSync(path, layer.bytes);
    return path;
  });
  const bundles = bundleFolder();
  try {
    const read = bundle(bundles, new URL('read-layers.ts', import.meta.url), 'read.mjs');
    const startAt = String(Date.now() + 600);
    const outputs = await Promise.all([1, 2, 3].map(() => runProgram(read, [cacheFolder, startAt, ...paths])));
    const told = outputs.map((output) => JSON.parse(output) as { readonly workFolder: string; readonly folders: readonly string[] });
    expect(new Set(told.map(({ folders }) => JSON.stringify(folders)))).toEqual(new Set([JSON.stringify(layers.map(folderOf))]));
    for (const { workFolder: own } of told) expect(readdirSync(own)).toEqual([]);
    for (const layer of layers) {
      expect(statSync(join(folderOf(layer), 'file')).size).toBe(200_000);
      const material = await library().material({ ...layer, open: () => Promise.reject(new Error('opened again')) }, 'folder', signal);
      expect([...material.index.puts.keys()]).toEqual(['file']);
    }
  } finally {
    rmSync(bundles, { recursive: true });
  }
});
