/**
 * --reproducible by the whole program: one image, whoever builds it, when and on what machine.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, removeCache, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';
import { asUser, type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const DOCKERFILE = `FROM rootfs AS made
RUN ["/bin/busybox", "sh", "-c", "cd /opt; for i in $(/bin/busybox seq 50 | /bin/busybox shuf); do echo $i >f$i; done; /bin/busybox ln f1 z"]
FROM rootfs
WORKDIR /w/x
COPY files /files
COPY --from=made /opt /opt/
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox rm -r /opt/f2 /files/d; /bin/busybox touch /opt/f3; /bin/busybox mkdir /n"]
LABEL b=2 a=1
`;

/** A Node of another version than this one; CI gives one. */
const otherNode = process.env['TSBUILD_TEST_OTHER_NODE'];

describeUnless(missing(['busybox', 'taskset']), 'a reproducible build', () => {
  const user = unprivilegedUser();
  let top: string;
  let caches: string[];

  beforeAll(() => {
    top = scratchFolder('reproducible');
    caches = [];
    for (const folder of ['rootfs/bin', 'rootfs/opt', 'context/files/d']) mkdirSync(join(top, folder), { recursive: true });
    copyFileSync('/bin/busybox', join(top, 'rootfs/bin/busybox'));
    writeFileSync(join(top, 'context/Dockerfile'), DOCKERFILE);
    for (const name of ['a', 'b', 'd/c']) writeFileSync(join(top, 'context/files', name), name.repeat(100_000));
  });
  afterAll(() => {
    for (const cache of caches) removeCache(cache);
    removeCache(top);
  });

  interface Build {
    /** What the files of the context are dated. */
    readonly seconds: number;
    readonly processors?: string;
    readonly as?: UnprivilegedUser;
    readonly epoch?: string;
    /** One from before is taken again when it is given. */
    readonly cache?: string;
    readonly node?: string;
    readonly flags?: readonly string[];
  }

  const REPRODUCIBLE = ['--reproducible'];

  async function digestOf(build: Build): Promise<string> {
    const { seconds, processors, as, epoch, cache = newCache(as), node = process.execPath, flags = REPRODUCIBLE } = build;
    for (const name of ['a', 'd', '.']) utimesSync(join(top, 'context/files', name), seconds, seconds);
    const argv = [
      ...[node, TSBUILD, ...flags, '--no-push', '--progress=quiet', `--cache-dir=${cache}`],
      ...[`--context=${join(top, 'context')}`, `--build-context=rootfs=${join(top, 'rootfs')}`],
    ];
    const dated = epoch === undefined ? {} : { SOURCE_DATE_EPOCH: epoch };
    const pinned = processors === undefined ? argv : ['taskset', '--cpu-list', processors, ...argv];
    const built = await execute(as === undefined ? pinned : asUser(as, pinned, dated), { ...process.env, ...dated });
    expect([built.code, built.log]).toEqual([0, built.stdout]);
    return built.stdout.trim();
  }

  function newCache(as?: UnprivilegedUser): string {
    const folder = scratchFolder('reproducible-cache', as);
    caches.push(folder);
    return folder;
  }

  test('is the same image, whatever the times, the processors and the caches', async () => {
    const cache = newCache();
    const first = await digestOf({ seconds: 1_000_000_000, cache });
    expect(first).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await digestOf({ seconds: 1_100_000_000, processors: '0' })).toBe(first);
    expect(await digestOf({ seconds: 1_200_000_000, cache })).toBe(first);
    expect(await digestOf({ seconds: 1_000_000_000, cache, epoch: '1' })).not.toBe(first);
  });

  test.skipIf(otherNode === undefined)(
    `is the same image by another version of Node${otherNode === undefined ? ' (skipped: needs TSBUILD_TEST_OTHER_NODE)' : ''}`,
    async () => {
      const node = otherNode ?? '';
      expect(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()).not.toBe(process.version);
      expect(await digestOf({ seconds: 1_000_000_000, node })).toBe(await digestOf({ seconds: 1_000_000_000 }));
    },
  );

  test.skipIf(typeof user === 'string')(
    `is the same image for root and an ordinary user${typeof user === 'string' ? ` (skipped: ${user})` : ''}`,
    async () => {
      const byRoot = await digestOf({ seconds: 1_000_000_000 });
      expect(await digestOf({ seconds: 1_000_000_000, as: user as UnprivilegedUser })).toBe(byRoot);
    },
  );
});
