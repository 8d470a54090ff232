/** Contexts that are fetched, by the whole program: git repositories in Kaniko's and in BuildKit's spelling, and archives. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Outcome, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { silentServer, smartServer, type TestRepository, type TestServer, testRepository } from '../helpers/git-server.ts';
import { findProgram, missing } from '../helpers/tools.ts';

const TOKEN = 't0ken-s3cr3t';

let top: string;

beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'tsbuild-context-'));
});
afterAll(() => rmSync(top, { recursive: true }));

interface Run {
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: Buffer;
}

async function build(flags: readonly string[], { env = {}, stdin }: Run = {}): Promise<Outcome> {
  rmSync(join(top, 'image.tar'), { force: true });
  const argv = [
    TSBUILD,
    ...flags,
    `--cache-dir=${join(top, 'cache')}`,
    '--destination=test/image:1',
    `--tar-path=${join(top, 'image.tar')}`,
  ];
  const clean = { PATH: process.env['PATH'], HOME: top, ...env };
  const outcome = await (stdin === undefined ? execute([process.execPath, ...argv], clean, 60_000) : piped(argv, clean, stdin));
  expect(readdirSync(join(top, 'cache/work')), 'the work folder').toEqual([]);
  return outcome;
}

function piped(argv: readonly string[], env: NodeJS.ProcessEnv, stdin: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, argv, { env, cwd: top, stdio: ['pipe', 'pipe', 'pipe'], timeout: 60_000 });
    const [stdout, log]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
    child.stdin.on('error', () => undefined).end(stdin);
    child.on('close', (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), log: Buffer.concat(log).toString() }),
    );
  });
}

/** `mode owner name` of the last layer, and all bytes of the image, unpacked. */
function image(): { readonly files: readonly string[]; readonly text: (name: string) => string; readonly bytes: string } {
  const folder = mkdtempSync(join(top, 'image-'));
  execFileSync('tar', ['-C', folder, '-xf', join(top, 'image.tar')]);
  const [{ Layers }] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [{ Layers: readonly string[] }];
  const plain = (name: string): Buffer => {
    const bytes = readFileSync(join(folder, name));
    return bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
  };
  const input = plain(Layers.at(-1) ?? '');
  const lines = execFileSync('tar', ['-tv', '--numeric-owner'], { input, encoding: 'utf8' }).trimEnd().split('\n');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((entry) => entry.isFile());
  return {
    files: lines.map((line) => line.replace(/^(\S+) (\S+) +\d+ \S+ \S+ /, '$1 $2 ')),
    text: (name) => execFileSync('tar', ['-xO', name], { input, encoding: 'utf8' }),
    bytes: names.map((entry) => plain(join(entry.parentPath, entry.name).slice(folder.length + 1)).toString('latin1')).join(''),
  };
}

const DOCKERFILE = 'FROM scratch\nCOPY . /\n';

describeUnless(missing(['git']), 'a git repository as the context', () => {
  let repository: TestRepository;
  let server: TestServer;
  let guarded: TestServer;
  let first: string;
  let pulled: string;

  /** Kaniko's spelling. */
  const kaniko = (rest: string, from: TestServer = server): string => `--context=${from.url.replace('http:', 'git:')}/app/.git${rest}`;
  const OVER_HTTP = { GIT_PULL_METHOD: 'http' };

  beforeAll(async () => {
    const library = testRepository(join(top, 'served/lib'));
    const libraryCommit = library.commit({ 'lib.txt': 'library' });
    repository = testRepository(join(top, 'served/app'));
    first = repository.commit({ Dockerfile: DOCKERFILE, 'f.txt': 'first', '.dockerignore': 'Dockerfile\nsecret\n.*\n', secret: 'x' });
    repository.git('tag', '--annotate', '--message', 'first', 'v1');
    chmodSync(join(repository.folder, 'f.txt'), 0o755);
    symlinkSync('f.txt', join(repository.folder, 'link'));
    repository.commit({
      'f.txt': 'second',
      'sub/Dockerfile': 'FROM scratch\nCOPY . /\n',
      'sub/g.txt': 'g',
      'sub/prod.Dockerfile': 'FROM scratch\nCOPY . /prod/\n',
      'sub/prod.Dockerfile.dockerignore': '*ockerfile*\n',
    });
    server = await smartServer(join(top, 'served'));
    guarded = await smartServer(join(top, 'served'), `${TOKEN}:`);
    repository.git('checkout', '--quiet', '-b', 'with-lib');
    repository.submodule({ path: 'lib', commit: libraryCommit, settings: { url: `${server.url}/lib/.git` } });
    repository.git('checkout', '--quiet', '--force', 'main');
    repository.git('checkout', '--quiet', '-b', 'pull');
    pulled = repository.commit({ 'f.txt': 'pulled' });
    repository.git('checkout', '--quiet', 'main');
    repository.git('update-ref', 'refs/pull/1/head', pulled);
    repository.git('branch', '-D', 'pull');
  });
  afterAll(async () => {
    await server.close();
    await guarded.close();
  });

  describe('brings the files of', () => {
    const cases: readonly (readonly [what: string, rest: () => string, text: string, flags: readonly string[]])[] = [
      ['the default branch', () => '', 'second', []],
      ['a branch by its whole name', () => '#refs/heads/main', 'second', []],
      ['a tag', () => '#refs/tags/v1', 'first', []],
      ['a short name', () => '#v1', 'first', []],
      ['a commit', () => `#${first}`, 'first', []],
      ['a commit of a branch', () => `#refs/heads/main#${first}`, 'first', []],
      ['a pull request', () => '#refs/pull/1/head', 'pulled', []],
      ['a commit that only the pull request has', () => `#refs/pull/1/head#${pulled}`, 'pulled', []],
      ['--git branch', () => '', 'first', ['--git', 'branch=v1', '--git=single-branch=true,depth=1']],
      ['--git branch at a commit', () => `#${first}`, 'first', ['--git=branch=main']],
    ];
    test.each(cases)('%s', async (_, rest, text, flags) => {
      const built = await build([kaniko(rest()), ...flags], { env: OVER_HTTP });
      expect([built.code, built.log]).toEqual([0, expect.stringContaining('fetching the git repository http://127.0.0.1')]);
      expect(built.log).toMatch(/context: the git repository \S+ at commit [0-9a-f]{40}\n/);
      expect(image().text('f.txt')).toBe(text);
    });
  });

  test('has modes as git records them, symbolic links, owners 0:0, no .git and nothing that .dockerignore hides', async () => {
    const built = await build([kaniko('')], { env: OVER_HTTP });
    expect([built.code, built.log]).toEqual([0, expect.any(String)]);
    expect(image().files).toEqual([
      '-rwxr-xr-x 0/0 f.txt',
      'lrwxrwxrwx 0/0 link -> f.txt',
      'drwxr-xr-x 0/0 sub/',
      '-rw-r--r-- 0/0 sub/Dockerfile',
      '-rw-r--r-- 0/0 sub/g.txt',
      '-rw-r--r-- 0/0 sub/prod.Dockerfile',
      '-rw-r--r-- 0/0 sub/prod.Dockerfile.dockerignore',
    ]);
  });

  test("is named in BuildKit's way, with a folder of it and the Dockerfile in there", async () => {
    const built = await build([`--context=${server.url}/app/.git#main:sub`, '--dockerfile=prod.Dockerfile']);
    expect([built.code, built.log]).toEqual([0, expect.any(String)]);
    expect(image().files).toEqual(['drwxr-xr-x 0/0 prod/', '-rw-r--r-- 0/0 prod/g.txt']);
    const again = await build([`--context=${server.url}/app/.git`, '--context-sub-path=/sub/', '--dockerfile=./prod.Dockerfile']);
    expect([again.code, image().files.length]).toEqual([0, 2]);
  });

  test('has a .git of one commit where BUILDKIT_CONTEXT_KEEP_GIT_DIR asks for it', async () => {
    const built = await build([kaniko(''), '--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1', `--dockerfile=${join(top, 'plain')}`], {
      env: OVER_HTTP,
    });
    expect(built.code).toBe(2);
    writeFileSync(join(top, 'plain'), 'FROM scratch\nCOPY .git /r\n');
    writeFileSync(join(top, 'plain.dockerignore'), '');
    const mounted = await build([kaniko(''), '--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1', `--dockerfile=${join(top, 'plain')}`], {
      env: OVER_HTTP,
    });
    expect([mounted.code, mounted.log]).toEqual([0, expect.not.stringContaining('not used')]);
    expect(image().files).toContain('-rw-r--r-- 0/0 r/shallow');
  });

  test("takes submodules in BuildKit's spelling, and in Kaniko's when it is told to", async () => {
    const withLib = async (flags: readonly string[]): Promise<boolean> => {
      const built = await build(flags, { env: OVER_HTTP });
      expect([built.code, built.log]).toEqual([0, expect.any(String)]);
      return image().files.some((line) => line.endsWith('lib/lib.txt'));
    };
    expect(await withLib([`--context=${server.url}/app/.git#with-lib`])).toBe(true);
    expect(await withLib([`--context=${server.url}/app/.git#with-lib`, '--git=recurse-submodules=false'])).toBe(false);
    expect(await withLib([kaniko('#with-lib')])).toBe(false);
    expect(await withLib([kaniko('#with-lib'), '--git=recurse-submodules=true'])).toBe(true);
  });

  test('is opened by GIT_TOKEN, by GIT_USERNAME and GIT_PASSWORD and by what its URL says, which stay out of everything', async () => {
    const inUrl = [`--context=${guarded.url.replace('//', `//${TOKEN}:@`)}/app/.git`];
    for (const [flags, env] of [
      [[kaniko('', guarded)], { ...OVER_HTTP, GIT_TOKEN: TOKEN }],
      [[kaniko('', guarded)], { ...OVER_HTTP, GIT_USERNAME: TOKEN }],
      [inUrl, { GIT_TOKEN: 'another' }],
    ] as const) {
      const keep = '--build-arg=BUILDKIT_CONTEXT_KEEP_GIT_DIR=1';
      const built = await build([...flags, keep, '--verbosity=trace', `--oci-layout-path=${join(top, 'layout')}`], { env });
      expect([built.code, built.log]).toEqual([0, expect.any(String)]);
      expect(`${built.log}${image().bytes}`).not.toContain(TOKEN);
    }
  });

  test('that needs credentials says where they come from, and shows wrong ones nowhere', async () => {
    const without = await build([kaniko('', guarded)], { env: OVER_HTTP });
    expect(without.code).toBe(1);
    expect(without.log).toContain('needs credentials: set GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD');
    const wrong = await build([kaniko('', guarded), '--verbosity=trace'], {
      env: { ...OVER_HTTP, GIT_USERNAME: 'me', GIT_PASSWORD: 'wr0ng-one' },
    });
    expect(wrong.code).toBe(1);
    expect(wrong.log).not.toContain('wr0ng-one');
  });

  test.skipIf(findProgram('openssl') === undefined)(
    'is fetched with any certificate only when --git insecure-skip-tls says so',
    async () => {
      const [key, cert] = [join(top, 'key.pem'), join(top, 'cert.pem')];
      const request = [
        'req',
        '-x509',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        '-subj',
        '/CN=localhost',
      ];
      execFileSync('openssl', request, { stdio: 'ignore' });
      const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
        const chunks: Buffer[] = [];
        for await (const chunk of incoming) chunks.push(chunk as Buffer);
        const { host: _, ...headers } = incoming.headers;
        const answer = await fetch(`${server.url}${incoming.url}`, {
          method: incoming.method ?? 'GET',
          headers: headers as Record<string, string>,
          ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
        });
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
        response.end(Buffer.from(await answer.arrayBuffer()));
      };
      const secure = createServer(
        { key: readFileSync(key), cert: readFileSync(cert) },
        (incoming, response) => void forward(incoming, response),
      );
      await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
      try {
        const context = `--context=git://127.0.0.1:${(secure.address() as AddressInfo).port}/app/.git`;
        const refused = await build([context]);
        expect([refused.code, refused.log]).toEqual([1, expect.stringMatching(/cannot fetch the git repository https:.*certificate/)]);
        const taken = await build([context, '--git=insecure-skip-tls=true']);
        expect([taken.code, taken.log]).toEqual([0, expect.any(String)]);
      } finally {
        secure.closeAllConnections();
        secure.close();
      }
    },
  );

  describe('fails in one error for', () => {
    const cases: readonly (readonly [what: string, flags: () => readonly string[], code: number, error: RegExp])[] = [
      ['a ref that is not there', () => [kaniko('#refs/heads/none')], 1, /\S+ has no branch or tag "refs\/heads\/none"/],
      ['a commit that is not there', () => [kaniko(`#${'0'.repeat(39)}1`)], 1, /has no commit 0{39}1 on its branches and tags/],
      ['a folder that is not there', () => [kaniko('#main:none')], 1, /has no folder "none" at this commit/],
      ['a repository that is not there', () => [kaniko('x/none.git')], 1, /cannot fetch the git repository/],
      [
        'a Dockerfile that is not there',
        () => [kaniko(''), '-f', 'sub/Dockerfil'],
        2,
        /there is no Dockerfile "sub\/Dockerfil" in the git repository/,
      ],
      ['a Dockerfile outside', () => [kaniko(''), '-f', '../Dockerfile'], 2, /--dockerfile \.\.\/Dockerfile leads out of the context/],
      ['a sub-path outside', () => [kaniko(''), '--context-sub-path=../x'], 2, /--context-sub-path \.\.\/x leads out of the context/],
      ['two refs', () => [kaniko('#main'), '--git=branch=v1'], 2, /the context says "main", and --git branch says "v1"/],
      ['a --git that is not known', () => [kaniko(''), '--git=tag=v1'], 2, /--git "tag=v1" is not known/],
      [
        '--git without a repository',
        () => [`--context=${repository.folder}`, '--git=branch=v1'],
        2,
        /--git is for a context that is a git repository/,
      ],
      ['a short commit', () => [kaniko('#main#abc')], 2, /"abc" behind the second "#" of the context is not the whole hash/],
    ];
    test.each(cases)('%s', async (_, flags, code, error) => {
      const built = await build(flags(), { env: OVER_HTTP });
      expect([built.code, built.log]).toEqual([code, expect.stringMatching(error)]);
      expect(built.log).not.toMatch(/^\s+at .*\.(?:c?js|ts):\d+/m);
      expect(built.log.match(/^error/gm)).toHaveLength(1);
      expect(existsSync(join(top, 'image.tar'))).toBe(false);
    });
  });

  test('quotes the line of its own Dockerfile in an error, not that of a file of the same name here', async () => {
    repository.git('checkout', '--quiet', '-b', 'broken');
    repository.commit({ Dockerfile: 'FROM scratch\nCOPY nothing-here /\n' });
    repository.git('checkout', '--quiet', 'main');
    const built = await build([kaniko('#broken')], { env: OVER_HTTP });
    expect(built.code).toBe(1);
    expect(built.log).toContain('Dockerfile:2');
    expect(built.log).toContain('COPY nothing-here /');
    expect(built.log).toContain('is not in the git repository http://127.0.0.1');
  });

  test('is not fetched where there is no git, and the error says what to install', async () => {
    const folder = join(top, 'no-git');
    mkdirSync(folder, { recursive: true });
    for (const name of ['unshare', 'newuidmap', 'newgidmap', 'mount', 'true']) {
      const program = findProgram(name);
      if (program !== undefined) symlinkSync(program, join(folder, name));
    }
    const built = await build([kaniko('')], { env: { ...OVER_HTTP, PATH: folder } });
    expect([built.code, built.log]).toEqual([1, expect.stringMatching(/git is not installed here.*\n?.*apt-get install git/s)]);
  });

  test('that never answers is given up when the build is interrupted', async () => {
    const silent = await silentServer();
    try {
      const argv = [TSBUILD, `--context=${silent.url}/x.git`, '--no-push', `--cache-dir=${join(top, 'cache')}`];
      const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'] });
      const told = new Promise<string>((resolve) =>
        child.stderr.setEncoding('utf8').on('data', (text: string) => text.includes('fetching') && resolve(text)),
      );
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
      await told;
      child.kill('SIGTERM');
      expect(await ended).toBe(143);
      expect(readdirSync(join(top, 'cache/work'))).toEqual([]);
    } finally {
      await silent.close();
    }
  });

  describe('of somebody who means harm', () => {
    async function hostile(
      name: string,
      files: Readonly<Record<string, string>>,
      links: Readonly<Record<string, string>>,
    ): Promise<Outcome> {
      const bad = testRepository(join(top, `served/${name}`));
      for (const [path, target] of Object.entries(links)) symlinkSync(target, join(bad.folder, path));
      bad.commit(files);
      return build([`--context=${server.url}/${name}/.git`], {});
    }

    test('a Dockerfile that is a link out of the repository is no Dockerfile', async () => {
      writeFileSync(join(top, 'outside'), 'FROM scratch\nCOPY . /\n');
      for (const [i, target] of [join(top, 'outside'), '../../../../../../../../../../etc/passwd'].entries()) {
        const built = await hostile(`dockerfile-link-${i}`, { a: 'a' }, { Dockerfile: target });
        expect([built.code, built.log]).toEqual([
          2,
          expect.stringContaining('is a symbolic link that leads to nothing inside the context'),
        ]);
        expect(built.log).not.toContain('root:');
      }
    });

    test('a .dockerignore that is a link out of the repository ends the build', async () => {
      const built = await hostile('ignore-link', { Dockerfile: DOCKERFILE }, { '.dockerignore': '/etc/passwd' });
      expect([built.code, built.log]).toEqual([1, expect.stringContaining('the .dockerignore of the git repository')]);
      expect(built.log).not.toContain('root:');
    });

    test('a folder that is a link out of the repository gives no files of this machine', async () => {
      const built = await hostile('folder-link', { Dockerfile: 'FROM scratch\nCOPY data/passwd /\n' }, { data: '/etc' });
      expect([built.code, built.log]).toEqual([1, expect.stringMatching(/"\/?data\/passwd".*is not in/s)]);
    });

    test('its attributes, hooks and config run nothing', async () => {
      const mark = join(top, 'ran');
      const files = {
        Dockerfile: DOCKERFILE,
        '.gitattributes': '* filter=evil\n',
        '.gitconfig': `[filter "evil"]\n\tsmudge = touch ${mark}\n[core]\n\tfsmonitor = touch ${mark}\n`,
        'hooks/post-checkout': `#!/bin/sh\ntouch ${mark}\n`,
      };
      const built = await hostile('hooks', files, {});
      expect([built.code, built.log]).toEqual([0, expect.any(String)]);
      expect(existsSync(mark)).toBe(false);
    });
  });
});

describe('an archive as the context', () => {
  type Member = readonly [header: Parameters<ReturnType<typeof pack>['entry']>[0], content?: string];

  async function tar(members: readonly Member[]): Promise<Buffer> {
    const archive = pack();
    for (const [header, content] of members) archive.entry({ mtime: new Date(0), ...header }, content ?? '');
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  afterEach(() => rmSync(join(top, 'context.tar'), { force: true }));

  function good(): string {
    const folder = mkdtempSync(join(top, 'files-'));
    mkdirSync(join(folder, 'app'));
    writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE);
    writeFileSync(join(folder, '.dockerignore'), 'Dockerfile\n.dockerignore\n');
    writeFileSync(join(folder, 'app/run'), 'run', { mode: 0o755 });
    writeFileSync(join(folder, 'app/Dockerfile'), 'FROM scratch\nCOPY run /\n');
    symlinkSync('run', join(folder, 'app/link'));
    return folder;
  }

  for (const [how, flag] of [
    ['plain', '-c'],
    ['gzip', '-cz'],
    ['bzip2', '-cj'],
    ['xz', '-cJ'],
  ] as const) {
    test(`is taken from a file and from stdin, ${how}`, async () => {
      const bytes = execFileSync('tar', ['--owner=12', '--group=13', flag, '-C', good(), '.']);
      writeFileSync(join(top, 'context.tar'), bytes);
      const expected = ['drwxr-xr-x 0/0 app/', '-rw-r--r-- 0/0 app/Dockerfile', 'lrwxrwxrwx 0/0 app/link -> run', '-rwxr-xr-x 0/0 app/run'];
      const fromFile = await build([`--context=tar://${join(top, 'context.tar')}`]);
      expect([fromFile.code, fromFile.log]).toEqual([0, expect.stringContaining('unpacking the archive')]);
      expect(image().files).toEqual(expected);
      const fromStdin = await build(['--context', 'tar://stdin'], { stdin: bytes });
      expect([fromStdin.code, fromStdin.log]).toEqual([0, expect.stringContaining('the archive on stdin')]);
      expect(image().files).toEqual(expected);
    });
  }

  test('is used below --context-sub-path', async () => {
    const built = await build(['--context=tar://stdin', '--context-sub-path=app'], {
      stdin: execFileSync('tar', ['-cz', '-C', good(), '.']),
    });
    expect([built.code, built.log]).toEqual([0, expect.any(String)]);
    expect(image().files).toEqual(['-rwxr-xr-x 0/0 run']);
  });

  const file = (name: string): Member => [{ name }, 'content'];
  const dockerfile: Member = [{ name: 'Dockerfile' }, DOCKERFILE];
  const hostile: readonly (readonly [what: string, members: readonly Member[], error: RegExp])[] = [
    ['a name with ..', [dockerfile, file('../escaped')], /its member "\.\.\/escaped" has a name that leads out of the archive/],
    ['a hard link with ..', [dockerfile, [{ name: 'h', type: 'link', linkname: '../../etc/passwd' }]], /"h" has a name that leads out/],
    [
      'a hard link to nothing',
      [dockerfile, [{ name: 'h', type: 'link', linkname: '/etc/passwd' }]],
      /"h" is a hard link to nothing in the archive/,
    ],
    [
      'a device',
      [dockerfile, [{ name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 }]],
      /"sda" is a device node, which no context needs/,
    ],
    ['a whiteout', [dockerfile, file('a/.wh.b')], /"a\/\.wh\.b" has a name that means "removed"/],
    ['a file below a file', [dockerfile, file('a'), file('a/b')], /cannot be unpacked: .*"a\/b"/],
    ['links in circles', [dockerfile, [{ name: 'l', type: 'symlink', linkname: 'l' }], file('l/x')], /leads in circles/],
  ];
  test.each(hostile)('with %s is refused', async (_, members, error) => {
    const built = await build(['--context=tar://stdin'], { stdin: await tar(members) });
    expect([built.code, built.log]).toEqual([1, expect.stringMatching(error)]);
    expect(existsSync(join(top, 'cache/escaped')) || existsSync(join(top, 'cache/work/escaped'))).toBe(false);
  });

  test('keeps absolute names, and what goes through its own links, inside', async () => {
    const outside = join(top, 'outside-folder');
    mkdirSync(outside);
    const members: readonly Member[] = [
      dockerfile,
      file('/abs'),
      [{ name: 'away', type: 'symlink', linkname: outside }],
      file('away/through'),
      [{ name: 'up', type: 'symlink', linkname: '../../../../..' }],
      file('up/root'),
    ];
    const built = await build(['--context=tar://stdin'], { stdin: await tar(members) });
    expect([built.code, built.log]).toEqual([0, expect.any(String)]);
    expect(readdirSync(outside)).toEqual([]);
    expect(existsSync('/root/root') || existsSync('/abs') || existsSync('/through')).toBe(false);
    expect(image().files).toEqual(expect.arrayContaining(['-rw-r--r-- 0/0 abs', '-rw-r--r-- 0/0 root']));
  });

  test.each([
    ['nothing', Buffer.alloc(0), /the archive on stdin is empty/],
    ['a Dockerfile', Buffer.from(DOCKERFILE), /the archive on stdin cannot be unpacked/],
    [
      'half an archive',
      execFileSync('sh', ['-c', 'tar -cz -C /etc passwd hostname | head -c 300']),
      /the archive on stdin cannot be unpacked/,
    ],
  ])('that is %s is no context, and the error says what is one', async (_, stdin, error) => {
    const built = await build(['--context=tar://stdin'], { stdin });
    expect([built.code, built.log]).toEqual([1, expect.stringMatching(error)]);
    expect(built.log).toContain('a context archive is a tar, plain or compressed');
  });

  test('that is not there is told before anything begins', async () => {
    const built = await build([`--context=tar://${join(top, 'none.tar')}`]);
    expect([built.code, built.log]).toEqual([2, expect.stringContaining(`the archive ${join(top, 'none.tar')} does not exist`)]);
  });
});
