/** What only the namespaces rung promises: what a RUN must not be able to do, and that nothing of it outlives tsbuild. */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { bundle } from './backend-bundle.ts';
import { changesOf, folderLayer, makeBusyboxRoot, processesWith, run, shell, takeChanges } from './backend-fixture.ts';

const user = { uid: 1234, gid: 1234, groups: [] };

/** An x86-64 program: exit(geteuid()). ELF header, one program header that maps the file, and 13 bytes of code. */
const GETEUID = Buffer.from(
  [
    '7f454c46020101000000000000000000 02003e0001000000 7800400000000000 4000000000000000 0000000000000000 00000000 4000 3800 0100 0000 0000 0000',
    '01000000 05000000 0000000000000000 0000400000000000 0000400000000000 8500000000000000 8500000000000000 0010000000000000',
    'b86b000000 0f05 89c7 6a3c58 0f05',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

/** `initPath`: the bundled init.ts; `dist`: the folder where further bundles may be made. */
export function namespacesSuite(make: (workFolder: string) => Promise<Backend>, paths: () => { dist: string; initPath: string }): void {
  describe('sandbox of namespaces', () => {
    let home: string;
    let backend: Backend;
    let rootfs: Rootfs;
    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-namespaces-'));
      makeBusyboxRoot(join(home, 'base'));
      backend = await make(join(home, 'work'));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async () => {
      rootfs = await backend.open([folderLayer(join(home, 'base'))], new AbortController().signal);
    });
    afterEach(async () => rootfs[Symbol.asyncDispose]());

    const linkLayer = (links: Readonly<Record<string, string>>): LayerMaterial => {
      const folder = mkdtempSync(join(home, 'links'));
      chmodSync(folder, 0o755);
      for (const [path, to] of Object.entries(links)) symlinkSync(to, join(folder, path));
      return folderLayer(folder);
    };

    const status = async (fields: string, changed: Parameters<typeof shell>[2] = {}): Promise<string[]> => {
      const { output } = await shell(rootfs, `grep -E "^(${fields}):" /proc/self/status`, changed);
      return output.trimEnd().replaceAll('\t', '').split('\n');
    };

    test("gives root exactly Docker's default capabilities", async () => {
      expect(await status('Cap...')).toEqual([
        'CapInh:0000000000000000',
        'CapPrm:00000000a80425fb',
        'CapEff:00000000a80425fb',
        'CapBnd:00000000a80425fb',
        'CapAmb:0000000000000000',
      ]);
    });

    test('gives another user no capability, and keeps new ones possible', async () => {
      expect(await status('Cap...|NoNewPrivs', { user })).toEqual([
        'CapInh:0000000000000000',
        'CapPrm:0000000000000000',
        'CapEff:0000000000000000',
        'CapBnd:00000000a80425fb',
        'CapAmb:0000000000000000',
        'NoNewPrivs:0',
      ]);
    });

    test.skipIf(process.arch !== 'x64')('lets setuid programs work', async () => {
      const folder = join(home, 'setuid');
      mkdirSync(folder);
      writeFileSync(join(folder, 'geteuid'), GETEUID);
      chmodSync(join(folder, 'geteuid'), 0o4755);
      await rootfs.lay(folderLayer(folder), new AbortController().signal);
      expect((await run(rootfs, { argv: ['/geteuid'], user })).status).toEqual({ kind: 'code', code: 0 });
    });

    test('makes the command pid 1 that leads its own session, alone in its process table', async () => {
      const { output } = await shell(
        rootfs,
        'echo $$; grep -E "^NS(pid|sid|pgid)" /proc/self/status | tr -d "\\t"; ls /proc | grep -c "^[0-9]"',
      );
      expect(output).toMatch(/^1\nNSpid:\d+\nNSpgid:1\nNSsid:1\n[1-6]\n$/);
    });

    test('runs under a seccomp filter that denies new namespaces and the kernel log', async () => {
      const script =
        'grep "^Seccomp:" /proc/self/status; for call in "unshare -U" "unshare -n" dmesg; do /bin/busybox $call true 2>&1; done; true';
      const { output } = await shell(rootfs, script);
      expect(output).toMatch(/^Seccomp:\t2\n/);
      expect(output.match(/Operation not permitted/g)?.length).toBe(3);
    });

    test.each(['/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/sys/kernel/uevent_helper', '/proc/irq/default_smp_affinity'])(
      'lets nobody write to %s',
      async (file) => {
        expect((await shell(rootfs, `echo x > ${file}`)).status).toEqual({ kind: 'code', code: 1 });
      },
    );

    test('shows nothing in the files of the kernel that Docker masks', async () => {
      const script =
        'cat /proc/keys /proc/timer_list /proc/latency_stats /proc/kcore 2>/dev/null | wc -c; ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v :';
      expect((await shell(rootfs, script)).output.trim()).toBe('0');
    });

    test('allows no mount', async () => {
      const script =
        'mount -t tmpfs none /tmp; umount /proc/sys; mount -o remount,bind,rw /proc/sys; grep -c " /tmp " /proc/self/mountinfo; echo x > /proc/sys/kernel/hostname';
      const { status: ended, output } = await shell(rootfs, script);
      expect(output).toMatch(/^0$/m);
      expect(ended).toEqual({ kind: 'code', code: 1 });
    });

    test('has a minimal /dev whose null, zero and urandom work, also for users', async () => {
      const script =
        'ls /dev | tr "\\n" " "; echo x > /dev/null; dd if=/dev/zero bs=8 count=1 2>/dev/null | wc -c; dd if=/dev/urandom bs=8 count=1 2>/dev/null | wc -c; echo x > /dev/shm/f; cat /dev/shm/f';
      const { output } = await shell(rootfs, script, { user });
      expect(output).toBe('fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero 8\n8\nx\n');
    });

    test("never lets root change the machine's device nodes, only use them", async () => {
      const nodes = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom', '/dev/tty'];
      const before = new Map(nodes.map((node) => [node, statSync(node)]));
      const paths = [...nodes, '/proc/keys', '/proc/timer_list', '/proc/self/fd/0', '/dev/stdin'];
      const changes = ['chmod 601', 'chown 1:1', 'touch -d "2001-02-03 04:05:06"', 'touch'];
      const attempts = paths.flatMap((path) => changes.map((change) => `${change} ${path} 2>/dev/null && echo "${change} ${path}"`));
      const uses =
        'echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x > /dev/full; wc -c < /dev/stdin';
      try {
        const { output } = await shell(rootfs, `${attempts.join('\n')}\nexec 2>&1; ${uses}`);
        expect(output).toMatch(/^3\n3\n.*No space left.*\n0\n$/);
        for (const [node, stats] of before) expect(identity(statSync(node)), node).toEqual(identity(stats));
      } finally {
        for (const [node, stats] of before) restoreNode(node, stats);
      }
    });

    test('has its own /dev/null as standard input, also where a mount covers /dev', async () => {
      const mounts = [{ type: 'tmpfs', target: '/dev', sizeBytes: null, mode: 0o755 }] as const;
      const { output } = await shell(rootfs, 'cat | wc -c; touch /proc/self/fd/0 2>&1; ls /dev', { mounts });
      expect(output).toMatch(/^0\ntouch: .*Read-only file system\n$/);
    });

    test('is not led out of its rootfs by a folder that was open when tsbuild was started', () => {
      const { dist, initPath } = paths();
      const driver = bundle(dist, new URL('./backend-inherits.ts', import.meta.url), 'inherits.mjs');
      const withFolder = (cwd: string): string => {
        const args = [process.execPath, driver, initPath, join(home, 'inherits'), join(home, 'base'), cwd];
        return execFileSync('sh', ['-c', 'exec 9<"$0"; exec "$@"', home, ...args], { encoding: 'utf8' });
      };
      expect(withFolder('/tmp')).toMatch(/fd\/9: No such file/);
      for (const cwd of ['/proc/self/fd/9', '/proc/self/fd/9/made']) {
        expect(withFolder(cwd)).toContain(`cannot make the working directory ${cwd}: `);
      }
      expect(readdirSync(home)).not.toContain('made');
    });

    test('closes, in its first process, the folders that this was started with', async () => {
      const { initPath } = paths();
      // Its spec comes from a pipe that nobody writes to, so it waits.
      const child = spawn('sh', ['-c', 'exec 8</dev/null 9</; read -r _; exec "$@"', 'sh', process.execPath, initPath], {
        stdio: ['pipe', 'ignore', 'inherit', 'pipe', 'pipe'],
      });
      const descriptors = (): (string | undefined)[] => [8, 9].map((fd) => descriptorOf(child.pid, fd));
      try {
        while (descriptors()[1] !== '/') await setTimeout(5);
        child.stdin?.end('go\n');
        while (descriptors()[1] === '/') await setTimeout(5);
        // Node may open a file of its own under the number that is free now.
        expect(descriptors()[0]).toBe('/dev/null');
      } finally {
        child.kill('SIGKILL');
      }
    });

    test.each(['/proc/nothing', '/proc/nothing/deep', '/sys/nothing', '/etc/file/x', '/dangling'])(
      'says that the working directory %s cannot be made',
      async (cwd) => {
        const folder = mkdtempSync(join(home, 'cwd'));
        chmodSync(folder, 0o755);
        mkdirSync(join(folder, 'etc'));
        writeFileSync(join(folder, 'etc/file'), '');
        symlinkSync('nowhere', join(folder, 'dangling'));
        await rootfs.lay(folderLayer(folder), new AbortController().signal);
        await expect(shell(rootfs, 'true', { cwd })).rejects.toMatchObject({
          code: 'BACKEND_FAILED',
          message: expect.stringContaining(`cannot make the working directory ${cwd}: `),
          hint: expect.stringContaining('WORKDIR must name'),
        });
      },
    );

    test.each([
      ['/link', '/proc', 'may not cover'],
      ['/link', '/proc/sys', 'may not cover'],
      ['/link', 'proc/keys', 'may not cover'],
      ['/zlink', '/proc', 'may not cover'],
      ['/zlink', '/sys/kernel', 'may not cover'],
      ['/link', '/', 'may not cover'],
    ])('refuses a mount at %s where that is a symlink to %s', async (target, to, why) => {
      await rootfs.lay(linkLayer({ [target]: to }), new AbortController().signal);
      const mounts = [{ type: 'tmpfs', target, sizeBytes: null, mode: 0o755 }] as const;
      await expect(shell(rootfs, 'true', { mounts })).rejects.toMatchObject({
        code: 'BACKEND_FAILED',
        message: expect.stringContaining(why),
      });
    });

    test.each([
      ['/missing/../tmp', '/missing'],
      ['/a/../nowhere', '/nowhere'],
    ])('says why nothing can be mounted at a symlink to %s', async (to, missing) => {
      await rootfs.lay(linkLayer({ '/dev': to }), new AbortController().signal);
      const mounts = [{ type: 'tmpfs', target: '/a', sizeBytes: null, mode: 0o755 }] as const;
      await expect(shell(rootfs, 'true', { mounts })).rejects.toMatchObject({
        message: `cannot mount /dev: it leads through a symlink to a place where no mount point can be made (${missing} does not exist)`,
        hint: expect.stringContaining('symlink'),
      });
    });

    test('may begin in a folder below /proc', async () => {
      expect((await shell(rootfs, 'pwd', { cwd: '/proc/sys/kernel' })).output).toBe('/proc/sys/kernel\n');
    });

    test('gives a folder that was made for a mount, and then changed, the time of the run', async () => {
      const mounts = [{ type: 'tmpfs', target: '/x/y/z', sizeBytes: null, mode: 0o755 }] as const;
      const before = BigInt(Date.now() - 1000) * 1_000_000n;
      await shell(rootfs, 'chmod 711 /x', { mounts });
      const [entry] = (await takeChanges(rootfs)).entries;
      expect(entry).toMatchObject({ kind: 'put', path: 'x', meta: { mode: 0o711 } });
      expect(entry?.kind === 'put' && entry.meta.mtimeNs > before).toBe(true);
    });

    test('gets a process ready for the next run, unless none is to be expected', async () => {
      const waiting = (): number => readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).length;
      const before = waiting();
      await shell(rootfs, 'true', { next: 'none' });
      expect(waiting()).toBe(before - 1);
      await takeChanges(rootfs);
      await changesOf(rootfs, 'true');
      expect(waiting()).toBe(before);
    });

    test('says that too many files are open, and leaves none open itself', () => {
      const { dist, initPath } = paths();
      const driver = bundle(dist, new URL('./backend-descriptors.ts', import.meta.url), 'descriptors.mjs');
      const args = [process.execPath, driver, initPath, join(home, 'descriptors'), join(home, 'base')];
      const said = execFileSync('sh', ['-c', 'ulimit -n 100; exec "$@"', 'sh', ...args], { encoding: 'utf8' });
      expect(JSON.parse(said)).toEqual({
        failed: 7,
        codes: ['BACKEND_FAILED'],
        hints: ['allow more open files: ulimit -n'],
        leaked: 0,
        left: [],
      });
    });

    test.skipIf(overlayStyle() === 'user')('lets root make device nodes, which are in the layer, but never open one', async () => {
      const { rdev } = statSync(process.env['TSBUILD_TEST_DISK'] ?? anyBlockDevice());
      const [major, minor] = [(rdev >> 8) & 0xfff, rdev & 0xff];
      const made = ['/disk', '/dev/disk', '/dev/shm/disk', '/tmp/disk', '/mem/disk', '/cache/disk'];
      const cache = join(home, `cache${Date.now()}`);
      const mounts = [
        { type: 'tmpfs', target: '/mem', sizeBytes: null, mode: 0o777 },
        { type: 'folder', target: '/cache', hostPath: mkdtempSync(cache), readonly: false },
      ] as const;
      const script = made
        .map((path) => `mknod ${path} b ${major} ${minor}; dd if=${path} of=/dev/null bs=1 count=1 2>&1 | grep -c "Permission denied"`)
        .join(';');
      expect((await shell(rootfs, script, { mounts })).output).toBe('1\n'.repeat(made.length));
    });

    test.skipIf(overlayStyle() === 'user')('puts device nodes into the layer', async () => {
      expect(await changesOf(rootfs, 'mknod -m 600 /c c 1 3; mknod -m 640 /b b 259 70000')).toEqual([
        'b 640 0:0 b 259,70000',
        'c 600 0:0 c 1,3',
      ]);
    });

    test('holds root in its rootfs, although it has CAP_SYS_CHROOT', async () => {
      // The classic way out of a chroot: one inside it, and then up from a folder outside that.
      const script =
        'mkdir -p /jail/bin; cp /bin/busybox /jail/bin; cd /; chroot /jail /bin/busybox sh -c "cd ../../../../..; ls" 2>/dev/null; ls /../../..; ls /proc/1/root/';
      const { output } = await shell(rootfs, script.replace('chroot ', '/bin/busybox chroot '));
      expect(new Set(output.trim().split('\n'))).toEqual(new Set(['bin', 'data', 'dev', 'etc', 'jail', 'proc', 'sys', 'tmp']));
    });

    test("does not show the machine's mounts or environment", async () => {
      const { output } = await shell(
        rootfs,
        'tr "\\0" "\\n" < /proc/1/environ; while read -r a b c d point e; do echo "$point"; done < /proc/self/mountinfo',
      );
      const [environment, ...points] = output.trimEnd().split('\n');
      expect(environment).toBe('PATH=/bin');
      expect(points.filter((point) => !/^\/($|dev|proc|sys|etc\/(hosts|resolv\.conf)$)/.test(point))).toEqual([]);
    });

    test('keeps the content of file mounts off every disk', async () => {
      const secret = `secret-${Date.now()}-${process.pid}`;
      const mounts = [{ type: 'file', target: '/run/secrets/s', bytes: Buffer.from(secret), mode: 0o400, uid: 0, gid: 0 }] as const;
      const { output } = await shell(
        rootfs,
        'grep " /run/secrets/s " /proc/self/mountinfo | grep -c " - tmpfs "; cat /run/secrets/s > /dev/null',
        { mounts },
      );
      expect(output).toBe('1\n');
      expect(filesHolding(join(home, 'work'), secret)).toEqual([]);
    });

    test('leaves no mount on the machine', async () => {
      await shell(rootfs, 'true');
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(home);
    });

    test('removes its folders when it is disposed of, also those without permissions', async () => {
      await using second = await backend.open([folderLayer(join(home, 'base'))], new AbortController().signal);
      await changesOf(second, 'mkdir -p /x/y; touch /x/y/f; chmod 000 /x/y /x');
      await second[Symbol.asyncDispose]();
      await rootfs[Symbol.asyncDispose]();
      expect(readdirSync(join(home, 'work'))).toEqual([]);
    });

    test('leaves no process when tsbuild is killed', async () => {
      const { dist, initPath } = paths();
      // A name of its own: processes that wait in other rootfs of this suite must not be taken for what is left.
      const init = join(dist, 'killed-init.cjs');
      copyFileSync(initPath, init);
      const seconds = `34567.${Date.now()}`;
      const driver = bundle(dist, new URL('./backend-killed.ts', import.meta.url), 'killed.mjs');
      const work = join(home, 'killed');
      const child = spawn(process.execPath, [driver, init, work, join(home, 'base'), seconds], { stdio: 'inherit' });
      while (processesWith(seconds).filter((pid) => pid !== child.pid).length < 2) await setTimeout(20);
      child.kill('SIGKILL');
      const left = (): number[] => [...processesWith(seconds), ...processesWith(init)];
      // The kernel ends them after the parent's end, not with it.
      await expect.poll(left).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(work);
    });
  });
}

function identity({ mode, uid, gid, mtimeMs }: Stats): object {
  return { mode, uid, gid, mtimeMs };
}

/** Whatever a failing test has done to this machine. */
function restoreNode(node: string, { mode, uid, gid, atime, mtime }: Stats): void {
  const now = statSync(node);
  if (now.uid !== uid || now.gid !== gid) chownSync(node, uid, gid);
  if (now.mode !== mode) chmodSync(node, mode & 0o7777);
  if (now.mtimeMs !== mtime.getTime() && overlayStyle() === 'trusted') utimesSync(node, atime, mtime);
}

/** What a descriptor of a process leads to; undefined: it is closed. */
function descriptorOf(pid: number | undefined, fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

function anyBlockDevice(): string {
  const [name] = readdirSync('/sys/class/block');
  if (name === undefined) throw new Error('this machine has no disk: name one in TSBUILD_TEST_DISK');
  return `/dev/${name}`;
}

function filesHolding(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => headOf(path).includes(text));
}

function headOf(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(2 ** 16);
    return buffer.toString('latin1', 0, readSync(fd, buffer));
  } finally {
    closeSync(fd);
  }
}
