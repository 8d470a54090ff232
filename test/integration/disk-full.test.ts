/**
 * Disks that are full, as small file systems in memory: the build ends with one error that names the folder and what to do,
 * and leaves nothing half done, neither in the cache folder nor where the image was to go.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { baseMissing, baseTar, pushImage } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { dumbServer, smartServer, type TestServer, testRepository } from '../helpers/git-server.ts';
import { missing } from '../helpers/tools.ts';

const MIB = 1 << 20;
const lacking = missing(['root', 'docker-registry', 'unshare', 'git']) ?? baseMissing('busybox');

interface Failure {
  readonly code: number | null;
  readonly log: string;
  readonly stdout: string;
  /** Paths below the small file system when the build has ended, without folders. */
  readonly left: readonly string[];
  /** The same command with more room on the same disk. */
  readonly again: number;
}

interface Case {
  readonly dockerfile: string;
  readonly mib: number;
  readonly flags: readonly string[];
  /** Of the whole message. */
  readonly error: RegExp;
  readonly hint: RegExp;
  /** Fills the disk up to its last byte first. */
  readonly begins?: 'full';
}

describeUnless(lacking, 'a full disk', () => {
  let registry: DockerRegistry;
  let web: TestServer;
  let git: TestServer;
  let top = '';
  let disk = '';

  beforeAll(async () => {
    registry = await startDockerRegistry();
    top = scratchFolder('disk-full');
    disk = join(top, 'disk');
    mkdirSync(disk);
    mkdirSync(join(top, 'context'));
    // Bytes that gzip cannot shrink.
    writeFileSync(join(top, 'context/noise'), randomBytes(12 * MIB));
    const archive = join(top, 'context/noise.tar');
    execFileSync('tar', ['-cf', archive, '-C', join(top, 'context'), 'noise']);
    writeFileSync(join(top, 'context/small'), 'small');
    writeFileSync(join(top, 'context/.dockerignore'), 'Dockerfile');
    const busybox = readFileSync(baseTar('busybox'));
    await pushImage({ host: registry.host, repository: 'library/small', tag: 'latest', tars: [busybox] });
    await pushImage({ host: registry.host, repository: 'library/noisy', tag: 'latest', tars: [busybox, readFileSync(archive)] });
    testRepository(join(top, 'served/app')).commit({
      Dockerfile: 'FROM scratch\nCOPY small /\n',
      small: 's',
      noise: randomBytes(6 * MIB).toString('hex'),
    });
    testRepository(join(top, 'served/app')).publish();
    web = await dumbServer(join(top, 'context'));
    git = await smartServer(join(top, 'served'));
  });
  afterAll(async () => {
    await web.close();
    await git.close();
    await registry[Symbol.asyncDispose]();
    rmSync(top, { recursive: true, force: true });
  });

  /** On a file system at `disk`, in a mount namespace of its own. */
  async function build({ dockerfile, mib, flags, begins }: Case): Promise<Failure> {
    writeFileSync(join(top, 'context/Dockerfile'), dockerfile);
    const [list, again] = [join(top, 'list'), join(top, 'again')];
    rmSync(list, { force: true });
    const fill = begins === 'full' ? 'cat /dev/zero > "$1/zeros" 2>/dev/null' : ':';
    const script = `mount -t tmpfs -o size=${mib}m none "$1"; ${fill}
      disk=$1; list=$2; again=$3; shift 3; mounts=$(grep -c "$disk" /proc/self/mountinfo); "$@"; code=$?
      [ "$mounts" = "$(grep -c "$disk" /proc/self/mountinfo)" ] || exit 98
      find "$disk" ! -type d -printf '%P\\n' > "$list"
      mount -o remount,size=200m "$disk"; "$@" > "$again" 2>&1; echo "exit $?" >> "$again"; exit $code`;
    const given = (name: string): boolean => flags.some((flag) => flag.startsWith(`--${name}`));
    const argv = [
      process.execPath,
      TSBUILD,
      `--insecure-registry=${registry.host}`,
      `--registry-mirror=${registry.host}`,
      '--progress=plain',
    ];
    if (!given('context')) argv.push(`--context=${join(top, 'context')}`);
    if (!given('cache-dir')) argv.push(`--cache-dir=${join(disk, 'cache')}`);
    if (!given('destination') && !given('no-push')) argv.push(`--destination=${registry.host}/out:1`);
    const env = { ...process.env, GIT_PULL_METHOD: 'http' };
    const { code, log, stdout } = await execute(['unshare', '-m', 'sh', '-c', script, 'sh', disk, list, again, ...argv, ...flags], env);
    const left = readFileSync(list, 'utf8')
      .split('\n')
      .filter((name) => name !== '');
    return { code, log, stdout, left, again: Number(/exit (\d+)\n$/.exec(readFileSync(again, 'utf8'))?.[1]) };
  }

  const NOISE = 'RUN dd if=/dev/urandom of=/noise bs=1M count=';
  const CACHE = /free disk space, or choose another folder with --cache-dir/;
  const OUTPUT = /free disk space there, or write to another folder/;
  const at = (path: string): string => join(disk, path).replaceAll('.', '\\.');

  const cases: Readonly<Record<string, () => Case>> = {
    'a base is pulled': () => ({
      dockerfile: 'FROM noisy\nCOPY small /\n',
      mib: 10,
      flags: ['--destination=a:1', `--tar-path=${join(top, 'out.tar')}`],
      error: new RegExp(`cannot (?:store blobs|keep a layer) in ${at('cache')}: ENOSPC`),
      hint: CACHE,
    }),
    'a base is unpacked': () => ({
      dockerfile: 'FROM noisy\nRUN true\n',
      mib: 20,
      flags: [],
      // Whichever of its two layers meets the end of the disk first.
      error: new RegExp(
        `"noise" of a layer cannot be unpacked in ${at('cache')}/work/build-\\S+: ENOSPC|cannot keep a layer in ${at('cache')}: ENOSPC`,
      ),
      hint: CACHE,
    }),
    'RUN writes': () => ({
      dockerfile: `FROM small\n${NOISE}30\n`,
      mib: 20,
      flags: [],
      error: /the command ".* count=30" failed: exit code 1/,
      hint: new RegExp(`the disk of ${at('cache')}/work/build-\\S+ is full: ${CACHE.source}`),
    }),
    'what RUN wrote becomes a layer': () => ({
      dockerfile: `FROM small\n${NOISE}14\n`,
      mib: 20,
      flags: [],
      error: new RegExp(`cannot store blobs in ${at('cache')}: ENOSPC`),
      hint: CACHE,
    }),
    'what COPY brings becomes a layer': () => ({
      dockerfile: 'FROM scratch\nCOPY noise /\n',
      mib: 8,
      flags: [],
      error: new RegExp(`cannot store blobs in ${at('cache')}: ENOSPC`),
      hint: CACHE,
    }),
    'ADD downloads': () => ({
      dockerfile: `FROM scratch\nADD ${web.url}/noise /\n`,
      mib: 8,
      flags: [],
      error: new RegExp(`cannot keep the download in ${at('cache')}/work/\\S+: ENOSPC`),
      hint: CACHE,
    }),
    'ADD extracts': () => ({
      dockerfile: 'FROM scratch\nADD noise.tar /\n',
      mib: 8,
      flags: [],
      error: new RegExp(`"noise.tar" cannot be extracted in ${at('cache')}/work/build-\\S+: ENOSPC`),
      hint: CACHE,
    }),
    'an archive is the context': () => ({
      dockerfile: 'FROM scratch\nCOPY noise /\n',
      mib: 8,
      flags: [`--context=tar://${join(top, 'context/noise.tar')}`, `--dockerfile=${join(top, 'context/Dockerfile')}`],
      error: new RegExp(`the archive \\S+ cannot be unpacked: .* in ${at('cache')}/work/\\S+: ENOSPC`),
      hint: CACHE,
    }),
    'a repository is the context': () => ({
      dockerfile: '',
      mib: 8,
      flags: [`--context=${git.url}/app/.git`],
      error: /cannot fetch the git repository /,
      hint: new RegExp(`the disk of ${at('cache')}/work/build-\\S+ is full: ${CACHE.source}`),
    }),
    'the archive is written': () => ({
      dockerfile: 'FROM scratch\nCOPY noise /\n',
      mib: 8,
      flags: [`--cache-dir=${join(top, 'roomy')}`, '--destination=a:1', `--tar-path=${join(disk, 'image.tar')}`],
      error: new RegExp(`cannot write ${at('image.tar')}: ENOSPC`),
      hint: OUTPUT,
    }),
    'the layout is written': () => ({
      dockerfile: 'FROM scratch\nCOPY noise /\n',
      mib: 8,
      flags: [`--cache-dir=${join(top, 'roomy')}`, '--no-push', `--oci-layout-path=${join(disk, 'layout')}`],
      error: new RegExp(`cannot write ${at('layout/blobs/sha256/')}[0-9a-f]+: ENOSPC`),
      hint: OUTPUT,
    }),
    'the digest is written': () => ({
      dockerfile: 'FROM scratch\nCOPY small /\n',
      mib: 1,
      flags: [`--cache-dir=${join(top, 'roomy')}`, `--digest-file=${join(disk, 'digest')}`],
      error: new RegExp(`the image was pushed, but a result file was not written: cannot write ${at('digest')}: ENOSPC`),
      hint: /the digest is on stdout/,
      begins: 'full',
    }),
    'the build begins': () => ({
      dockerfile: 'FROM scratch\nCOPY noise /\n',
      mib: 1,
      flags: [],
      error: new RegExp(`${at('cache')}.*ENOSPC`),
      hint: CACHE,
      begins: 'full',
    }),
  };

  test.each(Object.entries(cases))(
    'while %s ends the build in one error, and a build with more room goes on from there',
    async (_, make) => {
      const one = make();
      const { code, log, stdout, left, again } = await build(one);
      expect([code, log]).toEqual([1, expect.stringMatching(one.error)]);
      expect(log).toMatch(new RegExp(`hint: ${one.hint.source}`));
      expect(log.match(/^error: /gm)).toHaveLength(1);
      expect(log).not.toMatch(/^\s+at .*\.(?:c?js|ts):\d+|this is a bug|could not clean up/m);
      expect(stdout.includes('sha256:')).toBe(one.flags.some((flag) => flag.startsWith('--digest-file')));
      const complete =
        /^cache\/(?:blobs|layers|indexes|steps|places|contexts|device-key|gc\.lock)|^layout\/blobs\/sha256\/[0-9a-f]{64}$|^zeros$/;
      expect(left.filter((name) => !complete.test(name))).toEqual([]);
      expect(again).toBe(0);
    },
  );
});
