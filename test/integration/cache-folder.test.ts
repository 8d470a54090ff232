/**
 * The cache folder with several processes at once: two builds side by side on one folder, and a third process that prunes all it may,
 * round after round. And what `tsbuild cache` says and does of a folder that builds have filled.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, type Outcome, removeCache, runTsbuild, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { ociReader } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';

/** TSBUILD_TEST_ROUNDS=50 is what a change of holds or pruning has to pass. */
const ROUNDS = Number(process.env['TSBUILD_TEST_ROUNDS'] ?? 6);
const ROUND_MS = 60_000;

interface CacheList {
  readonly count: number;
  readonly bytes: number;
  readonly things: readonly { readonly kind: string; readonly name: string; readonly bytes: number; readonly lastUsed: string }[];
}

function unsoundBlobs(folder: string): readonly string[] {
  const blobs = join(folder, 'blobs', 'sha256');
  const digestOf = (name: string): string =>
    createHash('sha256')
      .update(readFileSync(join(blobs, name)))
      .digest('hex');
  return existsSync(blobs) ? readdirSync(blobs).filter((name) => digestOf(name) !== name) : [];
}

function tsbuildCache(cacheFolder: string, ...argv: readonly string[]): Promise<Outcome> {
  return execute([process.execPath, TSBUILD, 'cache', ...argv, '--cache-dir', cacheFolder]);
}

async function listed(cacheFolder: string): Promise<CacheList> {
  const { code, stdout, log } = await tsbuildCache(cacheFolder, 'ls', '--json');
  expect(code, log).toBe(0);
  return JSON.parse(stdout) as CacheList;
}

describeUnless(missing(['docker-registry', 'python3']) ?? baseMissing('busybox'), 'one cache folder', () => {
  let registry: DockerRegistry;
  let context = '';
  let cacheFolder = '';

  beforeAll(async () => {
    registry = await startDockerRegistry();
    await pushBase(registry.host, 'busybox');
    context = scratchFolder('context');
    cacheFolder = scratchFolder('cache');
    writeFileSync(join(context, 'file'), 'of the context\n', { mode: 0o644 });
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(context, { recursive: true, force: true });
    removeCache(cacheFolder);
  });

  const dockerfile = (name: string, ...steps: readonly string[]): string => {
    const path = join(context, name);
    writeFileSync(path, `FROM ${registry.host}/library/busybox\n${steps.join('\n')}\n`);
    return path;
  };
  const build = (file: string, to: string, ...flags: readonly string[]): Promise<Outcome> =>
    runTsbuild({ host: registry.host, staged: { folder: context, context, dockerfile: file }, to, cacheFolder, flags });

  test(
    `serves two builds while it is pruned of all that they do not use, ${ROUNDS} rounds`,
    async () => {
      let freed = 0;
      for (let round = 0; round < ROUNDS; round++) {
        // One build has steps that the other has, too, and that the round before may have left; the other steps are of this round.
        const steps = (own: string): readonly string[] => [
          'COPY file /copied',
          `RUN --mount=type=cache,target=/c date > /c/${own} && sleep 0.1 && cat /c/${own} && cat /copied > /same`,
          `RUN echo ${own} ${round} > /own && cat /same /copied >> /own`,
          'COPY file /last',
        ];
        let building = true;
        const prune = async (): Promise<void> => {
          while (building) {
            const { code, stdout, log } = await tsbuildCache(cacheFolder, 'prune', '--max-size', '1', '--mounts', '--json');
            expect(code, log).toBe(0);
            freed += (JSON.parse(stdout) as { freedBytes: number }).freedBytes;
          }
        };
        const pruning = prune();
        const names = ['one', 'two'];
        const built = Promise.all(names.map((own) => build(dockerfile(`Dockerfile.${own}`, ...steps(own)), `round/${own}:${round}`)));
        const outcomes = await built.finally(() => {
          building = false;
        });
        await pruning;
        for (const { code, log } of outcomes) expect(code, `round ${round}: ${log}`).toBe(0);
        expect(outcomes.map(({ log }) => log).join('')).not.toMatch(/warning/i);
        for (const own of names) {
          const { files } = await ociReader(registry.host).read(`round/${own}`, String(round));
          expect(files.get('/own')?.text).toBe(`${own} ${round}\nof the context\nof the context\n`);
          expect(files.get('/last')?.text).toBe('of the context\n');
        }
        expect(unsoundBlobs(cacheFolder)).toEqual([]);
      }
      // Or the rounds would say nothing.
      expect(freed).toBeGreaterThan(0);
      const verified = await tsbuildCache(cacheFolder, 'verify');
      expect(verified.code, verified.log).toBe(0);
    },
    ROUNDS * ROUND_MS,
  );

  test('is listed by kinds, pruned by age and size, and keeps cache mounts unless they are meant, too', async () => {
    const file = dockerfile('Dockerfile.kinds', 'RUN --mount=type=cache,id=of-a-test,target=/c echo text > /c/file && echo kinds > /kinds');
    expect((await build(file, 'kinds:t')).code).toBe(0);
    const { things, bytes, count } = await listed(cacheFolder);
    for (const kind of ['blob', 'layer', 'step', 'place', 'mount']) expect(things.map((thing) => thing.kind)).toContain(kind);
    expect(things.filter(({ kind }) => kind === 'mount').map(({ name }) => name)).toContain('of-a-test');
    expect(count).toBe(things.length);
    expect(bytes).toBe(things.reduce((sum, thing) => sum + thing.bytes, 0));
    const table = await tsbuildCache(cacheFolder, 'ls');
    expect(table.stdout).toMatch(/^KIND +SIZE +LAST USE +NAME\n(?:.*\n)*cache mount +[\d.]+ k?B +\S+Z +of-a-test\n/);

    expect((await tsbuildCache(cacheFolder, 'prune', '--older-than', '1h')).stdout).toMatch(/^freed 0 B, /);
    expect((await listed(cacheFolder)).count).toBe(count);
    expect((await tsbuildCache(cacheFolder, 'prune', '--all')).code).toBe(0);
    expect(new Set((await listed(cacheFolder)).things.map(({ kind }) => kind))).toEqual(new Set(['mount']));
    expect((await tsbuildCache(cacheFolder, 'prune', '--all', '--mounts')).code).toBe(0);
    expect((await listed(cacheFolder)).count).toBe(0);
    expect((await build(file, 'kinds:t')).code).toBe(0);
  });

  test('stays within its bound after each build, and the next build is none the worse for it', async () => {
    for (const own of ['a', 'b']) {
      const file = dockerfile(`Dockerfile.bound-${own}`, `RUN head -c 300000 /dev/urandom > /${own}`);
      const { code, log } = await build(file, `bound/${own}:t`, '--cache-max-size', '100k');
      expect(code, log).toBe(0);
      expect((await listed(cacheFolder)).bytes).toBeLessThanOrEqual(100_000);
    }
  });

  test('is verified: what is damaged is named, removed and made anew', async () => {
    const file = dockerfile('Dockerfile.verify', 'RUN echo verified > /verified');
    expect((await build(file, 'verify:t')).code).toBe(0);
    const { things } = await listed(cacheFolder);
    const first = (kind: string): string => things.find((thing) => thing.kind === kind)?.name.replace('sha256:', '') ?? '';
    const [blob, step, layer] = [first('blob'), first('step'), first('layer')];
    truncateSync(join(cacheFolder, 'blobs', 'sha256', blob), 10);
    writeFileSync(
      join(cacheFolder, 'steps', step),
      readFileSync(join(cacheFolder, 'steps', step), 'utf8').replace('"kind":"run"', '"kind":"RUN"'),
    );
    truncateSync(join(cacheFolder, 'indexes', layer), 50);
    const verified = await tsbuildCache(cacheFolder, 'verify', '--json');
    expect(verified.code, verified.log).toBe(1);
    const { damaged } = JSON.parse(verified.stdout) as { damaged: readonly { kind: string; name: string; removed: boolean }[] };
    expect(damaged.map(({ kind, name, removed }) => [kind, name.replace('sha256:', ''), removed])).toEqual([
      ['blob', blob, true],
      ['layer', layer, true],
      ['step', step, true],
    ]);
    expect((await tsbuildCache(cacheFolder, 'verify')).code).toBe(0);
    expect((await build(file, 'verify:t')).code).toBe(0);
  });
});
