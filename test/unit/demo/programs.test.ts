import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeBaseImage } from '../../../src/demo/base-image.ts';
import { findPrograms, type Programs } from '../../../src/demo/programs.ts';
import { findProgram, missing } from '../../helpers/tools.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-programs-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Runs a script in a rootfs made of nothing but the image. */
async function runInImage(programs: Programs, script: string): Promise<string> {
  const { blobs } = await makeBaseImage(programs.files);
  const root = join(folder, 'root');
  execFileSync('mkdir', [root]);
  execFileSync('tar', ['-x', '-C', root], { input: gunzipSync(blobs[1] ?? Buffer.alloc(0)) });
  return execFileSync(findProgram('chroot') ?? 'chroot', [root, '/bin/sh', '-ec', script], { encoding: 'utf8', env: { PATH: '/bin' } });
}

const SCRIPT = 'mkdir -p /a && echo "$(id -u) $(cat /etc/os-release | wc -l) $(ls /a | wc -w)"; test -d /a; uname; env';

test.skipIf(missing(['root', 'busybox']) !== undefined)(
  'an image of busybox alone runs what the Dockerfile of the demo calls',
  async () => {
    symlinkSync(findProgram('busybox') ?? '', join(folder, 'busybox'));
    const programs = findPrograms([folder]);
    expect(programs.shell).toBe(join(folder, 'busybox'));
    expect(await runInImage(programs, SCRIPT)).toMatch(/^0 2 0\n/);
  },
);

test.skipIf(missing(['root', 'ldd']) !== undefined)('without busybox, a shell, commands and their libraries do', async () => {
  for (const name of ['sh', 'cat', 'ls', 'mkdir', 'wc', 'id', 'uname', 'env', 'test'])
    symlinkSync(findProgram(name) ?? '', join(folder, name));
  const programs = findPrograms([folder]);
  expect(programs.files.map(({ path }) => path)).toContain('/bin/sh');
  expect(await runInImage(programs, SCRIPT)).toMatch(/^0 2 0\n/);
});

test('a machine without a shell is told so', () => {
  expect(() => findPrograms([folder])).toThrow('there is no shell on this machine');
});
