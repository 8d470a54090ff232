import { mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FLAGS } from '../../../src/cli/flags.ts';
import { UNSUPPORTED_KANIKO_FLAGS } from '../../../src/cli/kaniko-flags.ts';
import type { BuildOptions } from '../../../src/cli/options.ts';
import { parseCommandLine } from '../../../src/cli/parse-command-line.ts';
import { readDockerfile } from '../../../src/cli/resolve-source.ts';
import { TsbuildErrors } from '../../../src/errors.ts';

let cwd: string;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tsbuild-cli-'));
  mkdirSync(join(cwd, 'ctx', 'sub'), { recursive: true });
  for (const file of ['Dockerfile', 'Other', 'ctx/Dockerfile', 'ctx/sub/Dockerfile', 'ctx/sub/prod', 'token'])
    writeFileSync(join(cwd, file), file.endsWith('Dockerfile') ? 'FROM scratch\n' : '');
  symlinkSync('loop', join(cwd, 'loop'));
});
afterAll(() => rmSync(cwd, { recursive: true }));

type Env = Readonly<Record<string, string>>;

function parse(argv: readonly string[], env: Env = {}): BuildOptions {
  const line = parseCommandLine(['--context=.', ...argv], { env, cwd, stderr: 'pipe' });
  if (line.asks !== 'build') throw new Error(`asks ${line.asks}`);
  return line.options;
}

/** `code message | hint` of each. */
function faults(argv: readonly string[], env: Env = {}): readonly string[] {
  try {
    parseCommandLine(argv, { env, cwd, stderr: 'pipe' });
  } catch (error) {
    if (error instanceof TsbuildErrors) return error.errors.map(({ code, message, hint }) => `${code} ${message} | ${hint ?? ''}`);
    throw error;
  }
  return [];
}

const fine = ['--context=.', '--no-push'];
const CONTEXT_HINT = 'write --build-context NAME=FOLDER, NAME=docker-image://REFERENCE or NAME=oci-layout://FOLDER:TAG';

test('with nothing but --no-push, everything has its default', () => {
  expect(parse(['--no-push'])).toEqual({
    source: {
      kind: 'folder',
      contextFolder: cwd,
      contextLabel: '.',
      dockerfilePath: join(cwd, 'Dockerfile'),
      dockerfileLabel: 'Dockerfile',
    },
    image: {
      target: null,
      buildArgs: new Map(),
      contexts: new Map(),
      labels: new Map(),
      date: null,
      platforms: [],
      layers: 'one for each step',
    },
    output: { destinations: [], push: 'never', tarPath: null, ociLayoutPath: null },
    resultFiles: { digestFile: null, imageNameWithDigestFile: null, imageNameTagWithDigestFile: null },
    registry: {
      push: { http: 'https-only', certificates: 'verify' },
      pull: { http: 'https-only', certificates: 'verify' },
      httpHosts: [],
      unverifiedHosts: [],
      mirrors: [],
    },
    execution: {
      isolation: 'auto',
      cacheDir: null,
      cacheMaxBytes: 20_000_000_000,
      tmpDir: null,
      secrets: [],
      ignorePaths: [],
      inPlace: { outsideContainer: 'refused', varRun: 'keep', afterwards: 'left' },
    },
    caches: { steps: 'reused', kinds: ['run', 'copy', 'workdir'], keyed: null, imports: [], exports: [], inline: 'not written' },
    report: { progress: 'plain', verbosity: 'info', color: 'no-color', timestamps: 'no-timestamps' },
  });
});

describe('each flag does what it says', () => {
  const D = 'registry.example/app:1';
  const cases: readonly (readonly [argv: readonly string[], area: keyof BuildOptions, expected: () => object])[] = [
    [['-c', 'ctx'], 'source', () => ({ contextFolder: join(cwd, 'ctx'), dockerfileLabel: 'ctx/Dockerfile', contextLabel: 'ctx' })],
    [['--context', 'dir://ctx'], 'source', () => ({ contextFolder: join(cwd, 'ctx'), contextLabel: 'ctx' })],
    [['-f', 'Other'], 'source', () => ({ dockerfilePath: join(cwd, 'Other') })],
    [['-c', 'ctx', '-f', 'Other'], 'source', () => ({ dockerfilePath: join(cwd, 'Other'), dockerfileLabel: 'Other' })],
    [
      ['-c', 'ctx', '--context-sub-path', 'sub', '-f', 'prod'],
      'source',
      () => ({ contextFolder: join(cwd, 'ctx/sub'), contextLabel: 'ctx/sub', dockerfilePath: join(cwd, 'ctx/sub/prod') }),
    ],
    [
      ['-c', 'git://h/a/b#refs/heads/x', '--git', 'branch=x', '--context-sub-path=s', '-f', '/Dockerfile'],
      'source',
      () => ({
        kind: 'git',
        repository: { remote: 'https://h/a/b', at: { kind: 'ref', name: 'refs/heads/x' }, subdir: 's', gitDir: 'drop', submodules: 'skip' },
        certificates: 'verify',
        login: null,
        dockerfile: { kind: 'in-context', path: 'Dockerfile' },
      }),
    ],
    [
      ['-c', 'git@h:a/b.git#v1:sub', '-f', 'x/../Other'],
      'source',
      () => ({
        kind: 'git',
        repository: { remote: 'git@h:a/b.git', at: { kind: 'ref', name: 'v1' }, subdir: 'sub', submodules: 'fetch' },
        dockerfile: { kind: 'in-context', path: 'Other' },
      }),
    ],
    [
      ['-c', 'tar://token', '--context-sub-path', './a/'],
      'source',
      () => ({ kind: 'archive', from: { kind: 'file', path: join(cwd, 'token') }, label: 'the archive token', subPath: 'a' }),
    ],
    [['-c', 'tar://stdin'], 'source', () => ({ kind: 'archive', from: { kind: 'stdin' }, subPath: '' })],
    [['--target', 'build'], 'image', () => ({ target: 'build' })],
    [['--target='], 'image', () => ({ target: null })],
    [
      ['--build-arg', 'A=1', '--build-arg=B=x=y', '--build-arg', 'C=', '--build-arg', 'A=2'],
      'image',
      () => ({ buildArgs: new Map(Object.entries({ A: '2', B: 'x=y', C: '' })) }),
    ],
    [['--build-arg', 'FROM_ENV', '--build-arg', 'UNSET'], 'image', () => ({ buildArgs: new Map([['FROM_ENV', 'value']]) })],
    [
      ['--build-context', 'one=dir://ctx', '--build-context', 'debian=docker-image://debian:13', '--build-context=one=ctx'],
      'image',
      () => ({
        contexts: new Map<string, object>([
          ['one', { kind: 'folder', folder: join(cwd, 'ctx'), label: 'ctx' }],
          ['debian', { kind: 'image', ref: 'docker.io/library/debian:13' }],
        ]),
      }),
    ],
    [['--label', 'a=1', '--label', 'a=2', '--label', 'b='], 'image', () => ({ labels: new Map(Object.entries({ a: '2', b: '' })) })],
    [['--platform', 'linux/aarch64'], 'image', () => ({ platforms: [{ os: 'linux', architecture: 'arm64' }] })],
    [['--custom-platform=linux/arm/v6'], 'image', () => ({ platforms: [{ os: 'linux', architecture: 'arm', variant: 'v6' }] })],
    [['--customPlatform', 'linux/amd64'], 'image', () => ({ platforms: [{ os: 'linux', architecture: 'amd64' }] })],
    [
      ['--platform', 'linux/arm64,linux/x86_64', '--platform=', '--platform=linux/amd64', '--platform=darwin/arm64'],
      'image',
      () => ({
        platforms: [
          { os: 'linux', architecture: 'arm64' },
          { os: 'linux', architecture: 'amd64' },
          { os: 'darwin', architecture: 'arm64' },
        ],
      }),
    ],
    [
      ['-d', 'app', '-d', 'docker.io/library/app:latest', '-d', D],
      'output',
      () => ({ destinations: ['docker.io/library/app:latest', D], push: 'to-destinations' }),
    ],
    [['-d', D, '--no-push'], 'output', () => ({ destinations: [D], push: 'never' })],
    [['-d', D, '--no-push=false'], 'output', () => ({ push: 'to-destinations' })],
    [['-d', D, '--tar-path', 'out.tar'], 'output', () => ({ tarPath: join(cwd, 'out.tar'), push: 'never' })],
    [['-d', D, '--tarPath=/abs.tar'], 'output', () => ({ tarPath: '/abs.tar', push: 'never' })],
    [['--no-push', '--oci-layout-path', 'layout'], 'output', () => ({ ociLayoutPath: join(cwd, 'layout') })],
    [['-d', D, '--oci-layout-path', 'layout'], 'output', () => ({ ociLayoutPath: join(cwd, 'layout'), push: 'to-destinations' })],
    [['--digest-file', 'd'], 'resultFiles', () => ({ digestFile: join(cwd, 'd') })],
    [['-d', D, '--image-name-with-digest-file', 'n'], 'resultFiles', () => ({ imageNameWithDigestFile: join(cwd, 'n') })],
    [['-d', D, '--image-name-tag-with-digest-file', 'n'], 'resultFiles', () => ({ imageNameTagWithDigestFile: join(cwd, 'n') })],
    [
      ['--insecure'],
      'registry',
      () => ({ push: { http: 'http-allowed', certificates: 'verify' }, pull: { http: 'https-only', certificates: 'verify' } }),
    ],
    [
      ['--insecure-pull'],
      'registry',
      () => ({ push: { http: 'https-only', certificates: 'verify' }, pull: { http: 'http-allowed', certificates: 'verify' } }),
    ],
    [['--skip-tls-verify'], 'registry', () => ({ push: { http: 'https-only', certificates: 'accept-any' } })],
    [['--skip-tls-verify-pull'], 'registry', () => ({ pull: { http: 'https-only', certificates: 'accept-any' } })],
    [['--insecure-registry', 'a:5000', '--insecure-registry=b'], 'registry', () => ({ httpHosts: ['a:5000', 'b'] })],
    [['--skip-tls-verify-registry', 'a'], 'registry', () => ({ unverifiedHosts: ['a'] })],
    [
      ['--registry-mirror', 'm.example', '--registry-mirror', 'n.example/path'],
      'registry',
      () => ({ mirrors: ['m.example', 'n.example/path'] }),
    ],
    [['--ignore-path', '/tmp/', '--ignore-path=/var//log/../lib'], 'execution', () => ({ ignorePaths: ['/tmp', '/var/lib'] })],
    [['--cache-dir', 'cache'], 'execution', () => ({ cacheDir: join(cwd, 'cache') })],
    [['--cache-max-size', '1.5GB'], 'execution', () => ({ cacheMaxBytes: 1_500_000_000 })],
    [['--cache-max-size=500m'], 'execution', () => ({ cacheMaxBytes: 500_000_000 })],
    [['--cache-max-size=4096'], 'execution', () => ({ cacheMaxBytes: 4096 })],
    [['--cache-max-size=0'], 'execution', () => ({ cacheMaxBytes: null })],
    [['--cache-max-size=none'], 'execution', () => ({ cacheMaxBytes: null })],
    [['--reproducible'], 'image', () => ({ date: new Date(0) })],
    [['--no-cache'], 'caches', () => ({ steps: 'run anew' })],
    [
      ['--cache', '--cache-repo', 'a/c', '--cache-ttl', '1h', '--no-push-cache'],
      'caches',
      () => ({ keyed: { place: { kind: 'registry', repository: 'docker.io/a/c' }, ttlMs: 3_600_000, access: 'read' } }),
    ],
    [['--cache-run-layers=false', '--cache-copy-layers=false', '--compressed-caching'], 'caches', () => ({ kinds: ['workdir'] })],
    [
      ['--cache-from', 'a/c', '--cache-to', 'type=local,dest=d'],
      'caches',
      () => ({ imports: [{ name: 'latest' }], exports: [{ folder: join(cwd, 'd') }] }),
    ],
    [['--cache-dir=c', '--tmp-dir', 't'], 'execution', () => ({ cacheDir: join(cwd, 'c'), tmpDir: join(cwd, 't') })],
    [['--isolation', 'namespaces'], 'execution', () => ({ isolation: 'namespaces' })],
    [['--secret', 'id=t,src=token'], 'execution', () => ({ secrets: [{ id: 't', from: { kind: 'file', path: join(cwd, 'token') } }] })],
    [['--secret', 'id=t,env=FROM_ENV'], 'execution', () => ({ secrets: [{ id: 't', from: { kind: 'env', name: 'FROM_ENV' } }] })],
    [['--progress', 'json'], 'report', () => ({ progress: 'json' })],
    [['-v', 'debug'], 'report', () => ({ verbosity: 'debug' })],
    [['--verbosity=panic'], 'report', () => ({ verbosity: 'error' })],
    [['--log-format', 'color'], 'report', () => ({ color: 'color' })],
    [['--log-timestamp'], 'report', () => ({ timestamps: 'timestamps' })],
    [['--single-snapshot'], 'image', () => ({ layers: 'one for each stage' })],
    [['--snapshot-mode=time', '--skip-unused-stages', '--use-new-run'], 'image', () => ({ layers: 'one for each step' })],
    [['--force', '--cleanup'], 'execution', () => ({ inPlace: { outsideContainer: 'allowed', varRun: 'keep', afterwards: 'cleared' } })],
    [['--pre-cleanup', '--cleanup=false'], 'execution', () => ({ inPlace: { outsideContainer: 'refused', afterwards: 'left' } })],
    [['--preserve-context', '--cleanup'], 'execution', () => ({ inPlace: { afterwards: 'as before' } })],
    [['--materialize'], 'execution', () => ({ inPlace: { afterwards: 'the image' } })],
    [['--ignore-var-run=false'], 'execution', () => ({ ignorePaths: [], inPlace: { varRun: 'keep mounts' } })],
    [['--whitelist-var-run'], 'execution', () => ({ ignorePaths: ['/var/run'], inPlace: { varRun: 'keep' } })],
  ];

  test.each(cases.map((row) => [row[0].join(' '), row] as const))('%s', (_, [argv, area, expected]) => {
    const push = argv.includes('-d') || argv.includes('--no-push') ? [] : ['--no-push'];
    expect(parse([...argv, ...push], { FROM_ENV: 'value' })[area]).toMatchObject(expected());
  });

  test('and no flag is without a case', () => {
    const shorts = new Map(FLAGS.flatMap((flag) => ('short' in flag ? [[flag.short as string, flag.name as string]] : [])));
    const used = cases.flatMap(([argv]) => argv).map((word) => shorts.get(/^-(\w)$/.exec(word)?.[1] ?? '') ?? /^--([^=]+)/.exec(word)?.[1]);
    expect(FLAGS.map(({ name }) => name).filter((name) => !used.includes(name))).toEqual([]);
  });
});

test.each([
  [['--materialize', '--cleanup'], '--materialize and --cleanup want different things of /'],
  [['--materialize', '--preserve-context'], '--materialize and --preserve-context want different things of /'],
  [['--materialize', '--isolation=chroot'], 'which isolation chroot does not use'],
  [['--materialize', '--platform=linux/amd64,linux/arm64'], 'images of several platforms'],
])('%s is refused', (argv, message) => {
  expect(() => parse([...argv, '--no-push'])).toThrow(message);
});

describe('SOURCE_DATE_EPOCH', () => {
  const dated = (SOURCE_DATE_EPOCH: string, ...flags: string[]): Date | null =>
    parse(['--no-push', ...flags], { SOURCE_DATE_EPOCH }).image.date;

  test('dates a reproducible image, and no other', () => {
    expect(dated('1700000000', '--reproducible')).toEqual(new Date(1_700_000_000_000));
    expect(dated('', '--reproducible')).toEqual(new Date(0));
    expect(dated('1700000000', '--reproducible=false')).toBeNull();
    expect(dated('1700000000')).toBeNull();
  });

  test.each(['yesterday', '-1', '1.5', '1e9', '253402300800'])('that is %s is refused', (text) => {
    expect(() => dated(text, '--reproducible')).toThrow('SOURCE_DATE_EPOCH is not a number of seconds since 1970');
  });
});

test('KANIKO_NO_PUSH and KANIKO_REGISTRY_MIRROR count as their flags, and a flag wins', () => {
  expect(parse([], { KANIKO_NO_PUSH: 'true' }).output.push).toBe('never');
  expect(parse(['-d', 'a/b', '--no-push=false'], { KANIKO_NO_PUSH: '1' }).output.push).toBe('to-destinations');
  expect(parse(['--no-push'], { KANIKO_REGISTRY_MIRROR: 'm.example' }).registry.mirrors).toEqual(['m.example']);
  expect(faults(fine, { KANIKO_REGISTRY_MAP: 'a=b' })).toEqual([
    'NOT_SUPPORTED not supported yet: the variable KANIKO_REGISTRY_MAP | unset KANIKO_REGISTRY_MAP',
  ]);
});

test('a git context takes a mounted Dockerfile by its absolute path, and its login from the environment', () => {
  const { source } = parse(['-c', 'https://h/b.git', '--no-push', '-f', join(cwd, 'Other')], { GIT_USERNAME: 'me', GIT_PASSWORD: 'pw' });
  expect(source).toMatchObject({
    login: { username: 'me', password: 'pw' },
    dockerfile: { kind: 'file', path: join(cwd, 'Other'), label: 'Other' },
  });
  expect(parse(['-c', 'ssh://h/b', '--no-push'], { GIT_TOKEN: 't', GIT_PASSWORD: 'pw' }).source).toMatchObject({
    login: { username: 't', password: '' },
  });
});

describe('a git context with faults is refused without its credentials', () => {
  const cases: readonly (readonly [argv: readonly string[], fault: string, env: Env])[] = [
    [['-c', 'git://u:pw@h/b#a#b#c'], 'USAGE --context: the context has more than two "#"', {}],
    [['-c', 'git://u:pw@h/b#..'], 'USAGE --context: ".." cannot be the name of a branch or a tag', {}],
    [['-c', 'git://-h/b'], 'USAGE --context: a git URL is malformed', {}],
    [['-c', 'git://u:pw@h/b?x=1'], 'USAGE --context: the query of a git URL has the unknown key "x"', {}],
    [['-c', 'https://u:pw@h/b.zip'], 'NOT_SUPPORTED not supported yet: --context https:// | the URL of a git repository ends in .git', {}],
    [['-c', 'git://h/b', '--git=branch=--upload-pack=x'], 'USAGE --context: "--upload-pack=x" cannot be the name of a branch or a tag', {}],
    [['-c', 'git://h/b', '--git=depth=no'], 'USAGE --context: --git depth is a number, not "no"', {}],
    [['-c', 'git://h/b', '--git=single-branch=2'], 'USAGE --context: --git single-branch is true or false, not "2"', {}],
    [
      ['-c', 'git://h/b', '--git=depth=5', '--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1'],
      'NOT_SUPPORTED --context: not supported yet: --git depth=5 for a .git that is kept',
      {},
    ],
    [['-c', 'git://h/b'], 'USAGE --context: the variable GIT_PULL_METHOD is http or https, not "ssh"', { GIT_PULL_METHOD: 'ssh' }],
    [['-c', 'git://h/b'], 'USAGE --context: GIT_TOKEN, GIT_USERNAME or GIT_PASSWORD holds a line break', { GIT_TOKEN: 'pw\n' }],
  ];
  test.each(cases)('%j', (argv, fault, env) => {
    const found = faults([...argv, '--no-push'], env);
    expect(found).toEqual([expect.stringContaining(fault)]);
    expect(found.join()).not.toContain('pw');
  });
});

test.each([[['--help']], [['-h', '--nonsense']], [['--destination', 'x', '--help']]])('%j asks for help', (argv) => {
  expect(parseCommandLine(argv, { env: {}, cwd, stderr: 'pipe' })).toEqual({ asks: 'help' });
});

test('-V beside other flags asks for the version', () => {
  expect(parseCommandLine(['-V', '--no-push'], { env: {}, cwd, stderr: 'pipe' })).toEqual({ asks: 'version' });
});

describe('each fault is told with what to do', () => {
  test.each([
    [['--context=.'], ['USAGE there is no --destination | add --destination REGISTRY/NAME:TAG to push, or --no-push to build only']],
    [
      ['--context=.', '--oci-layout-path=x'],
      ['USAGE there is no --destination | add --destination REGISTRY/NAME:TAG to push, or --no-push to build only'],
    ],
    [
      [...fine, '--tar-path=x'],
      ['USAGE --tar-path needs a --destination: the archive holds the image under that name | add --destination NAME:TAG'],
    ],
    [
      [...fine, '--image-name-with-digest-file=x'],
      ['USAGE --image-name-with-digest-file needs a --destination | add --destination REGISTRY/NAME:TAG'],
    ],
    [
      [...fine, '--image-name-tag-with-digest-file=x'],
      ['USAGE --image-name-tag-with-digest-file needs a --destination | add --destination REGISTRY/NAME:TAG'],
    ],
    [[...fine, '-d', 'a/B:1'], ['REFERENCE_INVALID --destination: "a/B:1" is not an image reference: names are lower case | write a/b:1']],
    [
      [...fine, '-d', ''],
      ['REFERENCE_INVALID --destination: an image reference is empty | write registry/name:tag, for example docker.io/library/debian:12'],
    ],
    [
      [...fine, '-d', `a/b@sha256:${'0'.repeat(64)}`],
      [`USAGE --destination a/b@sha256:${'0'.repeat(64)} has a digest | a digest is known only after the build; give a tag`],
    ],
    [[...fine, '--destinaton=x'], ['USAGE unknown flag --destinaton | did you mean --destination?']],
    [[...fine, '--xyzzy', 'value'], ['USAGE unknown flag --xyzzy | tsbuild --help lists all flags']],
    [[...fine, '.'], ['USAGE unexpected argument "." | tsbuild takes flags only; the context is --context FOLDER']],
    [[...fine, '--target'], ['USAGE --target needs a value | write --target VALUE or --target=VALUE']],
    [[...fine, '--insecure=yes'], ['USAGE --insecure is true or false, not "yes" | write --insecure, --insecure=true or --insecure=false']],
    [[...fine, '--insecure', 'false'], ['USAGE unexpected argument "false" | tsbuild takes flags only; the context is --context FOLDER']],
    [[...fine, '--help=x'], ['USAGE unknown flag --help | did you mean --help?']],
    [[...fine, '-v', 'loud'], ['USAGE --verbosity cannot be "loud" | choose one of panic, fatal, error, warn, info, debug, trace']],
    [[...fine, '--isolation=docker'], ['USAGE --isolation cannot be "docker" | choose one of auto, namespaces, in-place, chroot, proot']],
    [[...fine, '--progress=rawjson'], ['USAGE --progress cannot be "rawjson" | choose one of auto, tty, plain, json, quiet']],
    [[...fine, '--log-format=xml'], ['USAGE --log-format cannot be "xml" | choose one of text, color, json']],
    [
      [...fine, '--log-format=json', '--progress=tty'],
      ['USAGE --log-format json and --progress tty exclude each other | leave one of them out'],
    ],
    [[...fine, '--build-arg', '=x'], ['USAGE --build-arg "=x" has no name | write --build-arg NAME=VALUE']],
    [
      [...fine, '--build-context', 'folder', '--build-context', 'a=', '--build-context=scratch=ctx', '--build-context', 'a=nowhere'],
      [
        `USAGE --build-context folder: "folder" is not NAME=VALUE | ${CONTEXT_HINT}`,
        `USAGE --build-context a: "a=" is not NAME=VALUE | ${CONTEXT_HINT}`,
        'USAGE --build-context scratch: "scratch" always means the same and cannot be replaced | choose another name',
        'CONTEXT_NOT_FOUND --build-context a: the folder nowhere does not exist | give an existing folder',
      ],
    ],
    [
      [
        ...fine,
        '--build-context',
        'a=https://example.com/a.tar',
        '--build-context',
        'a=git@example.com:a/b.git',
        '--build-context=a=ftp://x',
      ],
      [
        'NOT_SUPPORTED --build-context a: not supported yet: https:// addresses in --build-context | fetch it into a folder first and give that folder',
        'NOT_SUPPORTED --build-context a: not supported yet: git repositories in --build-context | fetch it into a folder first and give that folder',
        `USAGE --build-context a: a context of the kind ftp:// is not known | ${CONTEXT_HINT}`,
      ],
    ],
    [
      [...fine, '--build-context', 'a=oci-layout://ctx:1', '--build-context', 'a=oci-layout://ctx@sha256:1', '--build-context=A=ctx'],
      [
        'CONTEXT_NOT_FOUND --build-context a: ctx is not an OCI image layout: it has no index.json | make one with --oci-layout-path, or with skopeo copy ... oci:FOLDER:TAG',
        'REFERENCE_INVALID --build-context a: "sha256:1" is not a sha256 digest | a digest is "sha256:" and 64 lower-case hex digits',
        'REFERENCE_INVALID --build-context A: "A" is not an image reference: names are lower case | write a',
      ],
    ],
    [[...fine, '--label', 'x'], ['USAGE --label "x" is not NAME=VALUE | write --label NAME=VALUE']],
    [
      ['-d', 'app', '--tar-path', 'app.tar', '--platform', 'linux/amd64,linux/arm64'],
      ['USAGE --tar-path cannot hold images of several platforms | push them, or write --oci-layout-path FOLDER'],
    ],
    [
      [...fine, '--platform', 'a b'],
      [
        'PLATFORM_INVALID --platform: "a b" is not a platform: its parts may only hold letters, digits, ".", "_" and "-" | write os/architecture, for example linux/arm64',
      ],
    ],
    [
      [...fine, '--insecure-registry', 'http://a'],
      ['USAGE --insecure-registry "http://a" is not a host | write host or host:port, without http:// and path'],
    ],
    [
      [...fine, '--registry-mirror', 'https://a'],
      ['USAGE --registry-mirror "https://a" is not a host | write host, host:port or host/path, without https://'],
    ],
    [
      [...fine, '--ignore-path', 'tmp'],
      ['USAGE --ignore-path "tmp" is not absolute | paths in the image begin with "/": write --ignore-path /tmp'],
    ],
    [[...fine, '--ignore-path', '/tmp/..'], ['USAGE --ignore-path / would leave out everything | name a folder or file below /']],
    [
      [...fine, '--secret', 'id=t,env=NONE'],
      ['SECRET_NOT_FOUND --secret: the variable NONE of secret "t" is not set | export NONE before the build'],
    ],
    [
      [...fine, '--secret', 'id=t,src=token', '--secret', 'id=t,src=token'],
      ['USAGE --secret has the id "t" twice | give each secret its own id'],
    ],
    [['--no-push', '--context=none'], ['CONTEXT_NOT_FOUND the context none does not exist | give an existing folder with --context']],
    [
      ['--no-push', '--context=token'],
      ['CONTEXT_NOT_FOUND the context token is a file | give the folder that holds your files with --context'],
    ],
    [
      ['--no-push', '--context=s3://b/k'],
      ['NOT_SUPPORTED not supported yet: --context s3:// | fetch the context into a folder first and give that folder'],
    ],
    [[...fine, '--context-sub-path=../x'], ['USAGE --context-sub-path ../x leads out of the context | name a folder inside the context']],
    [
      [...fine, '--dockerfile=https://x/Dockerfile'],
      ['NOT_SUPPORTED not supported yet: --dockerfile https://x/Dockerfile | fetch the file first and give its path'],
    ],
  ])('%j', (argv, expected) => {
    expect(faults(argv)).toEqual(expected);
  });

  test.each([
    ['--snapshot-mode=fast', 'USAGE --snapshot-mode cannot be "fast" | choose one of full, redo, time'],
    ['--snapshotMode=Full', 'USAGE --snapshot-mode cannot be "Full" | choose one of full, redo, time'],
    [
      '--use-new-run=maybe',
      'USAGE --use-new-run is true or false, not "maybe" | write --use-new-run, --use-new-run=true or --use-new-run=false',
    ],
  ])('%s', (flag, expected) => {
    expect(faults([...fine, flag])).toEqual([expected]);
  });

  test('an inline cache of layers that the image does not have', () => {
    expect(faults([...fine, '--single-snapshot', '--cache-to=type=inline'])).toEqual([
      expect.stringMatching(/^USAGE --cache-to type=inline names the layers of steps in the image, .* \| leave one of the two out/),
    ]);
  });

  test('all at once, in one error', () => {
    expect(faults(['--context=none', '--insecure=2', '-d', 'x/A', '--bucket', 'b', '--oops'])).toEqual([
      'NOT_SUPPORTED not supported yet: --bucket | this flag of Kaniko changes the build, so tsbuild does not ignore it; leave it out',
      'USAGE unknown flag --oops | tsbuild --help lists all flags',
      'USAGE --insecure is true or false, not "2" | write --insecure, --insecure=true or --insecure=false',
      'CONTEXT_NOT_FOUND the context none does not exist | give an existing folder with --context',
      'REFERENCE_INVALID --destination: "x/A" is not an image reference: names are lower case | write x/a',
    ]);
  });
});

test.each(['full', 'redo', 'time'])('--snapshot-mode %s changes nothing: changes are found without one', (mode) => {
  const options = parse(['--no-push']);
  expect(parse(['--no-push', `--snapshot-mode=${mode}`])).toEqual(options);
  expect(parse(['--no-push', `--snapshotMode=${mode}`, '--skip-unused-stages', '--use-new-run'])).toEqual(options);
});

test.each(UNSUPPORTED_KANIKO_FLAGS.map((flag) => [flag.name, flag] as const))("Kaniko's --%s is refused, not ignored", (name, { kind }) => {
  const argv = kind === 'boolean' ? [`--${name}`] : [`--${name}`, 'value'];
  expect(faults([...fine, ...argv])).toEqual([expect.stringContaining(`NOT_SUPPORTED not supported yet: --${name} |`)]);
});

test('the options cannot be changed', () => {
  const options = parse(['--no-push']);
  expect(Object.isFrozen(options) && Object.isFrozen(options.source) && Object.isFrozen(options.output.destinations)).toBe(true);
});

const NAME_IT = 'name the file with --dockerfile and the folder of your files with --context';
const LOOK = (path: string): string => `look at it: ls -lL ${path}`;

describe('a Dockerfile or context that cannot be used is named with its whole path', () => {
  test.each<readonly [readonly string[], (at: (path: string) => string) => string]>([
    [[...fine, '--dockerfile=none'], (at) => `USAGE there is no Dockerfile: looked for ${at('none')} | ${NAME_IT}`],
    [
      ['--no-push', '--context=ctx', '--dockerfile=none'],
      (at) => `USAGE there is no Dockerfile: looked for ${at('ctx/none')} and ${at('none')} | ${NAME_IT}`,
    ],
    [[...fine, '-f', 'ctx'], (at) => `USAGE the Dockerfile ${at('ctx')} is a folder | name the file itself with --dockerfile`],
    [
      [...fine, '-f', '-'],
      () => 'NOT_SUPPORTED a Dockerfile on stdin is not supported yet | write it into a file and give its path with --dockerfile',
    ],
    [[...fine, '-f', 'loop'], (at) => `CONTEXT_READ the Dockerfile ${at('loop')} cannot be read: ELOOP | ${LOOK(at('loop'))}`],
    [['--no-push', '-c', 'loop'], (at) => `CONTEXT_READ the context loop cannot be read: ELOOP | ${LOOK(at('loop'))}`],
    [
      [...fine, '--context-sub-path=nosub'],
      (at) => `CONTEXT_NOT_FOUND --context-sub-path nosub: ${at('nosub')} does not exist | name a folder inside the context`,
    ],
    [
      [...fine, '--context-sub-path=token'],
      (at) => `CONTEXT_NOT_FOUND --context-sub-path token: ${at('token')} is a file | name a folder inside the context`,
    ],
    [
      [...fine, '--context-sub-path=loop'],
      (at) => `CONTEXT_READ --context-sub-path loop: ${at('loop')} cannot be read: ELOOP | ${LOOK(at('loop'))}`,
    ],
    [
      ['--no-push', '-c', 'none', '--context-sub-path=x'],
      () => 'CONTEXT_NOT_FOUND the context none does not exist | give an existing folder with --context',
    ],
  ])('%j', (argv, expected) => {
    expect(faults(argv)).toEqual([expected((path) => join(cwd, path))]);
  });

  test('when it becomes unreadable after the command line was read', () => {
    const dockerfilePath = join(cwd, 'loop');
    const source = { kind: 'folder', contextFolder: cwd, contextLabel: '.', dockerfilePath, dockerfileLabel: 'loop' } as const;
    expect(() => readDockerfile(source)).toThrow(expect.objectContaining({ code: 'CONTEXT_READ', hint: LOOK(dockerfilePath) }));
  });

  test.skipIf(process.geteuid?.() === 0)('when a folder above it may not be entered', () => {
    mkdirSync(join(cwd, 'closed'), { mode: 0 });
    expect(faults(['--no-push', '-c', 'closed'])).toEqual([
      expect.stringContaining(`CONTEXT_READ the Dockerfile ${join(cwd, 'closed/Dockerfile')} cannot be read: EACCES`),
    ]);
    rmdirSync(join(cwd, 'closed'));
  });
});

test('a Dockerfile beside the context is found when the context has none', () => {
  rmSync(join(cwd, 'ctx', 'Dockerfile'));
  try {
    expect(parse(['-c', 'ctx', '--no-push']).source).toMatchObject({ dockerfilePath: join(cwd, 'Dockerfile') });
  } finally {
    writeFileSync(join(cwd, 'ctx', 'Dockerfile'), '');
  }
});

test('a Containerfile is suggested when there is no Dockerfile', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-cli-'));
  writeFileSync(join(folder, 'Containerfile'), '');
  try {
    parseCommandLine(['--context=.', '--no-push'], { env: {}, cwd: folder, stderr: 'pipe' });
    expect.unreachable();
  } catch (error) {
    expect((error as TsbuildErrors).hint).toBe('the context has a Containerfile: add --dockerfile Containerfile');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(['-1', '20x', 'g', '1e9', '99999999999999t', ' 20g'])('"%s" is no size for the cache', (size) => {
  const hint = 'write bytes, or a number with k, m, g or t, such as 20g';
  expect(faults([...fine, `--cache-max-size=${size}`])).toEqual([`USAGE --cache-max-size: "${size}" is not a size | ${hint}`]);
});
