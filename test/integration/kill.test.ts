/**
 * `kill -9` of tsbuild at twenty seeded moments, from the pull to the push, by turns as root and as an ordinary user. Afterwards
 * nothing of the build runs or is mounted, what the cache folder holds is sound, and the next build with it succeeds.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeCache, runTsbuild, scratchFolder, type TsbuildRun, tsbuildCommand } from '../helpers/builds.ts';
import { baseMissing, baseTar, pushImage } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';
import { type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const KILLS = 20;
const SEED = Number(process.env['TSBUILD_TEST_SEED'] ?? 20_261_124);
/** In the command line of what RUN starts, so that survivors can be found. */
const MARK = `mark-${randomBytes(8).toString('hex')}`;

/** mulberry32: the same moments on every run with the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Processes that belong to a build: by the mark, or by an argument in its cache folder (others may list what /tmp holds). */
function survivors(cacheFolder: string): readonly string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      if (args.some((arg) => arg.startsWith(cacheFolder) || arg.includes(MARK))) found.push(`${pid} ${args.join(' ')}`);
    } catch {
      // It ended while the list was read.
    }
  }
  return found;
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(folder));
}

/** Files named by a digest that hold something else. */
function unsoundBlobs(folder: string): { checked: number; unsound: readonly string[] } {
  const blobs = join(folder, 'blobs', 'sha256');
  const names = existsSync(blobs) ? readdirSync(blobs) : [];
  const unsound = names.filter(
    (name) =>
      createHash('sha256')
        .update(readFileSync(join(blobs, name)))
        .digest('hex') !== name,
  );
  return { checked: names.length, unsound };
}

const ordinary = unprivilegedUser();
const lacking = missing(['docker-registry', 'python3']) ?? baseMissing('busybox');

describeUnless(lacking, 'kill -9', () => {
  let registry: DockerRegistry;
  let reader: OciReader;
  let context = '';
  const people: readonly (UnprivilegedUser | undefined)[] = typeof ordinary === 'string' ? [undefined] : [undefined, ordinary];
  const chance = random(SEED);
  const wholeMs = new Map<UnprivilegedUser | undefined, number>();

  beforeAll(async () => {
    registry = await startDockerRegistry();
    reader = ociReader(registry.host);
    context = scratchFolder('context');
    // Bytes that gzip cannot shrink make pulling, sealing and pushing last.
    writeFileSync(join(context, 'noise'), randomBytes(12 << 20), { mode: 0o644 });
    const layer = execFileSync(
      'tar',
      ['-cf', '-', '--owner=0', '--group=0', '--transform', 's,^noise$,old/noise,', '-C', context, 'noise'],
      {
        maxBuffer: 1 << 30,
      },
    );
    await pushImage({ host: registry.host, repository: 'library/base', tag: 'latest', tars: [readFileSync(baseTar('busybox')), layer] });
    const steps = ['COPY noise /noise', `RUN cat /noise > /copy && sh -c 'sleep 0.4; : ${MARK}' && rm -r /old`, 'RUN echo end > /end'];
    writeFileSync(join(context, 'Dockerfile'), `FROM base\n${steps.join('\n')}\n`, { mode: 0o644 });
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    rmSync(context, { recursive: true, force: true });
  });

  const runOf = (to: string, cacheFolder: string, user: UnprivilegedUser | undefined): TsbuildRun => ({
    host: registry.host,
    staged: { folder: context, context, dockerfile: join(context, 'Dockerfile') },
    to,
    cacheFolder,
    ...(user === undefined ? {} : { user }),
  });

  test('an undisturbed build tells how long the moments are spread', async () => {
    for (const user of people) {
      const cacheFolder = scratchFolder('kill', user);
      const begun = Date.now();
      const outcome = await runTsbuild(runOf(`whole/${user?.name ?? 'self'}:t`, cacheFolder, user));
      expect(outcome.code, outcome.log).toBe(0);
      wholeMs.set(user, Date.now() - begun);
      const { checked, unsound } = unsoundBlobs(cacheFolder);
      expect(checked).toBeGreaterThan(0);
      expect(unsound).toEqual([]);
      removeCache(cacheFolder);
    }
  });

  for (let i = 0; i < KILLS; i++) {
    const user = people[i % people.length];
    // One kill in each twentieth of the build's time.
    const share = (i + chance()) / KILLS;
    test(`after ${(share * 100).toFixed(1)} % of the time, ${user === undefined ? 'by whoever runs the tests' : 'by an ordinary user'}`, async () => {
      const cacheFolder = scratchFolder('kill', user);
      try {
        const [program = '', ...args] = tsbuildCommand(runOf(`killed/n${i}:t`, cacheFolder, user));
        const child = spawn(program, args, { stdio: 'ignore' });
        const ended = once(child, 'exit');
        await Promise.race([ended, sleep((wholeMs.get(user) ?? 0) * share)]);
        child.kill('SIGKILL');
        await ended;
        // The kernel ends them after the parent's end, not with it.
        await expect.poll(() => survivors(cacheFolder)).toEqual([]);
        expect(mountsBelow(cacheFolder)).toEqual([]);
        expect(unsoundBlobs(cacheFolder).unsound).toEqual([]);

        const outcome = await runTsbuild(runOf(`again/n${i}:t`, cacheFolder, user));
        expect(outcome.code, outcome.log).toBe(0);
        const image = await reader.read(`again/n${i}`, 't', 'own layers');
        expect(image.files.get('/end')?.text).toBe('end\n');
        expect(image.files.get('/copy')?.sha256).toBe(
          createHash('sha256')
            .update(readFileSync(join(context, 'noise')))
            .digest('hex'),
        );
        expect(image.files.has('/old')).toBe(false);
        expect(mountsBelow(cacheFolder)).toEqual([]);
        expect(survivors(cacheFolder)).toEqual([]);
        expect(unsoundBlobs(cacheFolder).unsound).toEqual([]);
      } finally {
        removeCache(cacheFolder);
      }
    });
  }
});
