/** What the in-place rung concludes from the container that it finds itself in. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Surroundings, signOfContainer } from '../../../../src/backend/in-place/container.ts';
import { holdsRoot, keptPaths } from '../../../../src/backend/in-place/kept-paths.ts';
import { mountPoints } from '../../../../src/backend/in-place/mount-points.ts';

const home = realpathSync(mkdtempSync(join(tmpdir(), 'tsbuild-kept-')));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const relative = (...parts: readonly string[]): string => join(home, ...parts).slice(1);

test('mount points are read with their blanks, backslashes and bytes', () => {
  const line = (path: string): string => `36 35 0:3 / ${path} rw,noatime - tmpfs tmpfs rw\n`;
  expect(mountPoints(line('/') + line('/a\\040b\\011c\\134d') + line('/\xff'))).toEqual(['/', '/a b\tc\\d', '/\xff']);
});

describe('a container', () => {
  const host: Surroundings = {
    env: {},
    pid: 4242,
    exists: () => false,
    read: (path) => (path === '/proc/self/mountinfo' ? '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n' : '0::/init.scope\n'),
  };

  test('is not found on a machine', () => {
    expect(signOfContainer(host)).toBeUndefined();
  });

  test.each<[string, Partial<Surroundings>]>([
    ['by the file of Docker', { exists: (path) => path === '/.dockerenv' }],
    ['by the file of podman', { exists: (path) => path === '/run/.containerenv' }],
    ['by the variables of Kubernetes', { env: { KUBERNETES_SERVICE_HOST: '10.0.0.1' } }],
    ['by the variable of systemd', { env: { container: 'oci' } }],
    ['by being process 1', { pid: 1 }],
    ['by its control group', { read: () => '12:cpu:/kubepods/burstable/pod1\n' }],
    ['by an overlay at /', { read: () => '500 400 0:80 / / rw,relatime - overlay overlay rw,lowerdir=/l\n' }],
  ])('is found %s', (_, changed) => {
    expect(signOfContainer({ ...host, ...changed })).toBeDefined();
  });
});

describe('kept paths', () => {
  const kept = (changed: Partial<Parameters<typeof keptPaths>[0]>) =>
    keptPaths({ named: [], ignored: [], mounts: ['/'], varRun: 'keep', ...changed });

  test('are those of the kernel, of the machine, of tsbuild and what is mounted', () => {
    const { all, quiet } = kept({ mounts: ['/', '/data/a b', '/proc'] });
    expect(all).toEqual(expect.arrayContaining(['tsbuild', 'kaniko', 'proc', 'sys', 'dev', 'etc/hosts', 'etc/resolv.conf', 'data/a b']));
    expect(all).not.toContain('');
    expect([quiet.has('etc/hosts'), quiet.has('data/a b')]).toEqual([true, false]);
  });

  test('hold a path by each symlink that leads to it', () => {
    mkdirSync(join(home, 'real'));
    writeFileSync(join(home, 'real/file'), '');
    symlinkSync('real', join(home, 'link'));
    symlinkSync(join(home, 'link/file'), join(home, 'direct'));
    const { all } = kept({ named: [join(home, 'direct')] });
    expect(all).toEqual(expect.arrayContaining([relative('direct'), relative('link'), relative('real/file')]));
  });

  test('hold an output that is not there yet', () => {
    expect(kept({ named: [join(home, 'out/digest')] }).all).toContain(relative('out/digest'));
  });

  test('are ignored paths only where they are there', () => {
    const { all } = kept({ ignored: [home, join(home, 'nothing')] });
    expect([all.includes(relative()), all.includes(relative('nothing'))]).toEqual([true, false]);
  });

  test('are /var/run only while something is mounted in it, and its mounts alone if that is asked for', () => {
    const mounts = ['/', '/var/run/secrets/token'];
    expect(kept({}).all).not.toContain('var/run');
    expect(kept({ mounts }).quiet.has('var/run')).toBe(true);
    const alone = kept({ mounts, varRun: 'keep mounts' }).all;
    expect([alone.includes('var/run'), alone.includes('var/run/secrets/token')]).toEqual([false, true]);
  });

  test('cannot be / itself', () => {
    symlinkSync('/', join(home, 'root'));
    expect(holdsRoot([home, join(home, 'root')])).toBe(join(home, 'root'));
    expect(holdsRoot([home])).toBeUndefined();
  });
});
