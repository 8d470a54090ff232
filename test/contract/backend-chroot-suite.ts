/** What the chroot rung does in place of what it lacks: processes without a namespace, mounts that are copies, no /proc. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { stackTree } from '../../src/layer/stack-tree.ts';
import { changesOf, folderLayer, lines, makeBusyboxRoot, processesWith, run, shell, takeChanges } from './backend-fixture.ts';

export function chrootSuite(make: (workFolder: string, warn: (message: string) => void) => Promise<Backend>): void {
  describe('without namespaces', () => {
    const never = new AbortController().signal;
    const warnings: string[] = [];
    let home: string;
    let base: LayerMaterial;
    let backend: Backend;
    let rootfs: Rootfs;
    let made = 0;

    const folder = (mode = 0o755): string => {
      const path = join(home, `folder${(made += 1)}`);
      mkdirSync(path);
      chmodSync(path, mode);
      return path;
    };
    const layerOf = (fill: (folder: string) => void): LayerMaterial => {
      const path = folder();
      fill(path);
      return folderLayer(path);
    };
    const secret = { type: 'file', target: '/run/secrets/token', bytes: Buffer.from('s3cret'), mode: 0o400, uid: 0, gid: 0 } as const;
    const inWork = (text: string): string[] =>
      readdirSync(join(home, 'work'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name), 'latin1').includes(text))
        .map((entry) => entry.name);

    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-chroot-'));
      chmodSync(home, 0o755);
      makeBusyboxRoot(join(home, 'base'));
      base = folderLayer(join(home, 'base'));
      backend = await make(join(home, 'work'), (message) => warnings.push(message));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async () => {
      rootfs = await backend.open([base], never);
    });
    afterEach(async () => rootfs[Symbol.asyncDispose]());

    test('warns once that there is no /proc', async () => {
      await using other = await backend.open([base], never);
      expect(warnings).toEqual([expect.stringContaining('have no /proc here')]);
      await shell(other, 'true');
    });

    test('leaves nothing behind when it is disposed of', async () => {
      await shell(rootfs, 'mkdir -p /a/b; chmod 0 /a');
      await rootfs[Symbol.asyncDispose]();
      expect(readdirSync(join(home, 'work'))).toEqual([]);
    });

    describe('processes', () => {
      test('that left their session and their parents are dead when the command has ended', async () => {
        const seconds = `34567.${Date.now()}`;
        const daemon = `(setsid sh -c 'trap "" TERM HUP INT; (setsid sleep ${seconds} &) ; sleep ${seconds}' >/dev/null 2>&1 &)`;
        expect((await shell(rootfs, `${daemon}; sleep 0.2; echo done`)).output).toBe('done\n');
        expect(processesWith(seconds)).toEqual([]);
      });

      test('that hold the output open do not hold up the end of the command', async () => {
        const seconds = `34568.${Date.now()}`;
        const { output, status } = await shell(rootfs, `setsid sleep ${seconds} & echo out; exit 3`);
        expect([output, status]).toEqual(['out\n', { kind: 'code', code: 3 }]);
        expect(processesWith(seconds)).toEqual([]);
      });

      test('that multiply are dead when the command has ended', async () => {
        const mark = `bomb${Date.now()}`;
        const bomb = `b() { [ $1 -gt 0 ] || { sleep 1000; return; }; b $(($1 - 1)) & b $(($1 - 1)) & setsid sh -c 'while :; do sleep 1000 & wait; done' ${mark} & }; b 6; sleep 0.3`;
        await run(rootfs, { argv: ['/bin/sh', '-c', bomb, mark] });
        expect(processesWith(mark)).toEqual([]);
        expect(zombies()).toEqual([]);
      });

      test('that keep on forking are dead after an abort', async () => {
        const mark = `fork${Date.now()}`;
        const controller = new AbortController();
        const running = run(
          rootfs,
          { argv: ['/bin/sh', '-c', `while :; do (setsid sh -c 'trap "" TERM; sleep 5' ${mark} &); done`, mark] },
          controller.signal,
        );
        running.catch(() => undefined);
        await setTimeout(500);
        controller.abort(new Error('enough'));
        await expect(running).rejects.toThrow('enough');
        expect(processesWith(mark)).toEqual([]);
        expect(zombies()).toEqual([]);
      });

      test('of tsbuild itself go on', async () => {
        const own = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
        try {
          await shell(rootfs, 'setsid sleep 1000 & exit 0');
          expect([own.exitCode, own.signalCode]).toEqual([null, null]);
          expect(existsSync(`/proc/${own.pid}`)).toBe(true);
        } finally {
          own.kill('SIGKILL');
        }
      });

      test('cannot leave the root, nor look into tsbuild', async () => {
        const { output } = await shell(rootfs, 'mkdir /in; chroot /in 2>&1; ls -a / | grep -c work; echo; ls /proc');
        expect(output).toBe("chroot: can't change root directory to '/in': Operation not permitted\n0\n\n");
      });
    });

    describe('a network', () => {
      test('of the machine has its names, and the given host name resolves as localhost does', async () => {
        const { output } = await shell(rootfs, 'grep -c "^127.0.0.1.*localhost.*builder-7" /etc/hosts; wc -c < /etc/resolv.conf', {
          hostname: 'builder-7',
        });
        expect(output).toBe(`1\n${statSync('/etc/resolv.conf').size}\n`);
      });
    });

    describe('devices', () => {
      test('work, and are not in the layer, whatever the image and the command put there', async () => {
        await rootfs.lay(
          layerOf((into) => {
            mkdirSync(join(into, 'dev'));
            writeFileSync(join(into, 'dev/of-the-image'), 'x');
          }),
          never,
        );
        const script =
          'ls /dev; echo lost > /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x > /dev/full; echo > /dev/left';
        const { output } = await shell(rootfs, script);
        expect(output).toContain('full\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n3\n3\n');
        expect(output).toContain('No space left');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect(await changesOf(rootfs, 'rm -rf /dev 2>/dev/null; echo > /dev 2>/dev/null; true')).toEqual([]);
      });
    });

    describe('mounts', () => {
      test('of a folder bring back what the command changed, and keep what others changed meanwhile', async () => {
        const hostPath = folder(0o1777);
        writeFileSync(join(hostPath, 'old'), 'old');
        writeFileSync(join(hostPath, 'gone'), 'gone');
        mkdirSync(join(hostPath, 'deep'));
        writeFileSync(join(hostPath, 'deep/same'), 'same');
        const before = statSync(join(hostPath, 'deep/same')).ino;
        const mounts = [{ type: 'folder', target: '/cache', hostPath, readonly: false }] as const;
        const running = shell(
          rootfs,
          'sleep 0.5; stat -c %a /cache; echo new > /cache/old; rm /cache/gone; mkdir /cache/d; echo x > /cache/d/x',
          {
            mounts,
          },
        );
        await setTimeout(300);
        writeFileSync(join(hostPath, 'of-another-build'), 'y');
        expect((await running).output).toBe('1777\n');
        expect(readdirSync(hostPath, { recursive: true }).sort()).toEqual(['d', 'd/x', 'deep', 'deep/same', 'of-another-build', 'old']);
        expect(readFileSync(join(hostPath, 'old'), 'utf8')).toBe('new\n');
        expect(statSync(join(hostPath, 'deep/same')).ino).toBe(before);
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('of a folder keep it when the command removes the mount', async () => {
        const hostPath = folder();
        writeFileSync(join(hostPath, 'kept'), 'kept');
        const mounts = [{ type: 'folder', target: '/cache', hostPath, readonly: false }] as const;
        expect(await changesOf(rootfs, 'rm -r /cache', { mounts })).toEqual([]);
        expect(readFileSync(join(hostPath, 'kept'), 'utf8')).toBe('kept');
      });

      test('of a folder never write where a symlink in it leads', async () => {
        const outside = folder();
        const hostPath = folder();
        mkdirSync(join(hostPath, 'sub'));
        writeFileSync(join(hostPath, 'sub/f'), 'f');
        const mounts = [{ type: 'folder', target: '/cache', hostPath, readonly: false }] as const;
        const running = shell(rootfs, 'sleep 0.5; echo evil > /cache/sub/f; echo evil > /cache/sub/g', { mounts });
        await setTimeout(300);
        rmSync(join(hostPath, 'sub'), { recursive: true });
        symlinkSync(outside, join(hostPath, 'sub'));
        await running;
        await takeChanges(rootfs);
        expect(readdirSync(outside)).toEqual([]);
        await shell(rootfs, 'rm /cache/sub', { mounts });
        expect(existsSync(outside)).toBe(true);
        expect(readdirSync(hostPath)).toEqual([]);
      });

      test('that are read-only can be written to, and what is written is dropped', async () => {
        const hostPath = folder();
        writeFileSync(join(hostPath, 'f'), 'old');
        const layer = layerOf((into) => writeFileSync(join(into, 'a'), 'a\n'));
        const layers = { layers: [layer], tree: stackTree([layer.index]), path: '/', writable: false } as const;
        const mounts = [
          { type: 'folder', target: '/cache', hostPath, readonly: true },
          { type: 'layers', target: '/src', ...layers },
        ] as const;
        expect(await changesOf(rootfs, 'echo new > /cache/f; echo new > /src/a; rm -r /src/*; touch /src/b', { mounts })).toEqual([]);
        expect(readFileSync(join(hostPath, 'f'), 'utf8')).toBe('old');
        expect((await shell(rootfs, 'cat /src/a; ls /src', { mounts })).output).toBe('a\na\n');
      });

      test('of memory have their mode, and their content is dropped', async () => {
        const mounts = [{ type: 'tmpfs', target: '/data', sizeBytes: 65_536, mode: 0o1750 }] as const;
        await rootfs.lay(
          layerOf((into) => {
            mkdirSync(join(into, 'data'));
            writeFileSync(join(into, 'data/below'), 'x');
          }),
          never,
        );
        expect((await shell(rootfs, 'stat -c %a /data; ls /data; echo x > /data/f', { mounts })).output).toBe('1750\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect((await shell(rootfs, 'ls /data')).output).toBe('below\n');
      });

      test.each([
        ['removes it', 'rm /run/secrets/token'],
        ['removes the folders above it', 'rm -r /run'],
        ['replaces it', 'rm /run/secrets/token; mkdir /run/secrets/token; touch /run/secrets/token/x'],
        ['replaces a folder above it by a symlink', 'rm -r /run; ln -s /etc /run; mkdir /etc/secrets; echo own > /etc/secrets/token'],
        ['fails', 'exit 1'],
        ['is killed', 'kill -9 $$'],
      ])('of a secret leave nothing of it on the disk when the command %s', async (_, script) => {
        await shell(rootfs, `cat /run/secrets/token >/dev/null; ${script}`, { mounts: [secret] });
        const { entries } = await takeChanges(rootfs);
        expect(lines(entries).filter((line) => line.includes('token') && !line.includes('etc/secrets/token'))).toEqual([]);
        expect(inWork('s3cret')).toEqual([]);
      });

      test.each([
        ['moves it', 'mv /run/secrets/token /data/stolen'],
        ['moves a folder above it', 'mv /run /data/run'],
        ['gives it another name', 'ln /run/secrets/token /data/stolen'],
      ])('of a secret fail the run, and leave nothing of it, when the command %s', async (_, script) => {
        await expect(shell(rootfs, script, { mounts: [secret] })).rejects.toThrow('moved or linked what is mounted at /run/secrets/token');
        expect(inWork('s3cret')).toEqual([]);
      });

      test.each(['moved', 'moved (deleted)'])('fail the run that moves a folder of them to "%s"', async (name) => {
        const mounts = [{ type: 'tmpfs', target: '/data', sizeBytes: null, mode: 0o755 }] as const;
        await expect(shell(rootfs, `mv /data "/${name}"`, { mounts })).rejects.toThrow('moved or linked what is mounted at /data');
      });

      test('leave files and folders beside them as the command left them, with their times', async () => {
        await rootfs.lay(
          layerOf((into) => {
            mkdirSync(join(into, 'run'));
            mkdirSync(join(into, 'run/secrets'));
            writeFileSync(join(into, 'run/secrets/token'), 'of the image');
          }),
          never,
        );
        const time = (path: string): string => `stat -c %Y ${path}`;
        const { output } = await shell(rootfs, `touch -d @1000 /run/secrets; ${time('/run/secrets')}`, { mounts: [secret] });
        expect(output).toBe('1000\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        const later = await shell(rootfs, `cat /run/secrets/token; echo; ${time('/run/secrets')}; touch /run/secrets/new`, { mounts: [] });
        expect(later.output).toBe('of the image\n1000\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual(['d 755 0:0 run', 'd 755 0:0 run/secrets', 'f 644 0:0 run/secrets/new']);
      });
    });

    /** Dead children of this process that nobody collected. */
    function zombies(): string[] {
      return readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => (existsSync(`/proc/${name}/stat`) ? readFileSync(`/proc/${name}/stat`, 'latin1') : ''))
        .filter((stat) => stat.replace(/^.*\) /s, '').startsWith(`Z ${process.pid} `));
    }
  });
}
