/** What docker-tar-sink and oci-layout-sink write, read by GNU tar, skopeo and umoci. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { assembleImage } from '../../../src/image/assemble.ts';
import { digestOf, hexOf } from '../../../src/image/digest.ts';
import { layerMediaType } from '../../../src/image/media-types.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { dockerTarSink } from '../../../src/output/docker-tar-sink.ts';
import { ociLayoutSink } from '../../../src/output/oci-layout-sink.ts';
import { testImage, testLayer } from '../../helpers/test-image.ts';
import { missing } from '../../helpers/tools.ts';

const never = new AbortController().signal;
const noSkopeo = missing(['skopeo']);
const noUmoci = missing(['umoci']);
const noZstd = missing(['zstd', 'skopeo']);
const because = (reason: string | undefined) => (reason === undefined ? '' : ` (skipped: ${reason})`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (program: string, ...args: string[]) => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

async function zstdLayer() {
  const layer = await testLayer();
  const tar = execFileSync('gzip', ['-dc'], { input: layer.bytes });
  const bytes = execFileSync('zstd', ['-qc'], { input: tar });
  const descriptor = { mediaType: layerMediaType('oci', 'zstd'), digest: digestOf(bytes), size: bytes.length };
  return { ...layer, descriptor, open: () => Promise.resolve(Readable.from([bytes], { objectMode: false })) };
}

async function plainLayer() {
  const layer = await testLayer({ name: 'plain' });
  const bytes = execFileSync('gzip', ['-dc'], { input: layer.bytes });
  const descriptor = { mediaType: layerMediaType('oci', 'none'), digest: digestOf(bytes), size: bytes.length };
  return { ...layer, descriptor, open: () => Promise.resolve(Readable.from([bytes], { objectMode: false })) };
}

const failing = async () => ({
  ...(await testLayer()),
  open: () =>
    Promise.resolve(
      new Readable({
        read() {
          this.destroy(new Error('source broke'));
        },
      }),
    ),
});

describe('the docker load archive', () => {
  const at = () => join(folder, 'new', 'image.tar');
  const references = [parseReference('debian:mine'), parseReference('reg.example:5000/a/b'), parseReference('debian:other')];

  test('holds config, layers, manifest.json and repositories', async () => {
    const [one, two] = [await testLayer(), await testLayer({ bytes: 200_000 })];
    const image = testImage([one, two, one]);
    const sink = dockerTarSink({ path: at(), references });
    await sink.check(never);
    const published = await sink.write([image], never);
    const { config, manifest } = assembleImage(image);
    expect(published).toEqual({ where: at(), digest: manifest.descriptor.digest });
    const [a, b] = [`${hexOf(one.descriptor.digest)}.tar.gz`, `${hexOf(two.descriptor.digest)}.tar.gz`];
    const configName = `${hexOf(config.descriptor.digest)}.json`;
    expect(run('tar', '-tf', at()).split('\n').filter(Boolean)).toEqual([configName, a, b, 'repositories', 'manifest.json']);
    expect(JSON.parse(run('tar', '-xOf', at(), 'manifest.json'))).toEqual([
      { Config: configName, RepoTags: ['debian:mine', 'reg.example:5000/a/b:latest', 'debian:other'], Layers: [a, b, a] },
    ]);
    const top = hexOf(one.descriptor.digest);
    expect(JSON.parse(run('tar', '-xOf', at(), 'repositories'))).toEqual({
      debian: { mine: top, other: top },
      'reg.example:5000/a/b': { latest: top },
    });
    expect(readdirSync(join(folder, 'new'))).toEqual(['image.tar']);
  });

  test.skipIf(noSkopeo !== undefined)(`is an image to skopeo, layers of all kinds${because(noSkopeo)}`, async () => {
    const image = testImage([await testLayer(), await plainLayer()]);
    await dockerTarSink({ path: at(), references }).check(never);
    await dockerTarSink({ path: at(), references }).write([image], never);
    run('skopeo', 'copy', `docker-archive:${at()}:debian:other`, `dir:${folder}/dir`);
    const copied = JSON.parse(readFileSync(join(folder, 'dir', 'manifest.json'), 'utf8')) as { config: { digest: string } };
    expect(copied.config.digest).toBe(assembleImage(image).config.descriptor.digest);
  });

  test.skipIf(noZstd !== undefined)(`may hold zstd layers${because(noZstd)}`, async () => {
    await dockerTarSink({ path: at(), references: [] }).check(never);
    await dockerTarSink({ path: at(), references: [] }).write([testImage([await zstdLayer()])], never);
    run('skopeo', 'copy', `docker-archive:${at()}`, `oci:${folder}/oci:x`);
  });

  test('is the same each time', async () => {
    const image = testImage([await testLayer()]);
    const digests: string[] = [];
    for (const name of ['one', 'two']) {
      await dockerTarSink({ path: join(folder, name), references }).write([image], never);
      digests.push(digestOf(readFileSync(join(folder, name))));
    }
    expect(digests[0]).toBe(digests[1]);
  });

  test('is not there, and leaves nothing, when a layer fails', async () => {
    writeFileSync(join(folder, 'image.tar'), 'old');
    const sink = dockerTarSink({ path: join(folder, 'image.tar'), references });
    await expect(sink.write([testImage([await testLayer(), await failing()])], never)).rejects.toThrow('source broke');
    expect(readdirSync(folder)).toEqual(['image.tar']);
    expect(readFileSync(join(folder, 'image.tar'), 'utf8')).toBe('old');
  });

  test('an abort ends the writing', async () => {
    const hanging = { ...(await testLayer()), open: () => Promise.resolve(new Readable({ read: () => undefined })) };
    const controller = new AbortController();
    const reason = new Error('stop');
    setTimeout(() => controller.abort(reason), 20);
    await expect(dockerTarSink({ path: join(folder, 'x'), references }).write([testImage([hanging])], controller.signal)).rejects.toBe(
      reason,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a path that cannot be a file fails the check', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(dockerTarSink({ path: folder, references }).check(never)).rejects.toMatchObject({ code: 'OUTPUT_FAILED' });
    await expect(dockerTarSink({ path: join(folder, 'file', 'x'), references }).check(never)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
    });
  });
});

describe('the OCI layout', () => {
  const at = () => join(folder, 'layout');
  const indexOf = () =>
    JSON.parse(readFileSync(join(at(), 'index.json'), 'utf8')) as { manifests: { digest: string; annotations?: Record<string, string> }[] };

  test.skipIf(noSkopeo !== undefined || noUmoci !== undefined)(
    `is an image to skopeo and umoci${because(noSkopeo ?? noUmoci)}`,
    async () => {
      const layers = [await testLayer({ name: 'one', text: '1' }), await testLayer({ name: 'two', text: '2' })];
      const image = testImage(layers);
      const sink = ociLayoutSink({ folder: at(), references: [parseReference('reg.example/app:v1')] });
      await sink.check(never);
      sink.offer(layers[0] as never, never);
      const published = await sink.write([image], never);
      const inspected = JSON.parse(run('skopeo', 'inspect', `oci:${at()}:v1`)) as { Digest: string; Labels: unknown };
      expect(inspected).toMatchObject({ Digest: published.digest, Labels: { a: '1', b: '2' } });
      run('umoci', 'unpack', '--rootless', '--image', `${at()}:v1`, join(folder, 'bundle'));
      expect(readFileSync(join(folder, 'bundle', 'rootfs', 'two'), 'utf8')).toBe('2');
      expect(layers[0]?.opened).toBe(1);
    },
  );

  test('keeps images of other names and replaces one of the same name', async () => {
    const images = [testImage([await testLayer()]), testImage([await testLayer()]), testImage([await testLayer()])] as const;
    const write = (image: (typeof images)[number], name: string) =>
      ociLayoutSink({ folder: at(), references: [parseReference(name)] }).write([image], never);
    await write(images[0], 'app:a');
    await write(images[1], 'app:b');
    const { digest } = await write(images[2], 'app:a');
    const index = indexOf();
    expect(index.manifests.map((m) => m.annotations?.['org.opencontainers.image.ref.name'])).toEqual(['b', 'a']);
    expect(index.manifests[1]?.digest).toBe(digest);
    expect(index.manifests[1]?.annotations?.['io.containerd.image.name']).toBe('docker.io/library/app:a');
  });

  test('holds an image without a name once', async () => {
    const image = testImage([await testLayer()]);
    await ociLayoutSink({ folder: at(), references: [] }).write([image], never);
    await ociLayoutSink({ folder: at(), references: [] }).write([image], never);
    expect(indexOf().manifests).toEqual([
      { ...assembleImage(image).manifest.descriptor, platform: { architecture: 'amd64', os: 'linux' } },
    ]);
  });

  test('shows nothing, and leaves no temporary file, when a layer fails', async () => {
    const sink = ociLayoutSink({ folder: at(), references: [] });
    const image = testImage([await testLayer(), await failing()]);
    sink.offer(image.layers[1] as never, never);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(sink.write([image], never)).rejects.toThrow('source broke');
    expect(existsSync(join(at(), 'index.json'))).toBe(false);
    expect(readdirSync(join(at(), 'blobs', 'sha256')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('replaces a blob that a killed build left damaged', async () => {
    const layer = await testLayer();
    await mkdir(join(at(), 'blobs', 'sha256'), { recursive: true });
    const path = join(at(), 'blobs', 'sha256', hexOf(layer.descriptor.digest));
    writeFileSync(path, Buffer.alloc(layer.descriptor.size));
    await ociLayoutSink({ folder: at(), references: [] }).write([testImage([layer])], never);
    expect(digestOf(readFileSync(path))).toBe(layer.descriptor.digest);
    expect(statSync(path).size).toBe(layer.descriptor.size);
  });

  test('a folder that holds something else fails the check', async () => {
    await mkdir(at());
    writeFileSync(join(at(), 'precious'), '');
    await expect(ociLayoutSink({ folder: at(), references: [] }).check(never)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
      message: expect.stringContaining('not an OCI image layout'),
    });
    await expect(ociLayoutSink({ folder: join(at(), 'precious'), references: [] }).check(never)).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
    });
  });
});

test('both, and no output at all, have the digest of a push', async () => {
  const image = testImage([await testLayer()], { format: 'docker' });
  const { digest } = assembleImage(image).manifest.descriptor;
  expect((await dockerTarSink({ path: join(folder, 'x'), references: [] }).write([image], never)).digest).toBe(digest);
  expect((await ociLayoutSink({ folder: join(folder, 'y'), references: [] }).write([image], never)).digest).toBe(digest);
});
