/**
 * Caches that are down, slow, closed or damaged: they may cost time, never the build and never the image. And what a cache saves
 * on a machine that has nothing: layers are mounted where they are wanted, and none is downloaded.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RegistryServerOptions } from '../../src/demo/registry-server.ts';
import { type CacheLab, type LabBuild, type LabInput, type LabProject, openCacheLab } from '../helpers/cache-lab.ts';
import { baseMissing } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { faultRegistry } from '../helpers/fault-registry.ts';
import { missing } from '../helpers/tools.ts';

/** A layer of 30 kB that do not shrink. */
const RANDOM = 'RUN head -c 30000 /dev/urandom >/random';
const INPUT: LabInput = {
  dockerfile: `FROM @base\nWORKDIR /w\nCOPY files /files\nRUN cat /files/* >/all\nRUN wc -c /all >/count\n`,
  files: { 'files/a': 'a'.repeat(1000), 'files/b': 'b'.repeat(1000) },
};
const MORE: LabInput = { ...INPUT, dockerfile: `${INPUT.dockerfile}RUN cat /count /all >/more\n` };

type Fault = NonNullable<RegistryServerOptions['intercept']>;

describeUnless(missing(['root']) ?? baseMissing('busybox'), 'a build whose cache has a fault', () => {
  let lab: CacheLab;
  let fault: Fault = () => undefined;
  let count = 0;
  beforeAll(async () => {
    lab = await openCacheLab({ intercept: (request) => fault(request) });
  });
  afterEach(() => {
    fault = () => undefined;
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  /** What a build without any cache makes of what has been settled. */
  async function expectImage({ image }: LabBuild, project: LabProject): Promise<void> {
    const fresh = await project.build('fresh', { cacheFolder: lab.folder('faults-fresh'), flags: ['--no-cache'] });
    expect([image.layers, image.config]).toEqual([fresh.image.layers, fresh.image.config]);
  }

  function statesOf({ steps }: LabBuild): string {
    return steps.map(({ state }) => state).join(' ');
  }

  async function newProject(
    input = INPUT,
  ): Promise<{ readonly project: LabProject; readonly cache: string; readonly flags: readonly string[] }> {
    const id = `f${++count}`;
    const project = lab.project(id);
    await project.settle(input);
    return { project, cache: `/v2/cache/${id}/`, flags: ['--cache', '--cache-repo', `${lab.registry.host}/cache/${id}`] };
  }

  /** A cache in the registry that a build has filled. */
  async function filled(input = INPUT): ReturnType<typeof newProject> {
    const made = await newProject(input);
    const first = await made.project.build('first', { cacheFolder: lab.folder('faults-first'), flags: made.flags });
    expect(first.warnings).toEqual([]);
    return made;
  }

  describe('of a registry', () => {
    const GARBAGE = '<html>Sign in</html>';
    const down: readonly (readonly [string, ReturnType<Fault>])[] = [
      ['that fails', { status: 500 }],
      ['that lets nobody in', { status: 403 }],
      ['that wants other credentials', { status: 401 }],
      ['that is no registry', { status: 200, headers: { 'content-type': 'text/html' }, body: GARBAGE }],
      ['that is not there', { status: 404 }],
    ];
    test.each(down)('%s: it ends well, with a warning that names the cache', async (_, answer) => {
      const { project, cache, flags } = await newProject();
      fault = ({ url }) => (url?.startsWith(cache) === true ? answer : undefined);
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(statesOf(built)).toBe('done done done done');
      expect(built.warnings.join('\n')).toContain(cache.slice('/v2/'.length, -1));
      await expectImage(built, project);
    });

    test('that nobody listens for: it ends well, with a warning that names the cache', async () => {
      const { project } = await newProject();
      const gone = await faultRegistry(() => undefined);
      await gone[Symbol.asyncDispose]();
      const flags = ['--cache', '--cache-repo', `${gone.host}/cache`, '--insecure-registry', gone.host];
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(built.warnings.join('\n')).toContain(`${gone.host}/cache`);
      await expectImage(built, project);
    });

    test('that never answers: it ends well after a while, with a warning that names the cache', async () => {
      const { project } = await newProject();
      await using silent = await faultRegistry(() => undefined);
      const flags = ['--cache', '--cache-repo', `${silent.host}/cache`, '--insecure-registry', silent.host];
      const began = performance.now();
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(performance.now() - began).toBeLessThan(40_000);
      expect(silent.seen.length).toBeGreaterThan(0);
      expect(built.warnings.join('\n')).toContain(`${silent.host}/cache`);
      await expectImage(built, project);
    });

    test('that may only be read: what it has is taken, and one warning says that nothing is added', async () => {
      const { project, cache, flags } = await filled();
      fault = ({ url, method }) => (url?.startsWith(cache) === true && method !== 'GET' && method !== 'HEAD' ? { status: 403 } : undefined);
      await project.settle(MORE);
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(statesOf(built)).toBe('cached cached cached cached done');
      expect(built.warnings).toHaveLength(1);
      await expectImage(built, project);
      const again = await project.build('again', { cacheFolder: lab.folder('faults'), flags: [...flags, '--no-push-cache'] });
      expect([statesOf(again), again.warnings]).toEqual(['cached cached cached cached done', []]);
    });

    const get = (cache: string, what: 'manifests' | 'blobs', request: IncomingMessage): boolean =>
      request.url?.startsWith(`${cache}${what}/`) === true && (request.method === 'GET' || request.method === 'HEAD');

    test('whose entries are garbage: all steps run, and a warning says so', async () => {
      const { project, cache, flags } = await filled();
      fault = (request) => (get(cache, 'manifests', request) ? { status: 200, body: GARBAGE } : undefined);
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(statesOf(built)).toBe('done done done done');
      expect(built.warnings).not.toEqual([]);
      await expectImage(built, project);
    });

    test('whose layers are gone: their steps run', async () => {
      const { project, cache, flags } = await filled();
      fault = (request) => (get(cache, 'blobs', request) ? { status: 404 } : undefined);
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(statesOf(built)).toBe('done done done done');
      await expectImage(built, project);
    });

    test.each([
      ['are gone when they are read', { status: 404 }],
      ['hold other bytes', { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: 'damaged' }],
      ['cannot be read', { status: 500 }],
    ] as const)('whose layers %s: the image is right, and a warning says so', async (_, answer) => {
      const { project, cache, flags } = await filled();
      // Its last step has to run, and needs the files of the others.
      await project.settle(MORE);
      fault = (request) => (request.method === 'GET' && get(cache, 'blobs', request) ? answer : undefined);
      const built = await project.build('built', { cacheFolder: lab.folder('faults'), flags });
      expect(built.warnings).not.toEqual([]);
      await expectImage(built, project);
    });
  });

  test('and has none: on a machine that has nothing, no layer is downloaded, and each is mounted into a new destination', async () => {
    const { project, cache, flags } = await filled({ ...INPUT, dockerfile: INPUT.dockerfile.replace('WORKDIR /w', RANDOM) });
    const from = lab.registry.requests.length;
    const repository = `elsewhere/f${count}`;
    const built = await project.build('t', { cacheFolder: lab.folder('faults-empty'), flags, repository });
    expect([statesOf(built), built.warnings]).toEqual(['cached cached cached cached', []]);
    const layers = built.image.layerDigests;
    expect(layers).toHaveLength(6);
    const requests = lab.registry.requests.slice(from);
    const last = requests.findIndex(({ method, path }) => method === 'PUT' && path === `/v2/${repository}/manifests/t`);
    // Behind that it is the test that reads.
    const ofLayers = requests.slice(0, last).filter(({ path }) => layers.some((digest) => decodeURIComponent(path).includes(digest)));
    expect(ofLayers.filter(({ method }) => method !== 'HEAD' && method !== 'POST')).toEqual([]);
    const mounts = ofLayers.filter(({ method, status }) => method === 'POST' && status === 201).map(({ path }) => decodeURIComponent(path));
    const source = cache.slice('/v2/'.length, -1);
    for (const [i, digest] of layers.entries()) {
      const origin = i < 2 ? 'bases' : source;
      expect(mounts.filter((path) => path.includes(`mount=${digest}`) && path.includes(`from=${origin}`))).toHaveLength(1);
    }
  });

  test('and has none: a build that caches answer is the very image of the build that filled them', async () => {
    const input = { ...INPUT, dockerfile: `${INPUT.dockerfile}LABEL a=b\nCMD ["x"]\n` };
    const { project, flags } = await newProject(input);
    const cacheFolder = lab.folder('faults-same');
    const first = await project.build('first', { cacheFolder, flags });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const here = await project.build('here', { cacheFolder });
    const elsewhere = await project.build('elsewhere', { cacheFolder: lab.folder('faults-same'), flags });
    expect([here.image.digest, elsewhere.image.digest]).toEqual([first.image.digest, first.image.digest]);
  });

  describe('of this machine', () => {
    /** Changes the bytes of files below a folder of the cache, and not their length. */
    function damage(cacheFolder: string, name: string): void {
      const files = readdirSync(join(cacheFolder, name), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      expect(files).not.toEqual([]);
      for (const { parentPath, name: file } of files) {
        const bytes = readFileSync(join(parentPath, file));
        writeFileSync(join(parentPath, file), bytes.fill(0x7a, bytes.length >> 1));
      }
    }

    test.each([
      ['whose records are damaged', (folder: string) => damage(folder, 'steps')],
      ['whose blobs are damaged', (folder: string) => damage(folder, 'blobs')],
      ['whose blobs are gone', (folder: string) => rmSync(join(folder, 'blobs'), { recursive: true })],
      ['whose unpacked layers are gone', (folder: string) => rmSync(join(folder, 'layers'), { recursive: true })],
    ])('%s: the image is right', async (_, harm) => {
      const { project } = await newProject();
      const cacheFolder = lab.folder('faults-here');
      await project.build('first', { cacheFolder });
      harm(cacheFolder);
      await project.settle(MORE);
      await expectImage(await project.build('built', { cacheFolder, repository: `moved/f${count}` }), project);
      const again = await project.build('again', { cacheFolder, repository: `moved-again/f${count}` });
      expect(statesOf(again)).toBe('cached cached cached cached cached');
      await expectImage(again, project);
    });
  });
});
