/** What the probe says where something is missing: each obstacle is made for one process only. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';
import { bundle, bundleFolder, bundleInit } from './backend-bundle.ts';

describeUnless(missing(['root', 'unshare', 'setpriv', 'mount']), 'the probe of the namespaces rung', () => {
  let dist: string;
  let home: string;
  let command: readonly string[];
  beforeAll(() => {
    dist = bundleFolder();
    home = mkdtempSync(join(tmpdir(), 'tsbuild-probe-'));
    for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(home, name));
    const probe = bundle(dist, new URL('./backend-probe.ts', import.meta.url), 'probe.mjs');
    command = [process.execPath, probe, bundleInit(dist)];
  });
  afterAll(() => {
    for (const folder of [dist, home]) rmSync(folder, { recursive: true, force: true });
  });

  interface Answer {
    readonly works: boolean;
    readonly why?: string;
    readonly hint?: string;
  }
  const probe = (before: readonly string[] = [], workFolder = join(home, 'rootfs'), env: NodeJS.ProcessEnv = process.env): Answer => {
    const [program = '', ...args] = [...before, ...command, workFolder];
    return JSON.parse(execFileSync(program, args, { encoding: 'utf8', env })) as Answer;
  };
  const inShell = (script: string): string[] => ['unshare', '--mount', 'sh', '-c', `${script} && exec "$@"`, 'sh'];

  test('finds that it works here', () => {
    expect(probe()).toEqual({ works: true, name: 'namespaces' });
  });

  test('misses CAP_SYS_ADMIN', () => {
    const { works, why, hint } = probe(['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin']);
    expect([works, why]).toEqual([false, 'this root lacks CAP_SYS_ADMIN, as it does in an ordinary container']);
    expect(hint).toContain('--privileged');
  });

  test('refuses a work folder that is on an overlay', () => {
    const merged = join(home, 'merged');
    const mount = `mount -t overlay overlay -o lowerdir=${home}/lower,upperdir=${home}/upper,workdir=${home}/work ${merged}`;
    const { works, why, hint } = probe(inShell(mount), join(merged, 'rootfs'));

    expect([works, why]).toEqual([
      false,
      `${join(merged, 'rootfs')} is on a file system that cannot carry an overlay: it is an overlay itself`,
    ]);
    expect(hint).toContain('--cache-dir');
  });

  test('says that a limit of namespaces is reached', () => {
    const limit = 'echo 0 > /proc/sys/user/max_pid_namespaces';
    const { works, why } = probe(['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', `${limit} && exec "$@"`, 'sh']);
    expect(works).toBe(false);
    expect(why).toMatch(/^namespaces cannot be made: .*No space left on device/);
  });

  test('says that a masked /proc forbids a new one', () => {
    // Each /proc that is mounted anywhere, since one that is whole is enough for the kernel.
    const mask =
      'awk \'/ - proc / && $4 == "/" { print $5 }\' /proc/self/mountinfo | while read -r proc; do mount --bind /dev/null "$proc/uptime"; done';
    const { works, why, hint } = probe([
      'unshare',
      '--mount',
      'sh',
      '-c',
      `${mask}; exec unshare --user --map-root-user --mount "$@"`,
      'sh',
    ]);
    expect(works).toBe(false);
    expect(why).toContain('/proc cannot be mounted');
    expect(hint).toContain('Unmasked');
  });
});
