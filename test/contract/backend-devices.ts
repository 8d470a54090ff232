/**
 * Device nodes, for root and inside a user namespace, where tsbuild stands in for the kernel: the layer has them, nobody else
 * gets one, and nothing is made outside the rootfs.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, LayerMaterial, Rootfs } from '../../src/backend/backend.ts';
import { namespacesBackend } from '../../src/backend/namespaces/namespaces-backend.ts';
import { overlayStyle } from '../../src/backend/namespaces/process-status.ts';
import { digestOf } from '../../src/image/digest.ts';
import { createIndexBuilder } from '../../src/layer/build-index.ts';
import { DEVICE_MARK, type DeviceMarks, deviceMarks } from '../../src/layer/device-marks.ts';
import { createUnpacker } from '../../src/layer/unpack.ts';
import { setXattr } from '../../src/sys/xattr.ts';
import { findProgram } from '../helpers/tools.ts';
import { type RawMember, rawTar } from '../unit/layer/raw-tar.ts';
import { feed } from '../unit/layer/read-all.ts';
import { changesOf, folderLayer, makeBusyboxRoot, shell, takeChanges } from './backend-fixture.ts';

const never = new AbortController().signal;
const rootless = overlayStyle() === 'user';

export function devicesSuite(
  make: (workFolder: string, devices: DeviceMarks | undefined) => Promise<Backend>,
  initPath: () => string,
): void {
  describe('device nodes', () => {
    const marks = rootless ? deviceMarks(Buffer.alloc(32, 7)) : undefined;
    let home: string;
    let backend: Backend;
    let base: LayerMaterial;
    let rootfs: Rootfs;
    beforeAll(async () => {
      home = mkdtempSync(join(tmpdir(), 'tsbuild-devices-'));
      makeBusyboxRoot(join(home, 'base'));
      base = folderLayer(join(home, 'base'));
      backend = await make(join(home, 'work'), marks);
    });
    afterAll(() => rmSync(home, { recursive: true, force: true }));
    beforeEach(async () => {
      rootfs = await backend.open([base], never);
    });
    afterEach(async () => rootfs[Symbol.asyncDispose]());

    const tarLayer = (...members: readonly RawMember[]): LayerMaterial => {
      const folder = join(mkdtempSync(join(home, 'work/layer-')), 'files');
      mkdirSync(folder);
      const tar = rawTar(...members);
      feed(createUnpacker({ folder, style: overlayStyle(), owners: 'apply', devices: marks }), tar, 1000);
      const builder = createIndexBuilder((path) => ({ at: 'host', path: join(folder, path) }));
      feed(builder, tar, 1000);
      return {
        diffId: async () => digestOf(tar),
        index: builder.index(),
        folder: async () => folder,
        replay: async (to) => feed(to, tar, 1000),
      };
    };
    const device: RawMember = { name: 'dev-x', flag: '4', mode: '0000640\0', major: '0000007\0', minor: '0000143\0' };

    test('are in the layer as they were made', async () => {
      const script =
        'umask 027; mknod /c c 1 3; mknod -m 666 /b b 259 70000; mkdir /d; cd /d; mknod ./rel c 10 200; mknod ../up c 1 5; ln -s /d /l; mknod /l/in c 1 7';
      expect(await changesOf(rootfs, script)).toEqual([
        'b 666 0:0 b 259,70000',
        'c 640 0:0 c 1,3',
        'd 750 0:0 d',
        'c 640 0:0 d/in 1,7',
        'c 640 0:0 d/rel 10,200',
        'l 777 0:0 l -> /d',
        'c 640 0:0 up 1,5',
      ]);
    });

    test('keep to what is done with them later, in the same command and in others', async () => {
      expect(await changesOf(rootfs, 'mknod /a c 1 3; chmod 600 /a; chown 5:6 /a; mv /a /x; ln /x /y')).toEqual([
        'c 600 5:6 x 1,3',
        'h 600 5:6 y => x',
      ]);
      expect(await changesOf(rootfs, 'chmod 644 /x; mv /y /z')).toEqual(['c 644 5:6 x 1,3', '- y', 'c 600 5:6 z 1,3']);
      expect(await changesOf(rootfs, 'rm /x; echo new > /x')).toEqual(['f 644 0:0 x']);
      expect(await changesOf(rootfs, 'chown 5:6 /z')).toEqual([]);
    });

    test('of lower layers are devices when a command changes them', async () => {
      await rootfs.lay(tarLayer(device, { ...device, name: 'removed' }), never);
      expect(await changesOf(rootfs, 'mv /dev-x /moved; chmod 600 /moved; rm /removed')).toEqual([
        '- dev-x',
        'b 600 0:0 moved 7,99',
        '- removed',
      ]);
    });

    test('belong to the group of a folder that says so, as files do', async () => {
      expect(await changesOf(rootfs, 'mkdir /g; chgrp 7 /g; chmod 2755 /g; mknod -m 600 /g/c c 1 3')).toEqual([
        'd 2755 0:7 g',
        'c 600 0:7 g/c 1,3',
      ]);
    });

    test.each([
      ['where one is already', 'mknod /x c 1 3; mknod /x c 1 3', 'File exists'],
      ['in a folder that does not exist', 'mknod /nowhere/x c 1 3', 'No such file'],
      ['below a file', 'mknod /bin/busybox/x c 1 3', 'Not a directory'],
      ['where a symlink leads', 'ln -s /x /s; mknod /s c 1 3', 'File exists'],
      ['below symlinks without end', 'ln -s b /a; ln -s a /b; mknod /a/x c 1 3', 'oo many'],
    ])('are not made %s', async (_, script, message) => {
      const { status, output } = await shell(rootfs, script);
      expect(output).toContain(message);
      expect(status).toEqual({ kind: 'code', code: 1 });
    });

    test('are for root only', async () => {
      const user = { uid: 1234, gid: 1234, groups: [] };
      const { status, output } = await shell(rootfs, 'mknod /tmp/x c 1 3', { user });
      expect(output).toContain('not permitted');
      expect(status).toEqual({ kind: 'code', code: 1 });
    });

    test('leave fifos to the kernel', async () => {
      expect(await changesOf(rootfs, 'mkfifo -m 600 /p; mknod -m 600 /q p')).toEqual(['p 600 0:0 p', 'p 600 0:0 q']);
    });

    test('in /dev end with the command', async () => {
      expect(await changesOf(rootfs, 'mkdir /dev/net; mknod /dev/net/tun c 10 200; test -e /dev/net/tun')).toEqual([]);
    });

    test.skipIf(!rootless)('that nobody can help to make are explained', async () => {
      const [setpriv = '', unshare = ''] = [findProgram('setpriv'), findProgram('unshare')];
      const programs = { setpriv, unshare, node: process.execPath, init: initPath() };
      const devices = { marks: marks as DeviceMarks, canSupervise: false };
      const helpless = namespacesBackend({ programs, workFolder: join(home, 'work'), style: 'user', devices });
      await using alone = await helpless.open([base], never);
      const { status, output } = await shell(alone, 'mknod /x c 1 3');
      expect(output).toContain('not permitted');
      expect(status).toEqual({
        kind: 'code',
        code: 1,
        hint: expect.stringMatching(/^an ordinary user can make device nodes only since Linux 5\.6/),
      });
    });

    test.skipIf(!rootless)('are made nowhere but in the rootfs', async () => {
      const hostPath = mkdtempSync(join(home, 'shared-'));
      const mounts = [
        { type: 'folder', target: '/shared', hostPath, readonly: false },
        { type: 'tmpfs', target: '/memory', sizeBytes: null, mode: 0o777 },
      ] as const;
      const script =
        'for at in /shared /memory /dev/shm /proc/self /shared/../shared; do mknod $at/x c 1 3; done; chroot /shared mknod /x c 1 3; ls -A /shared /memory /dev/shm';
      const { output } = await shell(rootfs, `${script} 2>&1`, { mounts });
      expect(output).not.toMatch(/^x$/m);
      expect(readdirSync(hostPath)).toEqual([]);
      await takeChanges(rootfs);
    });

    test.skipIf(!rootless)('are made at the end of a way that has more steps than a process may have descriptors', async () => {
      // 19 symlinks of 1536 steps.
      const script = `mkdir -p /way/e; cd /way; steps=; for i in 1 2 3 4 5 6; do steps=$steps$steps"e/../"; done
        long=; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do long=$long$steps; done
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do ln -s $long"l$((i + 1))" l$i; done; mkdir l20
        mknod /way/l1/x c 1 3 && [ -e l20/x ]`;
      const { status } = await shell(rootfs, script);
      expect(status).toEqual({ kind: 'code', code: 0 });
      await takeChanges(rootfs);
    });

    test.skipIf(!rootless)('cannot be had by saying that a file is one', async () => {
      const forged = tarLayer({ name: 'f', mode: '0000666\0' });
      setXattr(
        join(await forged.folder(never), 'f'),
        DEVICE_MARK,
        deviceMarks(Buffer.alloc(32, 8)).write({ type: 'block', major: 8, minor: 0 }),
      );
      await rootfs.lay(forged, never);
      expect(await changesOf(rootfs, 'chmod 600 /f')).toEqual(['f 600 0:0 f']);
    });

    test.skipIf(!rootless)('are found inside the sandbox whatever moves on the way', async () => {
      const script = `mkdir -p /a/t /b; ln -s ../../../../../../tmp /l1
        (while [ ! -e /stop ]; do mv /a /c; ln -s /proc/1/root/tmp /a; rm /a; mv /c /a; done) 2>/dev/null &
        i=0; while [ $i -lt 150 ]; do mknod /a/t/n$i c 1 3; mknod /l1/m$i c 1 3; mknod /a/../../../../b/k$i c 1 3; i=$((i+1)); done 2>/dev/null
        touch /stop; wait; rm /stop`;
      const before = readdirSync(tmpdir());
      const { status } = await shell(rootfs, script);
      expect(status).toEqual({ kind: 'code', code: 0 });
      const { entries } = await takeChanges(rootfs);
      expect(entries.filter((entry) => entry.kind === 'put' && entry.node.type === 'char').length).toBeGreaterThan(150);
      expect(readdirSync(tmpdir()).filter((name) => /^[nmk]\d+$/.test(name) && !before.includes(name))).toEqual([]);
    });
  });
}
