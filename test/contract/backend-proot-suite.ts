/** What is the proot rung's own: owners that commands set although nobody may, and processes and mounts without namespaces. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { landlockVersion } from '../../src/sys/landlock.ts';
import { changesOf, folderLayer, lines, makeBusyboxRoot, processesWith, run, shell, takeChanges } from './backend-fixture.ts';

export function prootSuite(make: (workFolder: string) => Promise<Backend>): void {
  describe('proot', () => {
    const never = new AbortController().signal;
    let home: string;
    let base: LayerMaterial;
    let backend: Backend;
    let rootfs: Rootfs;

    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-proot-'));
      chmodSync(home, 0o755);
      makeBusyboxRoot(join(home, 'base'));
      base = folderLayer(join(home, 'base'));
      backend = await make(join(home, 'work'));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async () => {
      rootfs = await backend.open([base], never);
    });
    afterEach(async () => rootfs[Symbol.asyncDispose]());

    describe('owners', () => {
      test.each([
        ['chown', 'chown 33:44 /data', 'd 755 33:44 data'],
        ['a relative path', 'cd /data; chown 5:6 .', 'd 755 5:6 data'],
        ['a path through a symlink', 'ln -s /data /l; chown 5:6 /l; rm /l', 'd 755 5:6 data'],
      ])('are kept as a command sets them: %s', async (_, script, expected) => {
        expect(await changesOf(rootfs, script)).toEqual([expected]);
      });

      test('of a symlink are its own', async () => {
        expect(await changesOf(rootfs, 'ln -s nowhere /l; chown -h 5:6 /l')).toEqual(['l 777 5:6 l -> nowhere']);
      });

      test('go with a file to another name, and are not those of a new file under the old one', async () => {
        const script = 'echo > /f; chown 33:44 /f; mv /f /tmp/g; echo > /f; ln /tmp/g /h; chmod 640 /h';
        expect(await changesOf(rootfs, script)).toEqual(['f 644 0:0 f', 'f 640 33:44 h', 'd 1777 0:0 tmp', 'h 640 33:44 tmp/g => h']);
      });

      test('are those of the last chown, and stay in later runs', async () => {
        await changesOf(rootfs, 'mkdir /d; chown 1:1 /d; chown 7:8 /d');
        expect(await changesOf(rootfs, 'echo > /d/f')).toEqual(['d 755 7:8 d', 'f 644 0:0 d/f']);
        expect(await changesOf(rootfs, 'chown 0:0 /d')).toEqual(['d 755 0:0 d']);
      });

      test('of new files are the USER of the run', async () => {
        const user = { uid: 1234, gid: 99, groups: [] };
        expect(await changesOf(rootfs, 'echo > /tmp/f; mkdir /tmp/d', { user })).toEqual([
          'd 1777 0:0 tmp',
          'd 755 1234:99 tmp/d',
          'f 644 1234:99 tmp/f',
        ]);
      });

      test('are not for another user to give away', async () => {
        const user = { uid: 1234, gid: 99, groups: [] };
        const { output } = await shell(rootfs, 'echo > /tmp/f; chown 33 /tmp/f 2>&1', { user });
        expect(output).toContain('Operation not permitted');
      });

      test('take setuid off, as the kernel does, and a later chmod puts it on', async () => {
        expect(await changesOf(rootfs, 'echo > /f; chmod 4755 /f; chown 5 /f')).toEqual(['f 755 5:0 f']);
        expect(await changesOf(rootfs, 'chmod 6755 /f')).toEqual(['f 6755 5:0 f']);
      });

      test('that change are changes of a file of the image', async () => {
        expect(await changesOf(rootfs, 'chown 5:6 /bin/busybox')).toEqual(['d 755 0:0 bin', 'f 755 5:6 bin/busybox']);
      });
    });

    test('makes device nodes for the layer', async () => {
      expect(await changesOf(rootfs, 'mknod -m 600 /c c 1 3; mknod -m 640 /b b 259 70000; chown 0:6 /b; mkfifo /p')).toEqual([
        'b 640 0:6 b 259,70000',
        'c 600 0:0 c 1,3',
        'p 644 0:0 p',
      ]);
      await expect(changesOf(rootfs, 'mknod /dev/x c 1 3')).rejects.toThrow('Permission denied');
    });

    test('lets root use files and folders that their modes shut', async () => {
      const script = 'mkdir -p /s/d; echo in > /s/d/f; chmod 0 /s/d/f /s/d; chmod 555 /s; cat /s/d/f; echo > /s/new; echo more >> /s/d/f';
      const { output } = await shell(rootfs, script);
      expect(output).toBe('in\n');
      expect(lines((await takeChanges(rootfs)).entries)).toEqual(['d 555 0:0 s', 'd 0 0:0 s/d', 'f 0 0:0 s/d/f', 'f 644 0:0 s/new']);
    });

    test('shows the command nothing of proot but its tracer', async () => {
      expect((await run(rootfs, { argv: ['/bin/cat', '/proc/self/environ'] })).output).toBe('PATH=/bin\0');
      await takeChanges(rootfs);
      const { output } = await shell(rootfs, 'ls -a / | tr "\\n" " "; ls /proc/self/fd | wc -l');
      expect(output).toBe('. .. bin data dev etc proc sys tmp 4\n');
    });

    test('runs commands in parallel rootfs, each with its own processes', async () => {
      await using other = await backend.open([base], never);
      const seconds = `45678.${Date.now()}`;
      const long = shell(other, `sleep ${seconds} & sleep 2; kill %1 && echo alive`);
      await setTimeout(700);
      await shell(rootfs, 'sleep 1000 & setsid sleep 1000 & exit 0');
      expect((await long).output).toBe('alive\n');
    });

    test('leaves alone what tsbuild itself has started', async () => {
      const own = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
      try {
        await shell(rootfs, 'setsid sleep 1000 & exit 0');
        expect([own.exitCode, own.signalCode]).toEqual([null, null]);
        expect(readFileSync(`/proc/${own.pid}/comm`, 'utf8')).toBe('sleep\n');
      } finally {
        own.kill('SIGKILL');
      }
    });

    test('kills what goes on when proot itself is killed', async () => {
      const seconds = `56789.${Date.now()}`;
      const running = shell(rootfs, `sleep ${seconds} & setsid sleep ${seconds} & sleep ${seconds}`);
      running.catch(() => undefined);
      const tracer = (pid: number): number => Number(/^TracerPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
      const tracees = (): number[] => processesWith(seconds).filter((pid) => tracer(pid) > 0);
      while (tracees().length < 3) await setTimeout(20);
      const [sleeping = 0] = tracees();
      process.kill(tracer(sleeping), 'SIGKILL');
      expect((await running).status).toEqual({ kind: 'signal', signal: 'SIGKILL' });
      expect(processesWith(seconds)).toEqual([]);
    });

    test.skipIf(landlockVersion() < 3)("cannot open what is the machine's, even by a call that proot lets through", async () => {
      const secret = join(home, 'secret');
      writeFileSync(secret, 'credentials');
      const { output } = await shell(rootfs, `cat /proc/${process.pid}/environ 2>&1; cat /proc/1/root${secret} 2>&1; true`);
      expect(output).not.toContain('credentials');
      expect(output).not.toContain('PATH=');
    });

    describe('mounts', () => {
      const cache = (): {
        readonly hostPath: string;
        readonly mount: { type: 'folder'; target: string; hostPath: string; readonly: false };
      } => {
        const hostPath = mkdtempSync(join(home, 'cache-'));
        return { hostPath, mount: { type: 'folder', target: '/cache', hostPath, readonly: false } };
      };

      test('of a cache are its folder, and what is mounted inside it is there', async () => {
        const { hostPath, mount } = cache();
        const token = { type: 'file', target: '/cache/token', bytes: Buffer.from('s3cret'), mode: 0o400, uid: 0, gid: 0 } as const;
        const { output } = await shell(rootfs, 'cat /cache/token; echo x > /cache/x', { mounts: [mount, token] });
        expect(output).toBe('s3cret');
        expect(readdirSync(hostPath)).toEqual(['x']);
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('of a cache are there again when a command removes them, if it can', async () => {
        const { hostPath, mount } = cache();
        expect(await changesOf(rootfs, 'rmdir /cache || true', { mounts: [mount] })).toEqual([]);
        expect(readdirSync(hostPath)).toEqual([]);
      });

      test.skipIf(landlockVersion() < 3)('of a secret cannot be linked into the image', async () => {
        const token = { type: 'file', target: '/dev/token', bytes: Buffer.from('s3cret'), mode: 0o400, uid: 0, gid: 0 } as const;
        const { output } = await shell(rootfs, 'ln /dev/token /stolen', { mounts: [token] });
        expect(output).toContain('cross-device link');
        expect(filesWith(join(home, 'work'), 's3cret')).toEqual([]);
      });
    });

    test('keeps nothing when it is disposed of', async () => {
      await shell(rootfs, 'mkdir -p /a/b; chmod 0 /a/b /a');
      await rootfs[Symbol.asyncDispose]();
      expect(readdirSync(join(home, 'work'))).toEqual([]);
    });

    test('fails a command that is no program with the words of every other rung', async () => {
      mkdirSync(join(home, 'odd'), { recursive: true });
      writeFileSync(join(home, 'odd/linked'), '#!/nowhere\n', { mode: 0o755 });
      await rootfs.lay(folderLayer(join(home, 'odd')), never);
      await expect(run(rootfs, { argv: ['linked'], env: ['PATH=/bin:/'] })).rejects.toThrow('"//linked" needs "/nowhere"');
    });
  });
}

function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path, 'latin1').includes(text));
}
