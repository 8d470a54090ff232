/** `tsbuild warm` against a registry that remembers what it was asked, and builds from the cache folder that it filled. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { pushImage } from '../../src/demo/push-image.ts';
import { type RegistryServer, startRegistry } from '../../src/demo/registry-server.ts';
import { assembleImage } from '../../src/image/assemble.ts';
import { OCI_MANIFEST } from '../../src/image/media-types.ts';
import { hostPlatform } from '../../src/image/platform.ts';
import { execute, type Outcome, removeCache, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { testImage, testLayer } from '../helpers/test-image.ts';

let registry: RegistryServer;
/** Blobs that the registry says it has lost. */
let lost: RegExp | null = null;
let folder: string;
let cacheFolder: string;

const LAYERS: string[] = [];
const digests: Record<string, string> = {};

beforeAll(async () => {
  folder = scratchFolder('warm');
  registry = await startRegistry({
    intercept: ({ url = '' }) => (lost?.test(url) === true ? { status: 404, body: '{"errors":[]}' } : undefined),
  });
  for (const [name, files] of Object.entries({ base: ['a', 'b'], tools: ['tool'], more: ['more'] })) {
    const layers = await Promise.all(files.map((file) => testLayer({ name: file, bytes: 100_000 })));
    const OnBuild = name === 'tools' ? [`COPY --from=${registry.host}/more:1 /more /more`] : [];
    const image = testImage(layers, { config: { ...hostPlatform(process.arch), config: { OnBuild } } });
    const { manifest, config } = assembleImage(image);
    const made = {
      manifest: { mediaType: OCI_MANIFEST, bytes: Buffer.from(manifest.bytes) },
      blobs: [Buffer.from(config.bytes), ...layers.map(({ bytes }) => bytes)],
    };
    await pushImage(made, { host: registry.host, repository: name, tag: '1' });
    digests[name] = manifest.descriptor.digest;
    LAYERS.push(...layers.map(({ descriptor }) => descriptor.digest));
  }
  writeFileSync(
    join(folder, 'Dockerfile'),
    `FROM ${registry.host}/base:1 AS one\nCOPY Dockerfile /d\nFROM ${registry.host}/tools:1\nCOPY --from=one /a /a\n`,
  );
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  removeCache(folder);
});
let number = 0;
beforeEach(() => {
  lost = null;
  cacheFolder = join(folder, `cache-${number++}`);
});

const program = (argv: readonly string[]): Promise<Outcome> => execute([process.execPath, TSBUILD, ...argv]);
const warm = (...argv: readonly string[]): Promise<Outcome> => program(['warm', `--cache-dir=${cacheFolder}`, ...argv]);
const build = (): Promise<Outcome> => program([`--context=${folder}`, '--no-push', '--no-cache', `--cache-dir=${cacheFolder}`]);

/** What the registry was asked for while `work` went on: paths of blobs, and of manifests. */
async function asked<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly blobs: readonly string[]; readonly manifests: readonly string[] }> {
  const before = registry.requests.length;
  const result = await work();
  const paths = registry.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
  return {
    result,
    blobs: paths.filter((path) => path.includes('/blobs/')),
    manifests: paths.filter((path) => path.includes('/manifests/')),
  };
}

const reference = (name: string): string => `${registry.host}/${name}:1`;
const line = (name: string): string => `${reference(name)}@${digests[name]}\n`;

test('a build after it fetches no blob, and only looks tags up', async () => {
  const warmed = await asked(() => warm('--dockerfile', join(folder, 'Dockerfile')));
  expect(warmed.result.log).toContain('3 images in the cache');
  expect([warmed.result.code, warmed.result.stdout]).toEqual([0, line('base') + line('tools') + line('more')]);
  for (const digest of LAYERS) expect(warmed.blobs.filter((path) => path.endsWith(digest))).toHaveLength(1);
  const built = await asked(build);
  expect(built.result).toMatchObject({ code: 0 });
  expect(built.blobs).toEqual([]);
  expect(built.manifests.filter((path) => path.startsWith('GET'))).toEqual([]);
});

test('a build after it works while the registry has lost all blobs', async () => {
  expect((await warm(`--dockerfile=${join(folder, 'Dockerfile')}`)).code).toBe(0);
  lost = /\/blobs\//;
  expect(await build()).toMatchObject({ code: 0 });
});

test('--target fetches no more than that stage needs', async () => {
  expect((await warm(`--dockerfile=${join(folder, 'Dockerfile')}`, '--target=one')).stdout).toBe(line('base'));
});

test('a second time, nothing is fetched; with --force, all is', async () => {
  await warm('-i', reference('base'));
  const again = await asked(() => warm('-i', reference('base')));
  expect([again.result.code, again.result.stdout, again.blobs]).toEqual([0, line('base'), []]);
  const forced = await asked(() => warm('-i', reference('base'), '--force'));
  expect([forced.result.code, forced.blobs.length]).toEqual([0, 3]);
});

test('--force puts a sound blob in the place of a damaged one', async () => {
  await warm('-i', reference('base'));
  const blobs = join(cacheFolder, 'blobs', 'sha256');
  const [largest = ''] = readdirSync(blobs).sort((a, b) => readFileSync(join(blobs, b)).length - readFileSync(join(blobs, a)).length);
  const sound = readFileSync(join(blobs, largest));
  truncateSync(join(blobs, largest), 10);
  expect((await warm('-i', reference('base'), '-f')).code).toBe(0);
  expect(readFileSync(join(blobs, largest)).equals(sound)).toBe(true);
});

test('an image that cannot be fetched is named, and the others are there', async () => {
  const { code, stdout, log } = await warm('-i', reference('none'), '-i', reference('base'), '-i', reference('tools'));
  expect([code, stdout]).toEqual([1, line('base') + line('tools')]);
  expect(log).toContain(`${reference('none')} is not in the cache`);
  const again = await asked(() => warm('-i', reference('base'), '-i', reference('tools')));
  expect([again.result.code, again.blobs]).toEqual([0, []]);
});

test('an image whose layer is gone is named, and its other layers are kept', async () => {
  lost = new RegExp(LAYERS[1] ?? 'none');
  const { code, stdout, log } = await warm('-i', reference('base'));
  expect([code, stdout]).toEqual([1, '']);
  expect(log).toContain(`${reference('base')} is not in the cache`);
  lost = null;
  const again = await asked(() => warm('-i', reference('base')));
  expect([again.result.code, again.blobs.length]).toEqual([0, 1]);
});

describe('a Dockerfile at fault', () => {
  test('is told with its line, and nothing is fetched', async () => {
    writeFileSync(join(folder, 'Broken'), 'FROM $NOTHING\n');
    const { result, blobs } = await asked(() => warm('-i', reference('base'), '-d', join(folder, 'Broken')));
    expect([result.code, result.log]).toEqual([1, expect.stringContaining('Broken:1')]);
    expect(blobs).toEqual([]);
  });
});
