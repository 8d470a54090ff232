/**
 * Builds in place: in containers of the tsbuild image with a runtime's default capabilities and seccomp profile, where `/` of the
 * container is the rootfs. Debian is the base, so that nothing of the container's own `/` is left but what is kept.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Outcome } from '../helpers/builds.ts';
import { baseMissing, baseTar, pushImage } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader, type ReadImage } from '../helpers/oci-reader.ts';
import { SECCOMP_PROFILE } from '../helpers/podman.ts';
import { CHECKOUT, tsbuildImage, tsbuildImageMissing } from '../helpers/tsbuild-image.ts';

const RUN_LIMIT_MS = 240_000;

const reason = baseMissing('debian') ?? baseMissing('busybox') ?? (await tsbuildImageMissing());

describeUnless(reason, 'in place', () => {
  let home: string;
  let image: string;
  let hub: DockerRegistry;
  let reader: OciReader;
  let bases: { readonly debian: string; readonly busybox: string };
  let runs = 0;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'tsbuild-in-place-'));
    image = (await tsbuildImage()).name;
    hub = await startDockerRegistry();
    reader = ociReader(hub.host);
    for (const name of ['debian', 'busybox'] as const) {
      await pushImage({ host: hub.host, repository: `library/${name}`, tag: '1', tars: [readFileSync(baseTar(name))] });
    }
    bases = { debian: `${hub.host}/library/debian:1`, busybox: `${hub.host}/library/busybox:1` };
  }, RUN_LIMIT_MS);
  afterAll(async () => {
    await hub?.[Symbol.asyncDispose]();
    rmSync(home, { recursive: true, force: true });
  });

  interface Container {
    /** Arguments of podman. */
    readonly podman?: readonly string[];
    /** Arguments of tsbuild. */
    readonly tsbuild?: readonly string[];
    /** Where the folder with the Dockerfile is mounted. */
    readonly context?: string;
  }

  function container(dockerfile: string, { podman = [], tsbuild = [], context = '/workspace' }: Container): string[] {
    const folder = join(home, `context${(runs += 1)}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    writeFileSync(join(folder, 'file'), 'of the context\n');
    const own = ['--runtime', 'runc', 'run', '--rm', '--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096', '--network=host'];
    const profile = `--security-opt=seccomp=${SECCOMP_PROFILE}`;
    const flags = ['--insecure', '--insecure-pull', `--context=${context}`, '--isolation=in-place'];
    return ['podman', ...own, profile, `--volume=${folder}:${context}`, ...podman, image, ...flags, ...tsbuild];
  }

  async function build(dockerfile: string, how: Container = {}): Promise<Outcome> {
    return execute(container(dockerfile, { ...how, tsbuild: ['--no-push', ...(how.tsbuild ?? [])] }), process.env, RUN_LIMIT_MS);
  }

  /** The image's files, by absolute path, after a push. */
  async function pushed(dockerfile: string, how: Container = {}): Promise<{ readonly files: ReadImage['files']; readonly log: string }> {
    const repository = `out/${runs}`;
    const tsbuild = [`--destination=${hub.host}/${repository}:1`, ...(how.tsbuild ?? [])];
    const { code, log } = await execute(container(dockerfile, { ...how, tsbuild }), process.env, RUN_LIMIT_MS);
    expect(code, log).toBe(0);
    return { files: (await reader.read(repository, '1', 'own layers')).files, log };
  }

  test(
    'stages follow each other in /, and nothing of the container is in the image',
    async () => {
      const { files, log } = await pushed(
        [
          `FROM ${bases.debian} AS one`,
          'RUN echo one > /one && rm -rf /usr/share/doc && ! ls /kaniko/executor-is-not-here 2>/dev/null',
          `FROM ${bases.busybox}`,
          'RUN test ! -e /one && test ! -e /usr/bin/apt-get && echo someone:x:1234:1234::/:/bin/sh >> /etc/passwd',
          'COPY --from=one /one /from-one',
          'COPY file /data/file',
          'USER someone',
          'WORKDIR /srv/x',
          'USER root',
          'RUN cat /from-one /data/file > both && cat /proc/self/mountinfo >/dev/null && echo text > /dev/stdout',
          'RUN <<END',
          '#!/bin/sh',
          'echo script $0 > /script',
          'END',
        ].join('\n'),
      );
      expect(files.get('/srv/x/both')?.text).toBe('one\nof the context\n');
      expect(files.get('/script')?.text).toBe('script /dev/pipes/END\n');
      expect(files.get('/etc/passwd')?.text).toContain('someone:');
      for (const path of ['tsbuild', 'kaniko', 'workspace', 'output', 'one', 'usr/bin/apt-get', '.tsbuild-scripts'])
        expect(files.has(`/${path}`), path).toBe(false);
      expect(log).not.toContain('warning');
    },
    RUN_LIMIT_MS,
  );

  test(
    'ten small RUNs on Debian',
    async () => {
      const steps = Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /etc/file${i}`);
      const began = performance.now();
      const { files } = await pushed([`FROM ${bases.debian}`, ...steps].join('\n'));
      process.stderr.write(`ten small RUNs in place on Debian: ${((performance.now() - began) / 1000).toFixed(1)} s\n`);
      expect([...files.keys()].filter((path) => path.startsWith('/etc/file'))).toHaveLength(10);
    },
    RUN_LIMIT_MS,
  );

  test(
    'mounts of a RUN are there for the RUN alone, and caches stay in their volume',
    async () => {
      const cache = join(home, 'cache');
      mkdirSync(cache);
      const secret = join(home, 'secret');
      writeFileSync(secret, 's3cret');
      const dockerfile = [
        `FROM ${bases.busybox}`,
        'RUN --mount=type=cache,target=/var/cache/x --mount=type=secret,id=s --mount=type=tmpfs,target=/etc/t --mount=type=bind,target=/src \\',
        '  echo line >> /var/cache/x/f && wc -l < /var/cache/x/f && cat /run/secrets/s /src/file && touch /etc/t/x /src/y',
      ].join('\n');
      const podman = [`--volume=${cache}:/cache`, `--volume=${secret}:/secret:ro`];
      const tsbuild = ['--cache-dir=/cache', '--secret=id=s,src=/secret'];
      const first = await pushed(dockerfile, { podman, tsbuild });
      expect(first.log).toContain('s3cretof the context');
      expect(first.files.has('/var/cache')).toBe(false);
      for (const path of ['etc/t', 'src', 'run/secrets']) expect(first.files.has(`/${path}`), path).toBe(false);
      const second = await build(dockerfile, { podman, tsbuild: [...tsbuild, '--no-cache'] });
      expect(second.log).toMatch(/\b2$/m);
    },
    RUN_LIMIT_MS,
  );

  test(
    'processes of a RUN are dead when it has ended, and cannot read the environment of tsbuild',
    async () => {
      const { code, log } = await build(
        [
          `FROM ${bases.busybox}`,
          `RUN (setsid sh -c 'trap "" TERM; sleep 1234' >/dev/null 2>&1 &); sleep 0.1; ps | grep "sleep [1]234" >/dev/null && echo runs`,
          'RUN ps | grep "sleep [1]234" || echo none; cat /proc/1/environ; cat /proc/*/environ | grep -c token-of-tsbuild; true',
        ].join('\n'),
        { podman: ['--env=SEEN=token-of-tsbuild'] },
      );
      expect(code, log).toBe(0);
      expect(log).toMatch(/\| runs$/m);
      expect(log).toMatch(/\| none$/m);
      expect(log).toMatch(/\| 0$/m);
      expect(log).toContain("'/proc/1/environ': Permission denied");
    },
    RUN_LIMIT_MS,
  );

  test(
    'a RUN without a network fails before it runs, and says what it would take',
    async () => {
      const { code, log } = await build(`FROM ${bases.busybox}\nRUN --network=none echo ran\n`);
      expect(code).toBe(1);
      expect(log).toContain('cannot make a network without interfaces');
      expect(log).toContain('RUN --network=none needs');
      expect(log).not.toContain('| ran');
    },
    RUN_LIMIT_MS,
  );

  describe('what is the container’s own', () => {
    test.each([
      ['files of the image', 'COPY file /app/file\nRUN true', 'the image has "/app/file", where this container has files of its own: /app'],
      ['the working directory', 'WORKDIR /app\nRUN echo > made', 'a RUN begins in /app, where this container has files of its own: /app'],
    ])(
      'is not mixed with %s',
      async (_, steps, message) => {
        const { code, log } = await build(`FROM ${bases.busybox}\n${steps}\n`, { context: '/app' });
        expect(code).toBe(1);
        expect(log).toContain(message);
      },
      RUN_LIMIT_MS,
    );

    test(
      'is not covered by a mount',
      async () => {
        const { code, log } = await build(`FROM ${bases.busybox}\nRUN --mount=type=tmpfs,target=/workspace true\n`);
        expect(code).toBe(1);
        expect(log).toContain('cannot mount /workspace: /workspace belongs to this machine');
      },
      RUN_LIMIT_MS,
    );

    test(
      'is what is mounted, whatever its name, and what --ignore-path names',
      async () => {
        const volume = join(home, 'a volume');
        mkdirSync(volume);
        writeFileSync(join(volume, 'mine'), 'mine');
        const { files } = await pushed(`FROM ${bases.busybox}\nRUN echo x > /etc/y; echo y > /mnt/kept-apart; true\n`, {
          podman: [`--volume=${volume}:/mnt/a volume`],
          tsbuild: ['--ignore-path=/etc/y'],
        });
        expect(readFileSync(join(volume, 'mine'), 'utf8')).toBe('mine');
        expect(files.has('/etc/y')).toBe(false);
        expect([...files.keys()].filter((path) => path.startsWith('/mnt/'))).toEqual(['/mnt/kept-apart']);
      },
      RUN_LIMIT_MS,
    );
  });

  describe('afterwards, / holds', () => {
    /** What a second process sees in the container that has built. */
    async function listing(dockerfile: string, ...flags: readonly string[]): Promise<string[]> {
      const script = `const build = require('child_process').spawnSync('/kaniko/executor', process.argv.slice(1), { stdio: 'inherit' });
        console.log('HOLDS ' + JSON.stringify(require('fs').readdirSync('/'))); process.exit(build.status)`;
      const argv = container(dockerfile, { tsbuild: ['--no-push', ...flags] });
      const at = argv.indexOf(image);
      const inside = [...argv.slice(0, at), '--entrypoint=/tsbuild/bin/node', image, '-e', script, '--', ...argv.slice(at + 1)];
      const { code, log } = await execute(inside, process.env, RUN_LIMIT_MS);
      expect(code, log).toBe(0);
      return JSON.parse(/^HOLDS (.*)$/m.exec(log)?.[1] ?? '[]') as string[];
    }
    const dockerfile = (): string =>
      `FROM ${bases.busybox} AS last\nCOPY file /copied\nFROM ${bases.busybox} AS other\nRUN touch /of-other\nFROM last\nCOPY --from=other /of-other /got\n`;

    test(
      'what the last RUN needed, or nothing with --cleanup, or the image with --materialize',
      async () => {
        expect(await listing(dockerfile())).toContain('of-other');
        const cleared = await listing(dockerfile(), '--cleanup', '--pre-cleanup');
        expect(cleared).toContain('tsbuild');
        expect(cleared).not.toContain('bin');
        const image = await listing(dockerfile(), '--materialize');
        expect(image).toEqual(expect.arrayContaining(['bin', 'copied', 'got', 'tsbuild', 'kaniko']));
        expect(image).not.toContain('of-other');
      },
      RUN_LIMIT_MS,
    );
  });

  test.each([
    ['--preserve-context', [], ['--preserve-context'], 'what is in / is lost, which --preserve-context forbids'],
    ['a read-only /', ['--read-only', '--tmpfs=/tsbuild/cache', '--tmpfs=/tsbuild/tmp'], [], '/ is read-only'],
    ['a user that is not root', ['--user=1000', '--tmpfs=/tmp'], ['--cache-dir=/tmp/c'], 'only root can write to /'],
    [
      'root without capabilities',
      ['--cap-drop=ALL', '--tmpfs=/tmp'],
      ['--cache-dir=/tmp/c'],
      'this root lacks CAP_CHOWN, CAP_DAC_OVERRIDE',
    ],
  ] as const)(
    'is refused with %s',
    async (_, podman, tsbuild, why) => {
      const { code, log } = await build(`FROM ${bases.busybox}\nRUN true\n`, { podman, tsbuild });
      expect(code).toBe(1);
      expect(log).toContain(why);
    },
    RUN_LIMIT_MS,
  );

  test(
    'what a RUN writes to the network files of the container is gone for the next one',
    async () => {
      const { code, log } = await build(
        [
          `FROM ${bases.busybox}`,
          'RUN echo 192.0.2.1 elsewhere >> /etc/hosts && echo nameserver 192.0.2.1 > /etc/resolv.conf',
          'RUN ! grep -q 192.0.2.1 /etc/hosts /etc/resolv.conf && grep -q localhost /etc/hosts',
        ].join('\n'),
      );
      expect(code, log).toBe(0);
    },
    RUN_LIMIT_MS,
  );

  test(
    'no RUN reads credentials, the context, the cache or tsbuild, whoever it is, nor changes them',
    async () => {
      const [docker, token] = [join(home, 'docker'), join(home, 'token')];
      for (const folder of [docker, token]) mkdirSync(folder);
      writeFileSync(join(docker, 'config.json'), '{"auths":{"registry.example":{"auth":"aHVzaDpodXNo"}}}');
      writeFileSync(join(token, 'token'), 'hush');
      const tokens = '/var/run/secrets/kubernetes.io/serviceaccount';
      const reads = [
        '/kaniko/.docker/config.json',
        `${tokens}/token`,
        '/workspace/file',
        '/busybox/config.json',
        '/tsbuild/app/bin/tsbuild.js',
        '/proc/1/environ',
        '/proc/1/mem',
      ];
      const script = [
        ...reads.map((path) => `! head -c 1 ${path}`),
        '! head -c 1 "/proc/self/root/kaniko/.docker/config.json"',
        '! rm /tsbuild/bin/node && ! mv /tsbuild /other && ! touch /kaniko/new && ! touch /busybox/zstd && ! ln -s / /tsbuild/link && ! kill -9 1',
        '! find /tsbuild/cache -type f -exec head -c 1 {} + | grep -q .',
      ].join(' && ');
      const { code, log } = await build(
        [
          `FROM ${bases.busybox}`,
          `RUN ${script}`,
          'RUN echo text > /new && cat /new && mkdir /folder && cp /new /folder/ && cat /folder/new && ln -sf /new /link && mv /new /moved && rm -r /folder /link /moved',
          'USER 1234',
          `RUN ${script}`,
        ].join('\n'),
        {
          podman: [
            `--volume=${docker}:/kaniko/.docker:ro`,
            `--volume=${docker}:/busybox`,
            `--volume=${token}:${tokens}:ro`,
            '--env=HUSH=hush',
          ],
        },
      );
      expect(code, log).toBe(0);
      expect(log).not.toMatch(/hush|warning/i);
    },
    RUN_LIMIT_MS,
  );

  test(
    'settings of OpenSSL that a RUN leaves in /etc, which could name a library to load, are not those of processes of tsbuild',
    async () => {
      const broken = "mkdir -p /etc/ssl && printf 'nodejs_conf = one\\n[broken\\n' > /etc/ssl/openssl.cnf";
      const { code, log } = await build([`FROM ${bases.busybox}`, `RUN ${broken}`, 'RUN true', 'RUN echo third'].join('\n'));
      expect(code, log).toBe(0);
      expect(log).toMatch(/\| third$/m);
    },
    RUN_LIMIT_MS,
  );

  test('is refused outside of the tsbuild image', async () => {
    const folder = join(home, 'outside');
    mkdirSync(folder);
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${bases.busybox}\nRUN true\n`);
    const argv = [process.execPath, join(CHECKOUT, 'bin/tsbuild.js'), '--context', folder, '--no-push', '--insecure-pull'];
    const { code, log } = await execute(
      [...argv, '--isolation=in-place', '--force', '--cache-dir', join(home, 'own')],
      process.env,
      RUN_LIMIT_MS,
    );
    expect(code).toBe(1);
    expect(log).toContain('which a base image laid over / would replace');
  });
});
