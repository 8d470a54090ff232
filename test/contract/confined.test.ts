/** Commands that may not open some places, in folders where they make new entries. Below a temporary folder, with all of this machine around it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { LANDLOCK_VERSION_NEEDED } from '../../src/backend/confined/confine.ts';
import { confinementFor } from '../../src/backend/confined/confinement.ts';
import { openEntryStock } from '../../src/backend/confined/entry-stock.ts';
import { helpWithNewEntries } from '../../src/backend/confined/new-entries.ts';
import type { Supervisor } from '../../src/backend/supervised/supervise.ts';
import { landlockVersion } from '../../src/sys/landlock.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { bundle, bundleFolder } from './backend-bundle.ts';

const version = landlockVersion();

function obstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, as who builds in place is';
  return version < LANDLOCK_VERSION_NEEDED ? `this kernel has version ${version} of Landlock` : undefined;
}

describeUnless(obstacle(), 'a confined command', () => {
  let bundles: string;
  let program: string;
  let home: string;
  let secret: string;

  beforeAll(() => {
    bundles = bundleFolder();
    program = bundle(bundles, new URL('confined-child.ts', import.meta.url), 'confined.cjs');
  });
  afterAll(() => rmSync(bundles, { recursive: true, force: true }));
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'tsbuild-confined-'));
    secret = join(home, 'secret');
    mkdirSync(secret);
    mkdirSync(join(home, 'old'));
    writeFileSync(join(secret, 'token'), 'the token\n');
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  /** What a script says, stderr among it, and how it ends; it begins in `home`, which is split. */
  const sh = async (script: string): Promise<{ readonly code: number | null; readonly said: string }> => {
    const stockFolder = join(secret, 'stock');
    const stock = await openEntryStock(stockFolder);
    const confinement = confinementFor([secret], stock.fill(), version);
    const child = spawn(process.execPath, [program, JSON.stringify(confinement), `exec 2>&1; ${script}`], {
      cwd: home,
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    });
    const failures: unknown[] = [];
    let supervisor: Supervisor | undefined;
    (child.stdio[3] as Readable).once('data', (line: Buffer) => {
      supervisor = helpWithNewEntries({ pid: child.pid ?? 0, fd: Number(line) }, { confinement, stock }, (e) => failures.push(e));
    });
    const [said, [code]] = await Promise.all([text(child.stdout as Readable), once(child, 'exit')]);
    supervisor?.stop();
    expect(failures).toEqual([]);
    return { code: code as number | null, said };
  };
  const denied = async (script: string): Promise<void> => {
    const { code, said } = await sh(script);
    expect(said).toMatch(/permission denied/i);
    expect(said).not.toContain('the token');
    expect(code).not.toBe(0);
  };

  test.each([
    ['by its path', 'cat secret/token'],
    ['through a symlink', 'ln -s secret way; cat way/token'],
    ['through /proc/self/root', `cat /proc/self/root$PWD/secret/token`],
    ['through the working folder', 'cd secret; cat token'],
    ['through a hard link', 'ln secret/token token && cat token || { echo Permission denied; exit 1; }'],
    ['in a new user namespace', 'unshare -r cat secret/token'],
    ['by changing it', 'echo x >> secret/token'],
    ['by truncating it', 'truncate -s 0 secret/token'],
    ['as another user that it became', 'chmod -R a+rwX secret; setpriv --reuid=1234 --regid=1234 --clear-groups cat secret/token'],
  ])('cannot get at a closed file %s', async (_, script) => {
    await denied(script);
    expect(readFileSync(join(secret, 'token'), 'utf8')).toBe('the token\n');
  });

  test.each([
    ['remove it', 'rm secret/token'],
    ['make something in its folder', 'mkdir secret/d'],
    ['put a symlink in its folder', 'ln -s /bin/true secret/link'],
    ['move it away', 'mv secret/token secret/other'],
    ['move its folder away', 'mv secret other'],
    ['move something to its place', 'mkdir d; mv -T d secret'],
    ['move the folders above it', `mv $PWD $PWD-moved`],
  ])('cannot %s where that is closed', async (_, script) => {
    const { code, said } = await sh(script);
    expect(said).toMatch(/permission denied|device or resource busy|not empty|cross-device/i);
    expect(code).not.toBe(0);
    expect(readdirSync(secret).sort()).toEqual(['stock', 'token']);
  });

  test('opens everything else', async () => {
    expect(await sh('cat /etc/hostname >/dev/null && ls /proc/self/fd >/dev/null && echo x > old/f && cat old/f')).toEqual({
      code: 0,
      said: 'x\n',
    });
  });

  test.each([
    ['a file', 'echo new > f; cat f; echo more >> f; cat f', 'new\nnew\nmore\n'],
    ['a file that has to be new', 'set -C; echo new > f; cat f; (echo again > f) 2>/dev/null || echo refused', 'new\nrefused\n'],
    ['a folder', 'mkdir -p a/b/c; echo deep > a/b/c/f; cat a/b/c/f', 'deep\n'],
    ['a folder by its whole path', 'mkdir $PWD/a; cp -r /etc/hostname $PWD/a/f; cmp /etc/hostname a/f && echo same', 'same\n'],
    ['an archive', 'tar -cf x.tar -C /etc hostname; tar -xf x.tar; cmp hostname /etc/hostname && echo same', 'same\n'],
    ['what was moved there', 'echo y > old/f; mv old/f f; cat f; mkdir old/d; echo z > old/d/g; mv old/d d; cat d/g', 'y\nz\n'],
    ['what was renamed there', 'echo 1 > f; mv f g; cat g', '1\n'],
    ['what it removes', 'touch f; mkdir d; ln -s f l; rm -r f d l; ls', 'old\nsecret\n'],
    ['what was made, removed and made again', 'for i in 1 2 3; do mkdir d; echo $i > d/f; cat d/f; rm -r d; done', '1\n2\n3\n'],
    ['a symlink', 'ln -s old/f l; echo y > old/f; cat l; ln -sf /etc/hostname l; cmp l /etc/hostname && echo same', 'y\nsame\n'],
    ['a hard link', 'echo y > f; ln f g; cat g; stat -c %h f', 'y\n2\n'],
    ['a fifo', 'mkfifo -m 640 p; stat -c %F,%a p', 'fifo,640\n'],
    ['a device', 'mknod n c 1 3; stat -c %F,%t,%T n', 'character special file,1,3\n'],
    ['a program', 'cp /bin/true ./t; ./t && echo ran', 'ran\n'],
    ['what a child of another user reads', 'umask 022; echo y > f; setpriv --reuid=1234 --regid=1234 --clear-groups cat f', 'y\n'],
  ])('can use %s that it makes beside a closed place', async (_, script, said) => {
    chmodSync(home, 0o755);
    expect(await sh(script)).toEqual({ code: 0, said });
  });

  test('gives new entries the mode, owner and time that the kernel would', async () => {
    const began = Date.now();
    await sh('umask 027; touch f; mkdir d; mkdir -m 1777 t; setpriv --rgid=7 --egid=7 touch g || touch g');
    const of = (name: string): string => {
      const { mode, uid, gid } = lstatSync(join(home, name));
      return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
    };
    expect([of('f'), of('d'), of('t')]).toEqual(['640 0:0', '750 0:0', '1777 0:0']);
    expect(lstatSync(join(home, 'f')).mtimeMs).toBeGreaterThan(began - 2000);
  });

  test('finds what is there already as it is', async () => {
    writeFileSync(join(home, 'f'), 'before\n');
    symlinkSync('f', join(home, 'link'));
    expect(await sh('mkdir old 2>/dev/null || echo exists; cat f; echo after >> link; cat f')).toEqual({
      code: 0,
      said: 'exists\nbefore\nbefore\nafter\n',
    });
  });

  test('makes more entries than are in stock, and can still make them', async () => {
    const { code, said } = await sh('i=0; while [ $i -lt 100 ]; do mkdir d$i || exit 1; i=$((i+1)); done; ls -d d* | wc -l');
    expect({ code, said: said.trim() }).toEqual({ code: 0, said: '100' });
  });

  test('gets no new privileges, and leaves its supervisor alone', async () => {
    expect((await sh('grep NoNewPrivs /proc/self/status')).said).toBe('NoNewPrivs:\t1\n');
    expect((await sh(`kill -0 ${process.pid} && echo reached`)).said).not.toContain('reached');
  });
});
