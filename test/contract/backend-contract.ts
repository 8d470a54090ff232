/** What every backend must do, whatever it is made of: the environment of a RUN, and what its changes are. */
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type RunnerTestSuite, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { TsbuildError } from '../../src/errors.ts';
import { stackTree } from '../../src/layer/stack-tree.ts';
import { changesOf, commandLine, folderLayer, lines, makeBusyboxRoot, processesWith, run, shell, takeChanges } from './backend-fixture.ts';

/** What a backend cannot do, by the titles of its tests, each with the reason. Such a test is skipped by that reason. */
export type Lacks = Readonly<Record<string, string>>;

/** `make` gets a folder that is removed at the end. */
export function backendContract(name: string, make: (workFolder: string) => Promise<Backend>, lacks: Lacks = {}): void {
  describe(`backend ${name}`, () => {
    test.skipIf(Object.keys(lacks).length === 0)('is excused from no test that does not exist', ({ task }) => {
      const titles = new Set(titlesIn(task.suite));
      expect(Object.keys(lacks).filter((title) => !titles.has(title))).toEqual([]);
    });

    const never = new AbortController().signal;
    let home: string;
    let base: LayerMaterial;
    let backend: Backend;
    let rootfs: Rootfs;
    let layers = 0;

    /** A layer of what `fill` makes in a new folder. */
    const layerOf = (fill: (folder: string) => void, implied: readonly string[] = []): LayerMaterial => {
      const folder = join(home, `layer${(layers += 1)}`);
      mkdirSync(folder);
      fill(folder);
      return folderLayer(folder, implied);
    };
    /** A file on the host, reachable by every user of the rootfs. */
    const hostFile = (content: string): string => {
      const path = join(home, `file${(layers += 1)}`);
      writeFileSync(path, content);
      return path;
    };
    const hostFolder = (): string => {
      const path = join(home, `folder${(layers += 1)}`);
      mkdirSync(path);
      return path;
    };

    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-backend-'));
      chmodSync(home, 0o755);
      makeBusyboxRoot(join(home, 'base'));
      writeFileSync(join(home, 'base/data/kept'), 'kept\n');
      mkdirSync(join(home, 'base/data/sub'));
      writeFileSync(join(home, 'base/data/sub/file'), 'below\n');
      base = folderLayer(join(home, 'base'));
      backend = await make(join(home, 'work'));
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async ({ task, skip }) => {
      rootfs = await backend.open([base], never);
      const reason = lacks[task.name];
      if (reason !== undefined) skip(reason);
    });
    afterEach(async () => rootfs[Symbol.asyncDispose]());

    describe('environment of a run', () => {
      test('has exactly the given variables, whatever tsbuild has', async () => {
        const env = ['PATH=/bin', 'A=x y', 'EMPTY=', 'U=é'];
        const { output } = await run(rootfs, { argv: ['/bin/env'], env });
        expect(output.trimEnd().split('\n').sort()).toEqual([...env].sort());
      });

      test('takes arguments as they are, without a shell', async () => {
        const { output } = await run(rootfs, {
          argv: ['/bin/sh', '-c', 'for a; do echo "[$a]"; done', 'x', ' a  b ', '', '$HOME*', 'é\n'],
        });
        expect(output).toBe('[ a  b ]\n[]\n[$HOME*]\n[é\n]\n');
      });

      test('takes large arguments and environments', async () => {
        const env = ['PATH=/bin', ...Array.from({ length: 12 }, (_, i) => `V${i}=${'x'.repeat(100_000)}`)];
        const script = 'echo ${#V11}; echo ${#1}';
        expect((await run(rootfs, { argv: ['/bin/sh', '-c', script, 'sh', 'y'.repeat(120_000)], env })).output).toBe('100000\n120000\n');
        await takeChanges(rootfs);
        await expect(run(rootfs, { argv: ['/bin/true', 'z'.repeat(200_000)] })).rejects.toThrow('E2BIG');
        await expect(run(rootfs, { argv: ['/bin/true', 'a\0b'] })).rejects.toThrow('NUL');
      });

      test('finds the program by the PATH of the environment', async () => {
        expect((await run(rootfs, { argv: ['pwd'], env: ['PATH=/nowhere:/bin'] })).output).toBe('/\n');
      });

      test('begins in the working directory, which is made when it is missing and then is a change', async () => {
        expect((await shell(rootfs, 'pwd', { cwd: '/data/sub' })).output).toBe('/data/sub\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect((await shell(rootfs, 'pwd', { cwd: '/new/deep' })).output).toBe('/new/deep\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual(['d 755 0:0 new', 'd 755 0:0 new/deep']);
      });

      test('runs as the user, with its groups and no others', async () => {
        const { output } = await shell(rootfs, 'id -u; id -g; id -G', { user: { uid: 1234, gid: 55, groups: [66, 77] } });
        expect(output).toBe('1234\n55\n55 66 77\n');
      });

      test('has umask 022 whatever that of tsbuild is', async () => {
        const before = process.umask(0o077);
        try {
          await using strict = await backend.open([base], never);
          expect((await shell(strict, 'umask; stat -c %a /proc /dev/shm /etc', { cwd: '/made' })).output).toBe('0022\n555\n1777\n755\n');
          expect(lines((await takeChanges(strict)).entries)).toEqual(['d 755 0:0 made']);
          const user = { uid: 1234, gid: 1234, groups: [] };
          expect((await shell(strict, 'cat /etc/hosts /etc/resolv.conf /data/kept | grep kept', { user })).output).toBe('kept\n');
        } finally {
          process.umask(before);
        }
      });

      test('has an empty standard input', async () => {
        expect((await shell(rootfs, 'cat | wc -c')).output).toBe('0\n');
      });

      test('delivers stdout and stderr in the order written', async () => {
        const { output } = await shell(rootfs, 'for i in 1 2 3; do echo out$i; echo err$i >&2; done');
        expect(output).toBe('out1\nerr1\nout2\nerr2\nout3\nerr3\n');
      });

      test('delivers large output completely', async () => {
        expect((await shell(rootfs, 'dd if=/dev/zero bs=1048576 count=8 2>/dev/null | tr "\\0" x')).output.length).toBe(8 * 2 ** 20);
      });

      test.each([0, 1234])('lets user %i open /dev/stdout and /dev/stderr', async (uid) => {
        const { output } = await shell(rootfs, 'echo a > /dev/stdout; echo b > /dev/stderr', { user: { uid, gid: uid, groups: [] } });
        expect(output).toBe('a\nb\n');
      });

      test('ignores and blocks no signal', async () => {
        const { output } = await run(rootfs, { argv: ['/bin/grep', '-E', '^Sig(Ign|Blk)', '/proc/self/status'] });
        expect(output).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
      });

      test('leaves no descriptor open but the standard ones', async () => {
        // The fourth is that of the listing.
        expect((await shell(rootfs, 'ls /proc/self/fd | wc -l')).output).toBe('4\n');
      });

      test('has the given host name, which resolves as localhost does', async () => {
        const { output } = await shell(rootfs, 'hostname; grep -c "^127.0.0.1.*localhost.*builder-7" /etc/hosts', {
          hostname: 'builder-7',
        });
        expect(output).toBe('builder-7\n1\n');
      });

      test('has no network but a loopback when that is asked for', async () => {
        const { output } = await shell(rootfs, 'tail -n +3 /proc/net/dev', { network: 'none' });
        expect(
          output
            .trim()
            .split('\n')
            .map((line) => line.trim().split(':')[0]),
        ).toEqual(['lo']);
      });
    });

    describe('end of a run', () => {
      test.each([0, 1, 3, 127, 255])('reports exit code %i', async (code) => {
        expect((await shell(rootfs, `exit ${code}`)).status).toEqual({ kind: 'code', code });
      });

      test('reports the signal that killed the command', async () => {
        const mark = randomUUID();
        // Without a child, which would have this command line as well until it becomes another program.
        const running = run(rootfs, { argv: ['/bin/sh', '-c', 'while :; do :; done', mark] });
        // Whatever starts the shell has its command line, too, among its arguments.
        const isShell = (pid: number): boolean => commandLine(pid).startsWith('/bin/sh -c');
        const shellOf = await eventually(() => processesWith(`:; done ${mark}`).find(isShell));
        process.kill(shellOf, 'SIGKILL');
        expect((await running).status).toEqual({ kind: 'signal', signal: 'SIGKILL' });
      });

      test('leaves no process behind, not even one that went into the background', async () => {
        const seconds = `12345.${Date.now()}`;
        const { status } = await shell(rootfs, `sleep ${seconds} >/dev/null 2>&1 & setsid sleep ${seconds} >/dev/null 2>&1 & exit 0`);
        expect(status).toEqual({ kind: 'code', code: 0 });
        expect(processesWith(seconds)).toEqual([]);
      });

      test('kills everything when it is aborted, and rejects with the reason', async () => {
        const seconds = `23456.${Date.now()}`;
        const controller = new AbortController();
        const script = ['/bin/sh', '-c', `trap '' TERM INT; sleep ${seconds} & sleep ${seconds}`];
        const running = run(rootfs, { argv: script }, controller.signal);
        await eventually(() => (processesWith(seconds).length >= 2 ? true : undefined));
        controller.abort(new Error('enough'));
        await expect(running).rejects.toThrow('enough');
        expect(processesWith(seconds)).toEqual([]);
      });

      test('can be aborted at any moment', async () => {
        for (const delay of [0, 5, 15, 30, 45, 60, 80]) {
          const seconds = `45678.${Date.now()}`;
          await using fresh = await backend.open([base], never);
          const controller = new AbortController();
          const running = run(fresh, { argv: ['/bin/sh', '-c', `sleep ${seconds} & sleep ${seconds}`] }, controller.signal);
          await setTimeout(delay);
          controller.abort(new Error('enough'));
          await expect(running).rejects.toThrow('enough');
          expect(processesWith(seconds)).toEqual([]);
        }
      });

      test('does not start what is aborted already', async () => {
        await expect(run(rootfs, { argv: ['/bin/true'] }, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
      });
    });

    describe('a program that cannot be executed', () => {
      const failure = async (argv: readonly string[], fill: (folder: string) => void = () => undefined): Promise<TsbuildError> => {
        await rootfs.lay(layerOf(fill), never);
        const error = await run(rootfs, { argv }).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error).toBeInstanceOf(TsbuildError);
        expect((error as TsbuildError).code).toBe('RUN_FAILED');
        return error as TsbuildError;
      };
      const script =
        (text: string | Uint8Array, mode = 0o755) =>
        (folder: string) =>
          writeFileSync(join(folder, 'prog'), text, { mode });

      test('is named with the PATH that was searched', async () => {
        expect((await failure(['no-such-program'])).message).toContain('in no folder of PATH (/bin) (exit code 127)');
      });

      test('is told from a missing shebang interpreter', async () => {
        expect((await failure(['/prog'], script('#!/opt/no/perl -w\n'))).message).toContain('"/prog" needs "/opt/no/perl"');
      });

      test('is told from a foreign architecture', async () => {
        const elf = readFileSync(join(home, 'base/bin/busybox')).subarray(0, 4096);
        const foreign = Buffer.from(elf);
        // e_machine: SPARC.
        foreign.writeUInt16LE(2, 18);
        expect((await failure(['/prog'], script(foreign))).message).toMatch(/"\/prog" is a program for machine 2: exec format error/);
      });

      test('is told from a text without shebang', async () => {
        expect((await failure(['/prog'], script('echo hi\n'))).message).toContain('neither a program nor a script');
      });

      test('is told from a file without the mode for it', async () => {
        expect((await failure(['/prog'], script('#!/bin/sh\n', 0o644))).message).toContain('permission denied (exit code 126)');
      });
    });

    describe('changes', () => {
      test('are none when nothing is changed', async () => {
        expect(await changesOf(rootfs, 'cat /data/kept')).toEqual([]);
      });

      test('are new and changed files with the folders above them, in byte order', async () => {
        const script = 'echo x > /data/new; echo more >> /data/kept; mkdir -p /a/b; echo > /a-b; echo > /a/b/c; chmod 600 /a/b/c';
        expect(await changesOf(rootfs, script)).toEqual([
          'd 755 0:0 a',
          'f 644 0:0 a-b',
          'd 755 0:0 a/b',
          'f 600 0:0 a/b/c',
          'd 755 0:0 data',
          'f 644 0:0 data/kept',
          'f 644 0:0 data/new',
        ]);
      });

      test('hold the content of the files, readable until the rootfs is disposed of', async () => {
        await shell(rootfs, 'printf new > /f');
        const { entries } = await takeChanges(rootfs);
        await shell(rootfs, 'printf later > /f');
        const [entry] = entries;
        if (entry?.kind !== 'put' || entry.node.type !== 'file' || entry.node.content.at !== 'host') throw new Error('no file');
        expect(entry.node.size).toBe(3);
        expect(readFileSync(entry.node.content.path, 'utf8')).toBe('new');
      });

      test('are one whiteout for a removed tree', async () => {
        expect(await changesOf(rootfs, 'rm -r /data')).toEqual(['- data']);
      });

      test('are a whiteout for a removed file', async () => {
        expect(await changesOf(rootfs, 'rm /data/sub/file')).toEqual(['d 755 0:0 data', 'd 755 0:0 data/sub', '- data/sub/file']);
      });

      test('do not show what was made and removed again', async () => {
        expect(await changesOf(rootfs, 'mkdir /x /data/x; touch /x/f /data/x/f; rm -r /x /data/x')).toEqual([]);
      });

      test('hide the old content of a folder that was replaced by another', async () => {
        const { entries, layer } = await shell(rootfs, 'rm -r /data; mkdir /data; touch /data/fresh').then(() => takeChanges(rootfs));
        const tree = stackTree([base.index, layer.index]);
        expect(tree.list('data')).toEqual(['fresh']);
        expect(entries.every((entry) => entry.path.startsWith('data'))).toBe(true);
      });

      test('show a file in the place of a folder, and a folder in the place of a file', async () => {
        const script = 'rm -r /data/sub; echo > /data/sub; rm /data/kept; mkdir /data/kept; touch /data/kept/in';
        expect(await changesOf(rootfs, script)).toEqual([
          'd 755 0:0 data',
          'd 755 0:0 data/kept',
          'f 644 0:0 data/kept/in',
          'f 644 0:0 data/sub',
        ]);
      });

      test('show a folder whose mode or owner changed, and not the files in it', async () => {
        expect(await changesOf(rootfs, 'chmod 700 /data; chown 5:6 /data/sub')).toEqual(['d 700 0:0 data', 'd 755 5:6 data/sub']);
      });

      test('keep setuid, setgid and sticky bits, and owners', async () => {
        const script = 'touch /f; chown 7:8 /f; chmod 6755 /f; mkdir /d; chmod 3777 /d; ln -s t /l; chown -h 9:9 /l';
        expect(await changesOf(rootfs, script)).toEqual(['d 3777 0:0 d', 'f 6755 7:8 f', 'l 777 9:9 l -> t']);
      });

      test('keep hard links, the first name in byte order being the file', async () => {
        expect(await changesOf(rootfs, 'echo > /z; ln /z /b; mkdir /c; ln /z /c/x')).toEqual([
          'f 644 0:0 b',
          'd 755 0:0 c',
          'h 644 0:0 c/x => b',
          'h 644 0:0 z => b',
        ]);
      });

      test('keep fifos', async () => {
        expect(await changesOf(rootfs, 'mkfifo -m 640 /p')).toEqual(['p 640 0:0 p']);
      });

      test('keep names that are not UTF-8', async () => {
        expect(await changesOf(rootfs, `f=$(printf '/n\\377'); touch "$f"; ln -s "$f" /l`)).toEqual([
          'l 777 0:0 l -> /n\xff',
          'f 644 0:0 n\xff',
        ]);
      });

      test('keep modification times to the nanosecond where the command set them so', async () => {
        await shell(rootfs, 'touch -d "2001-02-03 04:05:06" /f; touch /now');
        const times = (await takeChanges(rootfs)).entries.map((entry) => (entry.kind === 'put' ? entry.meta.mtimeNs : 0n));
        expect(times[0]).toBe(981_173_106_000_000_000n);
        expect(Number((times[1] ?? 0n) / 1_000_000n)).toBeGreaterThan(Date.now() - 60_000);
      });

      // Kaniko's snapshot modes: time looks at the time of modification alone, redo at mode, owner and size as well, full at content.
      test.each([
        [
          'content, with size and time put back',
          'touch -r /data/kept /t; printf "KEPT\\n" > /data/kept; touch -r /t /data/kept; rm /t',
          '',
        ],
        ['a mode', 'chmod 600 /data/kept', '600'],
        ['an owner', 'chown 7:8 /data/kept', '7:8'],
        ['a file of the same content, size and time in its place', 'cp -p /data/kept /n; chmod 600 /n; mv /n /data/kept', '600'],
        [
          'content within the second in which it was written',
          'touch -d @1000000000 /data/kept; printf "LATE\\n" > /data/kept; touch -d @1000000000 /data/kept',
          '',
        ],
      ])('are seen where nothing changes but %s', async (_, script, sign) => {
        await shell(rootfs, 'true');
        await takeChanges(rootfs);
        const found = await changesOf(rootfs, script);
        expect(found.filter((line) => line.endsWith(' data/kept'))).toEqual([expect.stringContaining(sign)]);
      });

      test('are seen by the next run, together with layers laid in between', async () => {
        await shell(rootfs, 'echo one > /one; rm /data/kept');
        await takeChanges(rootfs);
        await rootfs.lay(
          layerOf((folder) => writeFileSync(join(folder, 'two'), 'two\n')),
          never,
        );
        const { output } = await shell(rootfs, 'cat /one /two; ls /data; rm /one');
        expect(output).toBe('one\ntwo\nsub\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual(['- one']);
        expect((await shell(rootfs, 'ls /')).output).not.toContain('one');
      });

      test('make a layer that another rootfs can use', async () => {
        await shell(rootfs, 'rm -r /data; mkdir /data; echo x > /data/y');
        const { layer } = await takeChanges(rootfs);
        await using second = await backend.open([base, layer], never);
        expect((await shell(second, 'ls /data')).output).toBe('y\n');
      });
    });

    describe('mount points', () => {
      test('of the machine never appear in the changes, and the files of the image stay as they are', async () => {
        await rootfs.lay(
          layerOf((folder) => {
            mkdirSync(join(folder, 'etc'));
            writeFileSync(join(folder, 'etc/resolv.conf'), 'of the image\n');
          }),
          never,
        );
        const { output } = await shell(
          rootfs,
          'grep -c "of the image" /etc/resolv.conf; echo x > /etc/hosts; echo x > /etc/resolv.conf; exit 0',
        );
        expect(output).toMatch(/^0\n/);
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('behind a dangling symlink are made where it leads, and nothing of it stays', async () => {
        await rootfs.lay(
          layerOf((folder) => {
            mkdirSync(join(folder, 'etc'));
            symlinkSync('../run/systemd/resolve/stub-resolv.conf', join(folder, 'etc/resolv.conf'));
          }),
          never,
        );
        expect((await shell(rootfs, 'test -f /etc/resolv.conf && ls -d /run/systemd')).output).toBe('/run/systemd\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('leave the metadata of the folders above them as the image has it', async () => {
        await rootfs.lay(
          layerOf((folder) => {
            mkdirSync(join(folder, 'run'), { mode: 0o700 });
            chmodSync(join(folder, 'run'), 0o2751);
          }),
          never,
        );
        const mounts = [{ type: 'tmpfs', target: '/run/deep/er', sizeBytes: null, mode: 0o1777 }] as const;
        expect((await shell(rootfs, 'stat -c %a /run', { mounts })).output).toBe('2751\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect((await shell(rootfs, 'ls /run')).output).toBe('');
      });

      test('that were made for a mount become folders of the layer when something else is put there', async () => {
        const mounts = [{ type: 'tmpfs', target: '/cache/inner', sizeBytes: null, mode: 0o755 }] as const;
        expect(await changesOf(rootfs, 'touch /cache/other /cache/inner/dropped', { mounts })).toEqual([
          'd 755 0:0 cache',
          'f 644 0:0 cache/other',
        ]);
      });

      test('where something was made and removed leave nothing, also for the next run', async () => {
        const mounts = [{ type: 'tmpfs', target: '/cache/inner', sizeBytes: null, mode: 0o755 }] as const;
        expect(await changesOf(rootfs, 'touch /cache/other; rm /cache/other', { mounts })).toEqual([]);
        expect((await shell(rootfs, 'test -e /cache || echo gone')).output).toBe('gone\n');
      });
    });

    describe('mounts', () => {
      test('of memory have their size and mode, and their content is dropped', async () => {
        const mounts = [{ type: 'tmpfs', target: '/mem', sizeBytes: 65_536, mode: 0o1750 }] as const;
        const script = 'stat -c %a /mem; echo x > /mem/f; dd if=/dev/zero of=/mem/big bs=1024 count=128 2>&1 | grep -c "No space left"';
        expect((await shell(rootfs, script, { mounts })).output).toBe('1750\n1\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('of a file show its bytes with mode and owner, to those who may read it', async () => {
        const bytes = Buffer.from('s3cret\0é');
        const mounts = [{ type: 'file', target: '/run/secrets/token', bytes, mode: 0o400, uid: 1234, gid: 9 }] as const;
        const user = { uid: 1234, gid: 9, groups: [] };
        const { output } = await shell(rootfs, 'stat -c "%a %u:%g" /run/secrets/token; cat /run/secrets/token', { mounts, user });
        expect(output).toBe('400 1234:9\ns3cret\0é');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        const other = { uid: 4321, gid: 1, groups: [] };
        expect((await shell(rootfs, 'cat /run/secrets/token', { mounts, user: other })).status).toEqual({ kind: 'code', code: 1 });
      });

      test('of a script can be executed', async () => {
        const mounts = [
          { type: 'file', target: '/dev/pipes/EOF', bytes: Buffer.from('#!/bin/sh\necho ran "$@"\n'), mode: 0o755, uid: 0, gid: 0 },
        ] as const;
        expect((await run(rootfs, { argv: ['/bin/sh', '-c', '/dev/pipes/EOF a b'], mounts })).output).toBe('ran a b\n');
      });

      test('of a folder are shared with the machine, unless they are read-only', async () => {
        const hostPath = hostFolder();
        const mounts = [{ type: 'folder', target: '/cache', hostPath, readonly: false }] as const;
        expect(await changesOf(rootfs, 'echo x > /cache/f', { mounts })).toEqual([]);
        expect(readFileSync(join(hostPath, 'f'), 'utf8')).toBe('x\n');
        const { status } = await shell(rootfs, 'cat /cache/f && echo y > /cache/f', { mounts: [{ ...mounts[0], readonly: true }] });
        expect(status).toEqual({ kind: 'code', code: 1 });
        expect(readFileSync(join(hostPath, 'f'), 'utf8')).toBe('x\n');
      });

      test('of a single file of the machine work as well', async () => {
        const mounts = [{ type: 'folder', target: '/agent', hostPath: hostFile('one file\n'), readonly: true }] as const;
        expect((await shell(rootfs, 'cat /agent', { mounts })).output).toBe('one file\n');
      });

      test('of layers show a folder of them, with whiteouts at work', async () => {
        const lower = layerOf((folder) => {
          mkdirSync(join(folder, 'src'));
          writeFileSync(join(folder, 'src/a'), 'a\n');
          writeFileSync(join(folder, 'src/b'), 'lower\n');
        });
        const upper = layerOf((folder) => {
          mkdirSync(join(folder, 'src'));
          writeFileSync(join(folder, 'src/b'), 'upper\n');
        });
        const from = {
          type: 'layers',
          target: '/mnt/src',
          layers: [lower, upper],
          tree: stackTree([lower.index, upper.index]),
          path: '/src',
        } as const;
        const script = 'cat /mnt/src/a /mnt/src/b; echo new > /mnt/src/c && echo written; ls /mnt/src';
        expect((await shell(rootfs, `${script} 2>/dev/null`, { mounts: [{ ...from, writable: false }] })).output).not.toContain('written');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect((await shell(rootfs, script, { mounts: [{ ...from, writable: true }] })).output).toBe('a\nupper\nwritten\na\nb\nc\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect((await shell(rootfs, 'ls /mnt/src', { mounts: [{ ...from, writable: true }] })).output).toBe('a\nb\n');
      });

      test('of layers show a single file, too', async () => {
        const layer = layerOf((folder) => writeFileSync(join(folder, 'one'), 'one\n'));
        const mounts = [
          { type: 'layers', target: '/x/one', layers: [layer], tree: stackTree([layer.index]), path: '/one', writable: false },
        ] as const;
        expect((await shell(rootfs, 'cat /x/one', { mounts })).output).toBe('one\n');
      });

      test('inside other mounts are made there, in whatever order they are given', async () => {
        const hostPath = hostFolder();
        const mounts = [
          { type: 'file', target: '/cache/deep/secret', bytes: Buffer.from('s'), mode: 0o444, uid: 0, gid: 0 },
          { type: 'folder', target: '/cache', hostPath, readonly: false },
        ] as const;
        expect((await shell(rootfs, 'cat /cache/deep/secret', { mounts })).output).toBe('s');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
        expect(statSync(join(hostPath, 'deep/secret'), { throwIfNoEntry: false })?.size ?? 0).toBe(0);
      });

      test('follow symlinks of the image inside the image only', async () => {
        const hostPath = hostFolder();
        const outside = hostFolder();
        await rootfs.lay(
          layerOf((folder) => {
            mkdirSync(join(folder, 'run'));
            mkdirSync(join(folder, 'var'));
            symlinkSync('/run', join(folder, 'var/run'));
            symlinkSync(`../../../..${outside}`, join(folder, 'escape'));
          }),
          never,
        );
        const mounts = [
          { type: 'folder', target: '/var/run/x', hostPath, readonly: false },
          { type: 'folder', target: '/escape/y', hostPath, readonly: false },
        ] as const;
        await shell(rootfs, 'touch /run/x/a', { mounts });
        expect(existsSync(join(hostPath, 'a'))).toBe(true);
        expect(existsSync(join(outside, 'y'))).toBe(false);
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('are refused where the image has something of another kind', async () => {
        const mounts = [{ type: 'tmpfs', target: '/data/kept', sizeBytes: null, mode: 0o755 }] as const;
        await expect(shell(rootfs, 'true', { mounts })).rejects.toMatchObject({
          code: 'BACKEND_FAILED',
          message: expect.stringContaining('/data/kept'),
        });
      });
    });

    describe('layers', () => {
      test('that leave out a folder keep its metadata from below', async () => {
        await rootfs.lay(
          layerOf(
            (folder) => {
              mkdirSync(join(folder, 'tmp'), { mode: 0o755 });
              writeFileSync(join(folder, 'tmp/x'), '');
            },
            ['tmp'],
          ),
          never,
        );
        expect((await shell(rootfs, 'stat -c %a /tmp; ls /tmp')).output).toBe('1777\nx\n');
        expect(lines((await takeChanges(rootfs)).entries)).toEqual([]);
      });

      test('may be very many', async () => {
        const many = Array.from({ length: 150 }, (_, i) => layerOf((folder) => writeFileSync(join(folder, `n${i}`), `${i}\n`)));
        await using deep = await backend.open([base, ...many], never);
        expect((await shell(deep, 'cat /n0 /n149; ls / | grep -c "^n[0-9]"; rm /n7')).output).toBe('0\n149\n150\n');
        expect(lines((await takeChanges(deep)).entries)).toEqual(['- n7']);
      });
    });

    test('works in a row of many runs', async () => {
      for (let i = 0; i < 10; i += 1) {
        const { output } = await shell(rootfs, `cat /count 2>/dev/null | wc -l; echo >> /count`);
        expect(output).toBe(`${i}\n`);
        expect(lines((await takeChanges(rootfs)).entries)).toEqual(['f 644 0:0 count']);
      }
    });
  });
}

function titlesIn(suite: RunnerTestSuite | undefined): string[] {
  return (suite?.tasks ?? []).flatMap((task) => (task.type === 'suite' ? titlesIn(task) : [task.name]));
}

/** Asks until there is an answer; the test's time limit ends it. */
async function eventually<T>(ask: () => T | undefined): Promise<T> {
  for (;;) {
    const answer = ask();
    if (answer !== undefined) return answer;
    await setTimeout(10);
  }
}
