import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchGitCheckout, type GitCheckout, type GitOptions, type GitRequest } from '../../../src/context/git-source.ts';
import type { FileTree } from '../../../src/layer/tree.ts';
import { describeUnless } from '../../helpers/describe-unless.ts';
import { dumbServer, silentServer, smartServer, type TestRepository, type TestServer, testRepository } from '../../helpers/git-server.ts';
import { findProgram, missing } from '../../helpers/tools.ts';

let top: string;
let root: string;
let folder: string;
let servers: TestServer[];
let tool: TestRepository;
let first: string;
let second: string;

const PASSWORD = 'me:s3cr3t-w0rd';
const refused = (message: RegExp) => ({ code: 'GIT_FAILED', message: expect.stringMatching(message) as string });
const ref = (name: string): GitRequest['at'] => ({ kind: 'ref', name });

async function started(server: Promise<TestServer>): Promise<TestServer> {
  servers.push(await server);
  return server;
}

function fetch(remote: string, request: Partial<GitRequest> = {}, options: Partial<GitOptions> = {}): Promise<GitCheckout> {
  return fetchGitCheckout(
    { remote, at: { kind: 'default-branch' }, checksum: null, subdir: '', gitDir: 'drop', submodules: 'fetch', ...request },
    { folder, signal: new AbortController().signal, env: process.env, ...options },
  );
}

function textAt(tree: FileTree, path: string): string | undefined {
  const node = tree.lstat(path)?.node;
  if (node?.type !== 'file') return undefined;
  if (node.content.at !== 'host') throw new Error('a checkout has its files on this machine');
  return readFileSync(node.content.path, 'utf8');
}

/** All files below `path`, read whatever they are. */
function everythingBelow(path: string): string {
  return readdirSync(path, { withFileTypes: true })
    .map((entry) => {
      const inner = join(path, entry.name);
      if (entry.isDirectory()) return everythingBelow(inner);
      return entry.isFile() ? `${entry.name} ${readFileSync(inner, 'latin1')}` : entry.name;
    })
    .join('\n');
}

describeUnless(missing(['git']), 'a git repository', () => {
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'tsbuild-git-'));
    root = join(top, 'served');
    folder = join(top, 'scratch');
    mkdirSync(folder);
    servers = [];
    tool = testRepository(join(root, 'tool'));
    first = tool.commit({ 'f.txt': 'one', 'docs/man/page': 'page of one' });
    tool.git('tag', 'v1');
    tool.git('branch', 'old');
    second = tool.commit({ 'f.txt': 'two' });
    tool.git('tag', '--annotate', '--message', 'release', 'v2');
    tool.commit({ 'f.txt': 'three' });
    tool.publish();
  });

  afterEach(async () => {
    for (const server of servers) await server.close();
    rmSync(top, { recursive: true });
  });

  describe.each([
    ['plain files', dumbServer],
    ['git’s own protocol', smartServer],
  ])('by %s', (_, server) => {
    let url: string;
    beforeEach(async () => {
      url = `${(await started(server(root))).url}/tool/.git`;
    });

    const placesOf = (): readonly (readonly [string, Partial<GitRequest>, string])[] => [
      ['the default branch', {}, 'three'],
      ['a branch', { at: ref('old') }, 'one'],
      ['a whole name', { at: ref('refs/heads/old') }, 'one'],
      ['a name below refs/', { at: ref('heads/old') }, 'one'],
      ['a tag', { at: ref('v1') }, 'one'],
      ['an annotated tag', { at: ref('refs/tags/v2') }, 'two'],
      ['a commit that no name ends with', { at: { kind: 'commit', hash: second } }, 'two'],
      ['the beginning of a commit', { at: { kind: 'commit', hash: second.slice(0, 8) }, checksum: second.slice(0, 8) }, 'two'],
    ];

    test('gives what a ref or a commit means', async () => {
      tool.git('checkout', '--quiet', 'main');
      for (const [what, request, text] of placesOf()) {
        const { tree } = await fetch(url, request);
        expect([what, textAt(tree, 'f.txt'), tree.list('')]).toEqual([what, text, ['docs', 'f.txt']]);
      }
    });

    test('refuses a ref and a commit that are not there', async () => {
      await expect(fetch(url, { at: ref('none') })).rejects.toMatchObject(refused(/no branch or tag "none"/));
      await expect(fetch(url, { at: ref('refs/heads/v1') })).rejects.toMatchObject(refused(/no branch or tag "refs\/heads\/v1"/));
      await expect(fetch(url, { at: ref(second.slice(0, 8)) })).rejects.toMatchObject({ hint: expect.stringContaining('?commit=') });
      const unknown = '0'.repeat(39);
      await expect(fetch(url, { at: { kind: 'commit', hash: `${unknown}1` } })).rejects.toMatchObject(refused(/no commit 0+1/));
      expect(readdirSync(folder)).toEqual([]);
    });

    test('keeps a shallow .git with its own origin when that is wanted', async () => {
      for (const [what, request] of placesOf()) {
        const { tree, commit } = await fetch(url, { ...request, gitDir: 'keep' });
        const checkout = join(folder, readdirSync(folder).at(-1) ?? '', 'checkout');
        const git = (...args: string[]): string => execFileSync('git', ['-C', checkout, ...args], { encoding: 'utf8' }).trim();
        expect([what, git('status', '--short')]).toEqual([what, '']);
        expect(git('log', '--format=%H')).toBe(commit);
        expect(git('config', 'remote.origin.url')).toBe(url);
        expect(tree.list('')).toContain('.git');
        expect(tree.lstat('.git/FETCH_HEAD')).toBeUndefined();
        expect(tree.list('.git/hooks')).toEqual([]);
        rmSync(folder, { recursive: true });
        mkdirSync(folder);
      }
    });

    test('brings its submodules, and theirs', async () => {
      const inner = testRepository(join(root, 'inner'));
      const deep = inner.commit({ deep: 'deep' });
      const middle = testRepository(join(root, 'middle'));
      middle.commit({ mid: 'mid' });
      middle.submodule({ path: 'inner', commit: deep, settings: { url: url.replace('/tool/', '/inner/') } });
      const old = middle.git('rev-parse', 'HEAD');
      middle.git('commit', '--quiet', '--allow-empty', '--message', 'later');
      tool.submodule({ path: 'sub/middle', commit: old, settings: { url: '../../middle/.git' } });
      for (const { publish } of [inner, middle, tool]) publish();
      const { tree } = await fetch(url);
      expect([textAt(tree, 'sub/middle/mid'), textAt(tree, 'sub/middle/inner/deep')]).toEqual(['mid', 'deep']);
      expect([tree.lstat('sub/middle/.git'), tree.list('sub/middle')]).toEqual([undefined, ['.gitmodules', 'inner', 'mid']]);
      const without = await fetch(url, { submodules: 'skip' });
      expect(without.tree.list('sub/middle')).toEqual([]);
      const kept = await fetch(url, { gitDir: 'keep' });
      expect(textAt(kept.tree, 'sub/middle/.git')).toBe('gitdir: ../../.git/modules/sub/middle\n');
      const modules = '.git/modules/sub/middle';
      expect(kept.tree.list(modules)).toContain('config');
      for (const folder of [modules, `${modules}/modules/inner`]) expect(kept.tree.list(`${folder}/hooks`)).toEqual([]);
    });
  });

  test('prefers a branch to a tag of the same name', async () => {
    const { url } = await started(smartServer(root));
    tool.git('tag', 'both', first);
    tool.git('branch', 'both', second);
    expect((await fetch(`${url}/tool/.git`, { at: ref('both') })).commit).toBe(second);
    expect((await fetch(`${url}/tool/.git`, { at: ref('tags/both') })).commit).toBe(first);
  });

  test('has a default branch even where HEAD names a commit', async () => {
    const { url } = await started(smartServer(root));
    tool.git('checkout', '--quiet', '--detach', first);
    expect((await fetch(`${url}/tool/.git`)).commit).toBe(first);
    await expect(fetch(`${url}/tool/.git`, { at: ref('HEAD') })).rejects.toMatchObject(refused(/no branch or tag "HEAD"/));
  });

  test('says that an empty repository has no default branch', async () => {
    const { url } = await started(smartServer(root));
    testRepository(join(root, 'empty'));
    await expect(fetch(`${url}/empty/.git`)).rejects.toMatchObject(refused(/no default branch/));
  });

  test('must have the commit, or the tag object, whose hash the checksum begins', async () => {
    const { url } = await started(smartServer(root));
    const remote = `${url}/tool/.git`;
    const tag = tool.git('rev-parse', 'v2');
    for (const checksum of [second, second.slice(0, 7), tag, tag.slice(0, 7)]) {
      expect((await fetch(remote, { at: ref('v2'), checksum })).commit).toBe(second);
    }
    await expect(fetch(remote, { at: ref('v2'), checksum: first })).rejects.toMatchObject(refused(/as the checksum demands/));
    await expect(fetch(remote, { at: ref('v1'), checksum: second })).rejects.toMatchObject(refused(/as the checksum demands/));
  });

  test('has folders and programs 0755, files 0644, and owners 0:0, whatever the umask', async () => {
    const { url } = await started(smartServer(root));
    chmodSync(join(tool.folder, 'f.txt'), 0o700);
    tool.commit({ plain: '' });
    symlinkSync('f.txt', join(tool.folder, 'link'));
    tool.commit({});
    const { tree } = await fetch(`${url}/tool/.git`, { gitDir: 'keep' });
    const checkout = join(folder, readdirSync(folder)[0] ?? '', 'checkout');
    chmodSync(join(checkout, 'f.txt'), 0o700);
    chmodSync(join(checkout, 'plain'), 0o666);
    chmodSync(join(checkout, 'docs'), 0o700);
    expect(['f.txt', 'plain', 'docs', '.git/HEAD'].map((path) => tree.lstat(path)?.meta.mode.toString(8))).toEqual([
      '755',
      '644',
      '755',
      '644',
    ]);
    expect(tree.lstat('link')?.node).toEqual({ type: 'symlink', target: 'f.txt' });
    expect(tree.lstat('docs')?.meta).toMatchObject({ uid: 0, gid: 0 });
  });

  describe('a folder of it', () => {
    let remote: string;
    beforeEach(async () => {
      remote = `${(await started(smartServer(root))).url}/tool/.git`;
    });

    test('is taken with what is below, without .git', async () => {
      const { tree } = await fetch(remote, { subdir: 'docs', gitDir: 'keep' });
      expect([tree.list(''), textAt(tree, 'man/page')]).toEqual([['man'], 'page of one']);
    });

    test('may be reached by symbolic links inside the repository', async () => {
      symlinkSync('docs/man', join(tool.folder, 'latest'));
      tool.commit({});
      expect((await fetch(remote, { subdir: 'latest' })).tree.list('')).toEqual(['page']);
    });

    test('is refused when it is missing, a file, git’s own, or a link out of the repository', async () => {
      symlinkSync(join(top, 'outside'), join(tool.folder, 'absolute'));
      symlinkSync('../../../../outside', join(tool.folder, 'upwards'));
      symlinkSync('loop', join(tool.folder, 'loop'));
      tool.commit({});
      mkdirSync(join(top, 'outside'));
      writeFileSync(join(top, 'outside/host-file'), 'HOST');
      for (const subdir of ['none', 'f.txt', '.git', 'absolute', 'upwards', 'loop']) {
        await expect(fetch(remote, { subdir }), subdir).rejects.toMatchObject(refused(/has no folder/));
      }
    });
  });

  describe('credentials in its URL', () => {
    const withPassword = (url: string): string => url.replace('//', `//${PASSWORD}@`);

    test('open a server that asks for them, and are in no file, label or argument', async () => {
      const { url } = await started(smartServer(root, PASSWORD));
      const bin = join(top, 'bin');
      mkdirSync(bin);
      writeFileSync(join(bin, 'git'), `#!/bin/sh\necho "$@" >> ${join(top, 'arguments')}\nexec ${findProgram('git')} "$@"\n`, {
        mode: 0o755,
      });
      const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
      const { tree, label } = await fetch(`${withPassword(url)}/tool/.git`, { gitDir: 'keep' }, { env });
      expect(textAt(tree, 'f.txt')).toBe('three');
      const seen = `${label}\n${readFileSync(join(top, 'arguments'), 'utf8')}\n${everythingBelow(folder)}`;
      expect(seen).toContain('ls-remote');
      expect(seen).not.toContain('s3cr3t');
    });

    test('may be a user alone, and may be escaped', async () => {
      const token = await started(smartServer(root, 'token:'));
      expect(textAt((await fetch(`${token.url.replace('//', '//token@')}/tool/.git`)).tree, 'f.txt')).toBe('three');
      const odd = await started(smartServer(root, 'a:b@c "$HOME" %'));
      const user = `a:${encodeURIComponent('b@c "$HOME" %')}`;
      expect(textAt((await fetch(`${odd.url.replace('//', `//${user}@`)}/tool/.git`)).tree, 'f.txt')).toBe('three');
    });

    test('are not shown when they are wrong', async () => {
      const { url } = await started(smartServer(root, 'other:password'));
      const failure = await fetch(`${withPassword(url)}/tool/.git`).catch((error: unknown) => error as Error & { hint?: string });
      expect(failure).toMatchObject({ code: 'GIT_FAILED', hint: expect.stringContaining('credentials') });
      expect(JSON.stringify([failure, (failure as Error).message])).not.toContain('s3cr3t');
    });

    test('go to no other server, not even for a submodule that asks', async () => {
      const own = await started(smartServer(root, PASSWORD));
      const other = await started(smartServer(root, 'somebody:else'));
      tool.submodule({ path: 'inner', commit: first, settings: { url: `${other.url}/tool/.git` } });
      await expect(fetch(`${withPassword(own.url)}/tool/.git`)).rejects.toMatchObject({ code: 'GIT_FAILED' });
      expect(other.requests.length).toBeGreaterThan(0);
      expect(other.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    });
  });

  describe('that is hostile', () => {
    let remote: string;
    beforeEach(async () => {
      remote = `${(await started(smartServer(root))).url}/tool/.git`;
    });

    const addSubmodule = (settings: Readonly<Record<string, string>>, path = 'sub', name = 'sub'): void =>
      tool.submodule({ path, name, commit: first, settings });

    test('cannot have files of this machine as a submodule', async () => {
      for (const url of [`file://${tool.folder}/.git`, tool.folder, '../../../../../..']) {
        addSubmodule({ url });
        await expect(fetch(remote), url).rejects.toMatchObject({ code: 'GIT_FAILED' });
      }
    });

    test('cannot run a command as the transport of a submodule', async () => {
      addSubmodule({ url: `ext::sh -c touch% ${join(top, 'RUN')}` });
      await expect(fetch(remote)).rejects.toMatchObject({ code: 'GIT_FAILED', hint: expect.stringContaining('submodules') });
      expect(existsSync(join(top, 'RUN'))).toBe(false);
    });

    test('cannot run a command as the update of a submodule, nor give git options by its URL', async () => {
      const touch = `touch ${join(top, 'RUN')}`;
      addSubmodule({ url: remote, update: `!${touch}` });
      await fetch(remote).catch(() => undefined);
      addSubmodule({ url: `--upload-pack=${touch}`, update: 'checkout' });
      await expect(fetch(remote)).rejects.toMatchObject({ code: 'GIT_FAILED' });
      expect(existsSync(join(top, 'RUN'))).toBe(false);
    });

    test('cannot place a submodule outside of the checkout, in .git, or below a symbolic link', async () => {
      mkdirSync(join(top, 'outside'));
      addSubmodule({ url: remote }, 'sub', '../../outside/name');
      await fetch(remote).catch(() => undefined);
      symlinkSync(join(top, 'outside'), join(tool.folder, 'way'));
      tool.git('add', 'way');
      addSubmodule({ url: remote, path: 'way/sub' }, 'deep/sub', 'deep');
      await fetch(remote).catch(() => undefined);
      expect(readdirSync(join(top, 'outside'))).toEqual([]);
    });

    test('cannot bring a .git of its own', async () => {
      const blob = execFileSync('git', ['-C', tool.folder, 'hash-object', '-w', '--stdin'], {
        input: '#!/bin/sh\n',
        encoding: 'utf8',
      }).trim();
      const inner = execFileSync('git', ['-C', tool.folder, 'mktree'], {
        input: `100755 blob ${blob}\tpost-checkout\n`,
        encoding: 'utf8',
      }).trim();
      const tree = execFileSync('git', ['-C', tool.folder, 'mktree'], { input: `040000 tree ${inner}\t.git\n`, encoding: 'utf8' }).trim();
      const commit = tool.git('commit-tree', '-m', 'hostile', tree);
      tool.git('update-ref', 'refs/heads/hostile', commit);
      await expect(fetch(remote, { at: ref('hostile'), gitDir: 'keep' })).rejects.toMatchObject(refused(/\.git/));
    });

    test('cannot have filters, hooks or the settings of this machine run anything', async () => {
      const touch = `touch ${join(top, 'RUN')}`;
      const home = join(top, 'home');
      mkdirSync(join(home, 'hooks'), { recursive: true });
      writeFileSync(join(home, 'hooks/post-checkout'), `#!/bin/sh\n${touch}\n`, { mode: 0o755 });
      const settings = `[core]\nhooksPath = ${home}/hooks\nfsmonitor = ${touch}\n[filter "lfs"]\nsmudge = ${touch}\nprocess = ${touch}\n`;
      writeFileSync(join(home, '.gitconfig'), `${settings}[url "http://127.0.0.1:1/"]\ninsteadOf = http://\n`);
      tool.commit({ '.gitattributes': '*.txt filter=lfs diff=lfs\n' });
      const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, GIT_CONFIG_GLOBAL: join(home, '.gitconfig'), GIT_DIR: tool.folder };
      const { tree } = await fetch(remote, { gitDir: 'keep' }, { env });
      expect(textAt(tree, 'f.txt')).toBe('three');
      expect(existsSync(join(top, 'RUN'))).toBe(false);
    });
  });

  test('is not fetched by the settings of a repository around the folder for it, whose programs anybody may have written', async () => {
    const { url } = await started(smartServer(root, PASSWORD));
    const program = join(top, 'program');
    writeFileSync(program, `#!/bin/sh\ntouch ${join(top, 'RUN')}\n`, { mode: 0o755 });
    mkdirSync(join(top, '.git', 'objects'), { recursive: true });
    mkdirSync(join(top, '.git', 'refs'));
    writeFileSync(join(top, '.git', 'HEAD'), 'ref: refs/heads/main\n');
    writeFileSync(join(top, '.git', 'config'), `[core]\nrepositoryformatversion = 0\naskPass = ${program}\n`);
    await expect(fetch(`${url}/tool/.git`)).rejects.toMatchObject({ code: 'GIT_FAILED' });
    expect(existsSync(join(top, 'RUN'))).toBe(false);
  });

  test('says which package to install where there is no git', async () => {
    const failure = fetch('https://example.invalid/tool.git', {}, { env: { PATH: join(top, 'nothing') } });
    await expect(failure).rejects.toMatchObject({ code: 'GIT_FAILED', hint: expect.stringContaining('install the package git') });
  });

  test('says what git says of a server that has none', async () => {
    const { url } = await started(dumbServer(root));
    await expect(fetch(`${url}/other/.git`)).rejects.toMatchObject(refused(/cannot fetch the git repository http.*not found/));
  });

  test('is left when the build is aborted, with nothing running and nothing on disk', async () => {
    const silent = await started(silentServer());
    const abort = new AbortController();
    const fetching = fetch(`${silent.url}/tool.git`, {}, { signal: abort.signal });
    await expect.poll(() => silent.requests.length).toBe(1);
    abort.abort(new Error('enough'));
    await expect(fetching).rejects.toThrow('enough');
    expect(readdirSync(folder)).toEqual([]);
    const homes = readdirSync('/proc').flatMap((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`HOME=${folder}/`) ? [pid] : [];
      } catch {
        return [];
      }
    });
    expect(homes).toEqual([]);
  });

  test('is fetched by git:// and by ssh, which asks nothing', async () => {
    const port = await freePort();
    const daemon = spawn(
      'git',
      ['-c', 'safe.directory=*', 'daemon', '--export-all', `--base-path=${root}`, '--listen=127.0.0.1', `--port=${port}`, root],
      { stdio: 'ignore', detached: true },
    );
    try {
      const fetched = async (): Promise<string | undefined> => textAt((await fetch(`git://127.0.0.1:${port}/tool/.git`)).tree, 'f.txt');
      await expect.poll(() => fetched().catch(() => undefined), { interval: 200 }).toBe('three');
    } finally {
      if (daemon.pid !== undefined) process.kill(-daemon.pid, 'SIGKILL');
    }
    const bin = join(top, 'bin');
    mkdirSync(bin);
    const script = `#!/bin/sh\necho "$@" >> ${join(top, 'ssh-arguments')}\nfor last; do :; done\nexec sh -c "$last"\n`;
    writeFileSync(join(bin, 'ssh'), script, { mode: 0o755 });
    const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
    for (const remote of [`git@example.invalid:${tool.folder}/.git`, `ssh://git@example.invalid${tool.folder}/.git`]) {
      expect(textAt((await fetch(remote, { at: ref('v1') }, { env })).tree, 'f.txt')).toBe('one');
    }
    const { label } = await fetch(`ssh://git:s3cr3t@example.invalid${tool.folder}/.git`, { at: ref('v1') }, { env });
    expect(label).toBe(`the git repository ssh://git@example.invalid${tool.folder}/.git`);
    expect(readFileSync(join(top, 'ssh-arguments'), 'utf8')).not.toContain('s3cr3t');
    expect(readFileSync(join(top, 'ssh-arguments'), 'utf8')).toMatch(/^-o BatchMode=yes .*git@example\.invalid git-upload-pack/);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
