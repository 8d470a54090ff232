import { expect, test } from 'vitest';
import type { PruneWish } from '../../../src/blob/prune.ts';
import type { CachedThing, ShelfKind } from '../../../src/blob/shelf.ts';
import type { CacheUpkeep, CommandWorld, DamagedThing, ExitKind } from '../../../src/cli/command-world.ts';
import { runCommand } from '../../../src/cli/run-command.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const THINGS: readonly CachedThing[] = [
  { kind: 'blob', name: 'ab', label: 'sha256:ab', bytes: 1_500_000, lastUsedMs: NOW - 1000 },
  { kind: 'mount', name: 'cd', label: 'go\u001b[31mbuild', bytes: 20, lastUsedMs: NOW },
];

interface Asked {
  readonly wish: PruneWish;
  readonly kinds: readonly ShelfKind[] | undefined;
}

interface Ran {
  readonly exit: ExitKind | number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly Asked[];
  readonly opened: readonly (string | null)[];
}

async function run(argv: readonly string[], damage: DamagedThing | null = null, elsewhere: number | null = null): Promise<Ran> {
  let [out, err, open] = ['', '', 0];
  const asked: Asked[] = [];
  const opened: (string | null)[] = [];
  const upkeep: CacheUpkeep = {
    path: '/cache',
    list: async () => THINGS,
    async prune(wish, kinds) {
      asked.push({ wish, kinds });
      return { evicted: THINGS.slice(0, 1), inUse: THINGS.slice(1), leftBytes: 20 };
    },
    async *verify() {
      for (const thing of THINGS) yield { thing, damage: thing.kind === 'blob' ? damage : null };
    },
    async [Symbol.asyncDispose]() {
      open--;
    },
  };
  const world: CommandWorld = {
    env: {},
    cwd: '/here',
    stdout: 'pipe',
    stderr: 'pipe',
    signal: new AbortController().signal,
    columns: 80,
    report: {
      write: (text) => {
        err += text;
      },
      size: () => null,
      now: () => new Date(NOW),
      clock: () => 0,
      readSource: () => null,
    },
    writeResult: (text) => {
      out += text;
    },
    runElsewhere: async () => elsewhere,
    runWarm: () => Promise.reject(new Error('nothing is fetched here')),
    runBuild: () => Promise.reject(new Error('must not be called')),
    examine: () => Promise.reject(new Error('must not be called')),
    async openCache(cacheDir) {
      opened.push(cacheDir);
      open++;
      return upkeep;
    },
  };
  const exit = await runCommand(['cache', ...argv], world);
  expect(open).toBe(0);
  return { exit, out, err, asked, opened };
}

test('ls is a table, the latest use first, with totals of each kind, and no control character', async () => {
  const { exit, out } = await run(['ls']);
  expect(exit).toBe('told');
  expect(out).toBe(
    [
      'KIND                      SIZE  LAST USE              NAME',
      'cache mount               20 B  2026-01-02T03:04:05Z  gobuild',
      'blob                    1.5 MB  2026-01-02T03:04:04Z  sha256:ab',
      '',
      'blob                    1.5 MB  in 1',
      'cache mount               20 B  in 1',
      'all                     1.5 MB  in /cache',
      '',
    ].join('\n'),
  );
});

test('ls --json has stable names', async () => {
  expect(JSON.parse((await run(['ls', '--json'])).out)).toEqual({
    folder: '/cache',
    count: 2,
    bytes: 1_500_020,
    things: [
      { kind: 'blob', name: 'sha256:ab', bytes: 1_500_000, lastUsed: '2026-01-02T03:04:04.000Z' },
      { kind: 'mount', name: 'go\u001b[31mbuild', bytes: 20, lastUsed: '2026-01-02T03:04:05.000Z' },
    ],
  });
});

const WITHOUT_MOUNTS = ['blob', 'layer', 'step', 'place', 'context'];

test.each<[argv: readonly string[], wish: PruneWish, kinds: readonly string[] | undefined]>([
  [['--all'], { kind: 'all' }, WITHOUT_MOUNTS],
  [['--all', '--mounts'], { kind: 'all' }, undefined],
  [['--older-than', '24h'], { kind: 'unused', sinceMs: NOW - 86_400_000 }, WITHOUT_MOUNTS],
  [['--max-size=1.5g'], { kind: 'size', maxBytes: 1_500_000_000 }, WITHOUT_MOUNTS],
  [['--max-size=0'], { kind: 'size', maxBytes: 0 }, WITHOUT_MOUNTS],
])('prune %j', async (argv, wish, kinds) => {
  const { exit, out, asked } = await run(['prune', ...argv]);
  expect(exit).toBe('told');
  expect(asked).toEqual([{ wish, kinds }]);
  expect(out).toBe('removed blob sha256:ab (1.5 MB)\nfreed 1.5 MB, 20 B left; a running build uses 1 thing (20 B)\n');
});

test('prune --json says what went and what is in use', async () => {
  expect(JSON.parse((await run(['prune', '--all', '--json'])).out)).toMatchObject({
    freedBytes: 1_500_000,
    leftBytes: 20,
    removed: [{ name: 'sha256:ab' }],
    inUse: [{ kind: 'mount' }],
  });
});

test.each<[argv: readonly string[], error: string]>([
  [[], 'tsbuild cache does not say what to do'],
  [['--json'], 'tsbuild cache does not say what to do'],
  [['prnue'], 'did you mean "tsbuild cache prune"?'],
  [['prune'], 'needs one of --all, --older-than and --max-size'],
  [['prune', '--all', '--max-size', '1g'], 'needs one of --all, --older-than and --max-size'],
  [['prune', '--older-than', 'yesterday'], '"yesterday" is not a duration'],
  [['prune', '--older-than', '-1h'], '"-1h" is not a duration'],
  [['prune', '--max-size', 'none'], '"none" is not a size'],
  [['ls', '--all'], 'unknown flag --all'],
  [['verify', 'everything'], 'unexpected argument "everything"'],
])('%j is a wrong command line', async (argv, error) => {
  const { exit, out, err, opened } = await run(argv);
  expect(exit).toBe('usage');
  expect(err).toContain(error);
  expect({ out, opened }).toEqual({ out: '', opened: [] });
});

test('verify ends well when all is sound', async () => {
  expect(await run(['verify'])).toMatchObject({ exit: 'told', out: '2 things checked, all sound\n' });
});

test.each<[DamagedThing['outcome'], string]>([
  ['evicted', 'removed'],
  ['in use', 'not removed: a running build may use it'],
  ['failed', 'it cannot be removed'],
])('verify fails when something was damaged, and says what became of it: %s', async (outcome, says) => {
  const damage = { why: 'torn', outcome };
  expect(await run(['verify'], damage)).toMatchObject({
    exit: 'failed',
    out: `damaged: blob sha256:ab: torn (${says})\n2 things checked, 1 damaged\n`,
  });
  const json: unknown = JSON.parse((await run(['verify', '--json'], damage)).out);
  expect(json).toMatchObject({ checked: 2, damaged: [{ kind: 'blob', why: 'torn', removed: outcome === 'evicted' }] });
});

test('each looks after the cache folder of the builds', async () => {
  expect((await run(['ls'])).opened).toEqual([null]);
  for (const argv of [['ls'], ['prune', '--all'], ['verify']])
    expect((await run([...argv, '--cache-dir', 'sub'])).opened).toEqual(['/here/sub']);
});

test('what another process has done is told by that one', async () => {
  expect(await run(['verify'], null, 1)).toMatchObject({ exit: 1, out: '', opened: [] });
});

test.each(['ls', 'prune', 'verify'])('%s --help lists its flags', async (action) => {
  const { exit, out } = await run([action, '--help']);
  expect(exit).toBe('told');
  expect(out).toMatch(/^ +--cache-dir <folder>/m);
  expect(out).toMatch(/Exit codes: 0/);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});

test('--help names what there is', async () => {
  for (const action of ['ls', 'prune', 'verify']) expect((await run(['--help'])).out).toContain(`tsbuild cache ${action}`);
});
