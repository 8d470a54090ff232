import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandWorld, Examine, ExitKind } from '../../../src/cli/command-world.ts';
import { parseMounts, storageFacts } from '../../../src/cli/doctor-storage.ts';
import { runCommand } from '../../../src/cli/run-command.ts';
import { credentialHosts } from '../../../src/registry/credential-hosts.ts';
import type { DoctorFacts } from '../../../src/report/doctor-facts.ts';
import { doctorText } from '../../../src/report/doctor-text.ts';

const FACTS: DoctorFacts = {
  isolation: 'chroot',
  rungs: [
    { name: 'namespaces', works: false, why: 'this root lacks CAP_SYS_ADMIN', hint: 'docker run --privileged' },
    { name: 'chroot', works: true },
    { name: 'proot', works: true },
  ],
  cacheFault: null,
  storage: [
    {
      use: 'work',
      folder: '/cache/work',
      place: 'volume',
      fileSystem: 'overlay',
      freeBytes: 1_500_000,
      freeInodes: null,
      overlay: { works: false, why: 'it is an overlay itself', hint: 'mount a volume' },
    },
  ],
  credentials: [
    { file: '/kaniko/.docker/config.json', state: 'used', why: null, hosts: ['registry.example'], helpers: ['ecr-login'] },
    {
      file: '/root/.docker/config.json',
      state: 'invalid',
      why: '/root/.docker/config.json is not a Docker config file',
      hosts: [],
      helpers: [],
    },
  ],
  system: {
    tsbuild: '1.2.3',
    node: 'v24.0.0',
    kernel: '6.1.0',
    architecture: 'x64',
    container: 'kubernetes',
    uid: 0,
    userNamespace: null,
    capabilities: ['chown'],
    withoutCapabilities: ['sys_admin'],
    seccomp: 'filter',
    noNewPrivileges: true,
    appArmor: null,
    cpus: 4,
    cpuLimit: 1.5,
    memoryBytes: 8_000_000_000,
    memoryLimitBytes: 512_000_000,
    git: null,
  },
};
const NONE: DoctorFacts = { ...FACTS, isolation: null, rungs: FACTS.rungs.slice(0, 1) };

interface Ran {
  readonly exit: ExitKind | number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly Parameters<Examine>[0][];
}

async function run(argv: readonly string[], facts = FACTS, elsewhere: number | null = null): Promise<Ran> {
  let [out, err] = ['', ''];
  const asked: Parameters<Examine>[0][] = [];
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
      now: () => new Date(0),
      clock: () => 0,
      readSource: () => null,
    },
    writeResult: (text) => {
      out += text;
    },
    runElsewhere: async () => elsewhere,
    runWarm: () => Promise.reject(new Error('nothing is fetched here')),
    runBuild: () => Promise.reject(new Error('must not be called')),
    openCache: () => Promise.reject(new Error('must not be called')),
    examine: async (request) => {
      asked.push(request);
      return facts;
    },
  };
  const exit = await runCommand(argv, world);
  return { exit, out, err, asked };
}

test('doctor tells which isolation a build takes, why others do not work and what would enable them', async () => {
  const { exit, out } = await run(['doctor']);
  expect(exit).toBe('told');
  expect(out).toBe(
    [
      'Isolations of RUN steps, as a build tries them',
      '  no namespaces    this root lacks CAP_SYS_ADMIN',
      '                   hint: docker run --privileged',
      '  ok chroot        works; a build takes this one',
      '  ok proot         works',
      '',
      'Storage',
      '  work          /cache/work: overlay, a volume, 1.5 MB free',
      '                it is an overlay itself',
      '',
      'Credentials of registries',
      '  ok /kaniko/.docker/config.json: registry.example; helpers: ecr-login',
      '  no /root/.docker/config.json is not a Docker config file',
      '',
      'Here',
      '  versions      tsbuild 1.2.3, Node v24.0.0, Linux 6.1.0, x64',
      '  container     kubernetes',
      '  user          uid 0',
      '  capabilities  chown',
      '  confinement   seccomp filters system calls, no_new_privs set, AppArmor off',
      '  CPUs          4, limit 1.5',
      '  memory        8.0 GB, limit 512.0 MB',
      '  git           not installed: ADD and --context of git repositories do not work',
      '',
    ].join('\n'),
  );
});

test('--json is the facts, whole', async () => {
  const { exit, out } = await run(['doctor', '--json']);
  expect([exit, JSON.parse(out)]).toEqual(['told', FACTS]);
});

test.each([
  ['no isolation works', NONE],
  ['the cache folder cannot be used', { ...FACTS, cacheFault: { why: 'cannot use /cache', hint: 'make room' } }],
])('where %s, doctor says so and fails', async (_, facts) => {
  for (const argv of [['doctor'], ['doctor', '--json']]) expect((await run(argv, facts)).exit).toBe('failed');
  expect((await run(['doctor'], facts)).out).toContain(facts.isolation === null ? 'None works' : 'no cache folder');
});

test("the cache folder that it looks at is a build's", async () => {
  expect((await run(['doctor'])).asked).toEqual([{ cacheDir: null }]);
  expect((await run(['doctor', '--cache-dir', 'sub'])).asked).toEqual([{ cacheDir: '/here/sub' }]);
});

test("where an ordinary user's builds run elsewhere, doctor does, and says nothing twice", async () => {
  expect(await run(['doctor'], FACTS, 1)).toEqual({ exit: 1, out: '', err: '', asked: [] });
});

test('colors are for terminals', () => {
  expect(doctorText(FACTS, 'color')).toContain('\x1b[32mok\x1b[0m chroot        works');
  expect(doctorText(FACTS, 'no-color')).not.toContain('\x1b');
});

test('control characters in what it found do not reach the terminal', () => {
  const [rung] = FACTS.rungs;
  const text = doctorText(
    { ...FACTS, rungs: [{ ...rung, name: 'namespaces', works: false, why: 'bad\x1b[2Jname', hint: 'x' }] },
    'no-color',
  );
  expect(text).toContain('badname');
});

test.each([
  [['docter'], 'unknown command "docter"', 'did you mean "tsbuild doctor"?'],
  [['.'], 'unknown command "."', 'its context is --context FOLDER'],
  [['doctor', 'x'], 'unexpected argument "x"', 'tsbuild doctor takes flags only'],
  [['doctor', '--jsno'], 'unknown flag --jsno', 'did you mean --json?'],
  [['doctor', '--json=2'], '--json is true or false', 'write --json'],
  [['--no-push', 'doctor'], 'unexpected argument "doctor"', 'write "tsbuild doctor"'],
])('%j is a wrong command line', async (argv, message, hint) => {
  const { exit, out, err } = await run(argv);
  expect([exit, out]).toEqual(['usage', '']);
  expect(err).toContain(message);
  expect(err).toContain(hint);
});

test('its help tells its flags and exit codes', async () => {
  const { exit, out, asked } = await run(['doctor', '--help']);
  expect([exit, asked]).toEqual(['told', []]);
  for (const text of ['Usage: tsbuild doctor [flags]', '--json', '--cache-dir', 'Exit codes']) expect(out).toContain(text);
});

test('a folder is on the last mount at the longest of the places above it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild doctor-'));
  try {
    const below = (...names: string[]): string => join(folder, ...names);
    for (const name of ['data', 'data/cache', 'database']) mkdirSync(below(name));
    const written = folder.replaceAll(' ', '\\040');
    const mounts = parseMounts(
      [
        '1 0 0:1 / / rw - overlay overlay rw',
        `2 1 0:2 / ${written}/data rw,relatime shared:1 - xfs /dev/a rw`,
        `3 1 0:2 / ${written}/data rw,relatime shared:1 - ext4 /dev/b rw`,
        '',
      ].join('\n'),
    );
    const placeOf = (name: string): unknown => {
      const { place, fileSystem } = storageFacts({
        use: 'cache',
        folder: below(name),
        overlay: { works: true },
        mounts,
        inContainer: true,
      });
      return [place, fileSystem];
    };
    expect(['data', 'data/cache', 'database'].map(placeOf)).toEqual([
      ['volume', 'ext4'],
      ['volume', 'ext4'],
      ['container', 'overlay'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('names of hosts with credentials are told, never the credentials', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-doctor-'));
  try {
    const file = join(folder, 'config.json');
    const auth = Buffer.from('user:hunter2').toString('base64');
    writeFileSync(
      file,
      JSON.stringify({
        auths: { 'https://index.docker.io/v1/': { auth }, 'b.example/team': { password: 'hunter2' } },
        credHelpers: { 'a.example': 'gcr' },
        credsStore: 'pass',
      }),
    );
    const found = await credentialHosts(file);
    expect(found).toEqual({ hosts: ['a.example', 'b.example/team', 'docker.io'], helpers: ['gcr', 'pass'] });
    writeFileSync(file, '{"auths": hunter2}');
    await expect(credentialHosts(file)).rejects.toThrow(/not JSON/);
    await expect(credentialHosts(file)).rejects.not.toThrow(/hunter2/);
    expect(await credentialHosts(join(folder, 'none'))).toBeNull();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
