/**
 * What a build leaves behind: nothing in its work folders and of its processes and mounts, however it ends, beside other builds
 * that go on. And where its files are when the user says so.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { execute, type Outcome, removeCache, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { missing } from '../helpers/tools.ts';

const lacking = missing(['docker-registry']) ?? baseMissing('busybox');

describeUnless(lacking, 'what a build leaves behind', () => {
  let registry: DockerRegistry;
  let top = '';
  let context = '';
  let cache = '';

  beforeAll(async () => {
    registry = await startDockerRegistry();
    await pushBase(registry.host, 'busybox');
  });
  afterAll(() => registry[Symbol.asyncDispose]());
  beforeEach(() => {
    top = scratchFolder('leftovers');
    context = join(top, 'context');
    cache = join(top, 'cache');
    mkdirSync(context);
  });
  afterEach(() => {
    removeCache(top);
    rmSync(top, { recursive: true, force: true });
  });

  function commandOf(dockerfile: string, flags: readonly string[]): readonly string[] {
    writeFileSync(join(context, 'Dockerfile'), dockerfile);
    const hosts = [`--registry-mirror=${registry.host}`, `--insecure-registry=${registry.host}`];
    return [process.execPath, TSBUILD, `--context=${context}`, ...hosts, '--no-push', '--progress=plain', ...flags];
  }
  const build = (dockerfile: string, flags: readonly string[] = [`--cache-dir=${cache}`], env = process.env): Promise<Outcome> =>
    execute(commandOf(dockerfile, flags), env);

  function remains(): readonly string[] {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    const lineOf = (pid: string): string => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
      } catch {
        // It has ended meanwhile.
        return '';
      }
    };
    return [...mounts.filter((line) => line.includes(top)), ...processes.map(lineOf).filter((line) => line.includes(top))];
  }

  test.each([
    ['good', 'FROM busybox\nRUN echo x > /x\nRUN echo y > /y\n', 0],
    ['failed', 'FROM busybox\nRUN echo x > /x && exit 3\n', 1],
    ['refused', 'FROM busybox\nCOPY none /\n', 1],
  ])('a %s build leaves its work folder empty, no process and no mount', async (_, dockerfile, code) => {
    const outcome = await build(dockerfile);
    expect([outcome.code, outcome.log]).toEqual([code, expect.any(String)]);
    expect(readdirSync(join(cache, 'work'))).toEqual([]);
    expect(remains()).toEqual([]);
  });

  test('a build that is killed is cleaned up after by the next one, and one that goes on is left alone', async () => {
    const start = (name: string) => {
      const [program = '', ...args] = commandOf(`FROM busybox\nRUN echo ${name} > /f && sleep 8 && grep ${name} /f\n`, [
        `--cache-dir=${cache}`,
      ]);
      const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      return { child, ended: once(child, 'close') as Promise<[number | null]>, log: () => log };
    };
    const work = (): readonly string[] => readdirSync(join(cache, 'work'));
    const killed = start('first');
    await vi.waitFor(() => expect(killed.log()).toContain('RUN echo first'), 60_000);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const [abandoned = ''] = work();
    expect(work()).toHaveLength(1);

    const running = start('second');
    await vi.waitFor(() => expect(running.log()).toContain('RUN echo second'), 60_000);
    expect(work()).not.toContain(abandoned);
    const beside = await build('FROM busybox\nRUN true\n');
    expect([beside.code, beside.log]).toEqual([0, expect.any(String)]);
    expect(work()).toHaveLength(1);
    expect([(await running.ended)[0], running.log()]).toEqual([0, expect.stringContaining('Built')]);
    expect(work()).toEqual([]);
    await sleep(100);
    expect(remains()).toEqual([]);
  });

  test('--tmp-dir takes what RUN writes and what ADD extracts, and is empty afterwards', async () => {
    const tmp = join(top, 'tmp/deep');
    const seen: string[] = [];
    const watching = setInterval(() => {
      if (existsSync(tmp)) seen.push(...readdirSync(tmp).flatMap((name) => readdirSync(join(tmp, name))));
    }, 20);
    try {
      const outcome = await build('FROM busybox\nRUN echo x > /x && sleep 1\n', [`--cache-dir=${cache}`, `--tmp-dir=${tmp}`]);
      expect([outcome.code, outcome.log]).toEqual([0, expect.any(String)]);
    } finally {
      clearInterval(watching);
    }
    expect(seen).toContain('rootfs');
    expect(readdirSync(tmp)).toEqual([]);
    expect(readdirSync(join(cache, 'work'))).toEqual([]);
  });

  test.skipIf(missing(['root']) !== undefined)('--tmp-dir has room for what RUN writes where the cache folder has none', async () => {
    const disk = join(top, 'disk');
    mkdirSync(disk);
    const within = (flags: readonly string[]): Promise<Outcome> => {
      const argv = commandOf('FROM busybox\nRUN dd if=/dev/zero of=/zeros bs=1M count=30\n', [`--cache-dir=${disk}/cache`, ...flags]);
      return execute(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o size=20m none "$0" && exec "$@"', disk, ...argv]);
    };
    expect((await within([])).code).toBe(1);
    const roomy = await within([`--tmp-dir=${join(top, 'tmp')}`]);
    expect([roomy.code, roomy.log]).toEqual([0, expect.any(String)]);
  });

  test('a home that cannot be written sends the cache to TMPDIR, and a warning says why', async () => {
    const tmp = join(top, 'tmp');
    mkdirSync(tmp, { mode: 0o1777 });
    writeFileSync(join(context, 'f'), 'f');
    const { XDG_CACHE_HOME: _, ...env } = process.env;
    const outcome = await build('FROM scratch\nCOPY f /\n', [], { ...env, HOME: '/sys', TMPDIR: tmp });
    expect([outcome.code, outcome.log]).toEqual([
      0,
      expect.stringMatching(/warning: the cache folder \/sys\/.cache\/tsbuild cannot be written/),
    ]);
    expect(readdirSync(tmp)).toEqual([expect.stringMatching(/^tsbuild-cache-\d+$/)]);
  });

  test('a --tmp-dir that cannot be used ends the build with its name', async () => {
    writeFileSync(join(top, 'file'), '');
    const outcome = await build('FROM scratch\n', [`--cache-dir=${cache}`, `--tmp-dir=${join(top, 'file')}`]);
    expect(outcome.code).toBe(1);
    expect(outcome.log).toContain(`cannot use ${join(top, 'file')} as a working folder`);
    expect(outcome.log).toContain('hint: choose a writable folder with --tmp-dir');
  });
});
