/** ADD of git repositories by the whole program: what lands in the image, and that a password in a URL lands nowhere. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, type Outcome, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { smartServer, type TestServer, testRepository } from '../helpers/git-server.ts';
import { missing } from '../helpers/tools.ts';

describeUnless(missing(['git']), 'ADD of a git repository', () => {
  let top: string;
  let server: TestServer;

  beforeAll(async () => {
    top = mkdtempSync(join(tmpdir(), 'tsbuild-add-git-'));
    const repository = testRepository(join(top, 'served/tool'));
    repository.commit({ 'f.txt': 'one', 'docs/page': 'page' });
    repository.git('tag', 'v1');
    repository.commit({ 'f.txt': 'two' });
    server = await smartServer(join(top, 'served'), 'me:s3cr3t-w0rd');
  });
  afterAll(async () => {
    await server.close();
    rmSync(top, { recursive: true });
  });

  function build(dockerfile: string, flags: readonly string[] = []): Promise<Outcome> {
    writeFileSync(join(top, 'Dockerfile'), dockerfile);
    const site = server.url.replace('//', '//me:s3cr3t-w0rd@');
    const files = [`--context=${join(top, 'served')}`, `--dockerfile=${join(top, 'Dockerfile')}`, `--cache-dir=${join(top, 'cache')}`];
    const output = ['--no-push', '--destination=test/image:1', `--tar-path=${join(top, 'image.tar')}`];
    return execute([process.execPath, TSBUILD, ...files, ...output, `--build-arg=SITE=${site}`, ...flags]);
  }

  /** The image's files by layer, and all its bytes, unpacked. */
  function unpacked(): { readonly lists: readonly string[]; readonly bytes: string } {
    const folder = mkdtempSync(join(top, 'image-'));
    execFileSync('tar', ['-C', folder, '-xf', join(top, 'image.tar')]);
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
    const contents = files.filter((path) => statSync(path).isFile()).map((path) => readFileSync(path));
    const plain = contents.map((bytes) => (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes));
    const lists = plain
      .filter((bytes) => bytes.subarray(257, 262).toString() === 'ustar')
      .map((input) => execFileSync('tar', ['-t'], { input, encoding: 'utf8' }));
    return { lists, bytes: plain.map((bytes) => bytes.toString('latin1')).join('') };
  }

  test('brings a tag, a folder of a branch and a .git that is wanted', async () => {
    const built = await build('FROM scratch\nARG SITE\nADD $SITE/tool/.git#v1 /v1/\nADD $SITE/tool/.git?branch=main&subdir=docs /d\n');
    expect([built.code, built.log]).toEqual([0, expect.stringContaining('Built')]);
    expect([...unpacked().lists].sort()).toEqual(['d/\nd/page\n', 'v1/\nv1/docs/\nv1/docs/page\nv1/f.txt\n']);
    const kept = await build('FROM scratch\nARG SITE\nADD --keep-git-dir $SITE/tool/.git /r\n');
    expect([kept.code, unpacked().lists[0]]).toEqual([0, expect.stringMatching(/r\/\.git\/HEAD\n.*r\/\.git\/shallow\n/s)]);
  });

  test('shows a password that is in the URL neither in the image nor in what the program says', async () => {
    const dockerfile = `FROM scratch\nADD --keep-git-dir ${server.url.replace('//', '//me:s3cr3t-w0rd@')}/tool/.git /r\n`;
    const built = await build(dockerfile);
    expect(built.code).toBe(0);
    const { bytes } = unpacked();
    expect(bytes).toContain('xxxxx:xxxxx@127.0.0.1');
    expect(`${bytes}${built.log}`).not.toContain('s3cr3t');
    const failed = await build(dockerfile.replace('.git /r', '.git#none /r'));
    expect(failed.code).not.toBe(0);
    expect(failed.log).toContain('no branch or tag "none"');
    expect(failed.log).not.toContain('s3cr3t');
  });
});
