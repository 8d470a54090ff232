import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BaseImage } from '../../../src/base-image/image-source.ts';
import type { Warmed } from '../../../src/build/warm.ts';
import type { CommandWorld, ExitKind } from '../../../src/cli/command-world.ts';
import type { WarmOptions } from '../../../src/cli/options.ts';
import { runCommand } from '../../../src/cli/run-command.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tsbuild-warm-'));
  writeFileSync(join(cwd, 'Dockerfile'), 'FROM base\n');
});
afterAll(() => rmSync(cwd, { recursive: true }));

interface Ran {
  readonly exit: ExitKind | number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly WarmOptions[];
}

async function run(argv: readonly string[], how: Partial<CommandWorld> = {}, warmed: readonly Warmed[] = []): Promise<Ran> {
  let [out, err] = ['', ''];
  const asked: WarmOptions[] = [];
  const never = (): Promise<never> => Promise.reject(new Error('must not be called'));
  const world: CommandWorld = {
    env: {},
    cwd,
    stdout: 'pipe',
    stderr: 'pipe',
    signal: new AbortController().signal,
    columns: 80,
    report: {
      write: (text) => {
        err += text;
      },
      size: () => null,
      now: () => new Date(0),
      clock: () => 0,
      readSource: () => null,
    },
    writeResult: (text) => {
      out += text;
    },
    runElsewhere: async () => null,
    runBuild: never,
    examine: never,
    openCache: never,
    async runWarm(options) {
      asked.push(options);
      return warmed;
    },
    ...how,
  };
  return { exit: await runCommand(['warm', ...argv], world), out, err, asked };
}

const there = (ref: string): Warmed => ({ ref, platform: AMD64, image: { ref, digest: digestOf(Buffer.from(ref)) } as BaseImage });
const missing = (ref: string): Warmed => ({ ref, platform: AMD64, error: new TsbuildError('REGISTRY_FAILED', 'gone', { hint: 'look' }) });

test('images are asked for in full, each once', async () => {
  const { exit, asked } = await run(['-i', 'debian', '--image=debian:latest', '--image', 'registry.example/a:1']);
  expect(exit).toBe('told');
  expect(asked).toMatchObject([
    {
      images: ['docker.io/library/debian:latest', 'registry.example/a:1'],
      platforms: [],
      dockerfile: null,
      cacheDir: null,
      fetch: 'what is missing',
      layers: 'packed',
    },
  ]);
});

test('flags that builds have mean the same; short names are those of Kaniko', async () => {
  const { asked } = await run([
    ...[
      '-d',
      'Dockerfile',
      '-c',
      'cache',
      '-f',
      '--build-arg=A=1',
      '--target=t',
      '--unpack',
      '--cache-ttl=6h',
      '--customPlatform=linux/arm64',
    ],
    ...['--insecure-pull', '--insecure-registry=h:1', '--registry-mirror=m', '--skip-tls-verify-pull', '--skip-tls-verify-registry=h:2'],
    ...['-v', 'debug', '--log-format=json'],
  ]);
  expect(asked).toMatchObject([
    {
      dockerfile: { label: 'Dockerfile', buildArgs: new Map([['A', '1']]), target: 't' },
      cacheDir: join(cwd, 'cache'),
      fetch: 'again',
      layers: 'unpacked',
      platforms: [{ os: 'linux', architecture: 'arm64' }],
      registry: {
        pull: { http: 'http-allowed', certificates: 'accept-any' },
        httpHosts: ['h:1'],
        unverifiedHosts: ['h:2'],
        mirrors: ['m'],
      },
      report: { verbosity: 'debug', progress: 'json' },
    },
  ]);
  expect(asked[0]?.dockerfile?.bytes.toString()).toBe('FROM base\n');
});

test('what is there goes to stdout with its digest', async () => {
  const { exit, out, err } = await run(['-i', 'a'], {}, [there('a'), there('b')]);
  expect([exit, out]).toEqual(['told', `a@${digestOf(Buffer.from('a'))}\nb@${digestOf(Buffer.from('b'))}\n`]);
  expect(err).toBe('2 images in the cache after 0.0 s\n');
});

test('what is not there is told of each image, and the others are told, too', async () => {
  const { exit, out, err } = await run(['-i', 'a'], {}, [missing('a'), there('b'), missing('c')]);
  expect([exit, out]).toEqual(['failed', `b@${digestOf(Buffer.from('b'))}\n`]);
  expect(err).toContain('a is not in the cache: gone');
  expect(err).toContain('c is not in the cache: gone');
});

test('of several platforms the one that failed is named', async () => {
  const { err } = await run(['-i', 'a', '--platform=linux/amd64,linux/arm64'], {}, [missing('a')]);
  expect(err).toContain('a for linux/amd64 is not in the cache: gone');
});

test('where another process does it, nothing is done here', async () => {
  expect(await run(['-i', 'a'], { runElsewhere: async () => 5 })).toMatchObject({ exit: 5, asked: [] });
});

test('an interrupt is one', async () => {
  const aborted = AbortSignal.abort();
  const { exit } = await run(['-i', 'a'], { signal: aborted, runWarm: () => Promise.reject(aborted.reason as Error) });
  expect(exit).toBe('cancelled');
});

test('--help has the flags by group', async () => {
  const { exit, out } = await run(['--help']);
  expect(exit).toBe('told');
  for (const text of ['Usage: tsbuild warm [flags]', 'Images:', '-i, --image', '-c, --cache-dir', 'Registries:', 'Exit codes:'])
    expect(out).toContain(text);
  expect(out).not.toContain('--destination');
});

describe('a wrong command line', () => {
  test.each([
    [[], 'there is nothing to fetch'],
    [['--image='], 'there is nothing to fetch'],
    [['debian'], 'unexpected argument "debian"'],
    [['-i', 'A'], '--image: "A" is not an image reference'],
    [['-i', 'a', '--target=t'], '--target is for a Dockerfile'],
    [['-i', 'a', '--build-arg=A=1'], '--build-arg is for a Dockerfile'],
    [['-i', 'a', '--cache-ttl=soon'], '--cache-ttl: '],
    [['-d', 'none'], 'the Dockerfile none cannot be read'],
    [['-d', 'https://x/Dockerfile'], 'not supported yet: --dockerfile https://x/Dockerfile'],
    [['-i', 'a', '--registry-map=a=b'], 'not supported yet: --registry-map'],
    [['-i', 'a', '--destination=b'], 'unknown flag --destination'],
    [['-i', 'a', '--platform=x'], '--platform'],
  ])('%j', async (argv, message) => {
    const { err, asked, exit } = await run(argv);
    expect([exit === 'usage' || exit === 'failed', asked]).toEqual([true, []]);
    expect(err).toContain(message);
  });
});
