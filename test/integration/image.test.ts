/** The image of deploy/Dockerfile: built twice from a Debian and npm packages, and run as pods run it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, type Outcome, removeCache, scratchFolder } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { podmanMissing, podmanRun } from '../helpers/podman.ts';
import { missing } from '../helpers/tools.ts';
import { buildImageFromBase, load, offline } from '../helpers/tsbuild-image.ts';

const lacking =
  podmanMissing() ??
  missing(['docker-registry', 'openssl', 'skopeo']) ??
  baseMissing('debian-13') ??
  baseMissing('busybox') ??
  (await offline());
const MOST_BYTES = 75_000_000;
const RESTRICTED = ['--user=1000', '--cap-drop=ALL', '--security-opt=no-new-privileges'];
const VOLUMES = ['--read-only', '--read-only-tmpfs=false', '--tmpfs=/tsbuild/cache:mode=1777', '--tmpfs=/tsbuild/tmp:mode=1777'];

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}
interface Config {
  readonly created: string;
  readonly config: Readonly<Record<string, unknown>> & { readonly Env: readonly string[] };
}

describeUnless(lacking, 'the image of tsbuild', () => {
  const name = 'localhost/tsbuild-test-image:built';
  let top: string;
  let workspace: string;
  let registry: DockerRegistry;

  beforeAll(async () => {
    top = scratchFolder('image');
    workspace = join(top, 'workspace');
    mkdirSync(workspace);
    registry = await startDockerRegistry();
    await pushBase(registry.host, 'busybox');
    await Promise.all(
      ['one', 'two'].map((layout) => buildImageFromBase(join(top, layout), [`--cache-dir=${join(top, `cache-${layout}`)}`])),
    );
    await load(join(top, 'one'), name);
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    await execute(['podman', 'image', 'rm', '--force', name]);
    removeCache(top);
  });

  const blob = (digest: string, layout = 'one'): Buffer => readFileSync(join(top, layout, 'blobs', digest.replace(':', '/')));
  const documentOf = <T>(digest: string): T => JSON.parse(blob(digest).toString()) as T;
  const digestOf = (layout: string): string => {
    const { manifests } = JSON.parse(readFileSync(join(top, layout, 'index.json'), 'utf8')) as { manifests: [{ digest: string }] };
    return manifests[0].digest;
  };
  const manifest = (): Manifest => documentOf(digestOf('one'));

  /** `files`: what /workspace holds. */
  function run(args: readonly string[], flags: readonly string[] = [], files: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    for (const [path, text] of Object.entries(files)) writeFileSync(join(workspace, path), text);
    return execute(podmanRun({ image: name, flags: [`--volume=${workspace}:/workspace`, ...flags], arguments: args }));
  }

  test('is the same bit for bit when it is built twice, and small', () => {
    expect(digestOf('two')).toBe(digestOf('one'));
    expect(manifest().layers.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(MOST_BYTES);
  });

  test('says nothing of when and where it was built', () => {
    const config = documentOf<Config>(manifest().config.digest);
    expect(config.created).toBe('1970-01-01T00:00:00.000Z');
    const registryOfNpm = new URL(execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim()).host;
    expect(JSON.stringify(config)).not.toContain(registryOfNpm);
    expect(JSON.stringify(config)).not.toMatch(/npm-ca|127\.0\.0\.1/);
  });

  test('is configured as Kaniko’s users know it', () => {
    const { config } = documentOf<Config>(manifest().config.digest);
    expect(config).toMatchObject({ Entrypoint: ['/kaniko/executor'], WorkingDir: '/workspace' });
    expect(config).not.toHaveProperty('User');
    expect(config.Env).toEqual(expect.arrayContaining(['DOCKER_CONFIG=/kaniko/.docker', 'SSL_CERT_DIR=/kaniko/ssl/certs']));
  });

  test('lets no base image say which authorities are trusted or what OpenSSL loads', () => {
    const { config } = documentOf<Config>(manifest().config.digest);
    expect(config.Env).toEqual(expect.arrayContaining(['SSL_CERT_FILE=/kaniko/ssl/cert.pem', 'OPENSSL_CONF=/tsbuild/openssl.cnf']));
  });

  test('holds nothing but what no rung touches and a few files of /etc', () => {
    const names = manifest().layers.flatMap(({ digest }) =>
      execFileSync('tar', ['-t'], { input: gunzipSync(blob(digest)), encoding: 'utf8', maxBuffer: 1 << 24 })
        .trim()
        .split('\n'),
    );
    expect([...new Set(names.map((path) => path.split('/')[0]))].sort()).toEqual(['etc', 'kaniko', 'tsbuild', 'workspace']);
    expect(names.filter((path) => path.startsWith('etc/')).sort()).toEqual(['etc/', 'etc/group', 'etc/nsswitch.conf', 'etc/passwd']);
    expect(names.filter((path) => /\/node_modules\/(?!@?koffi|@koromix|$)/.test(path))).toEqual([]);
  });

  test('holds programs that use no library and no interpreter of a base', async () => {
    const script = `for (const map of require('fs').readFileSync('/proc/self/maps', 'utf8').split('\\n'))
      { const path = map.split(/\\s+/)[5] ?? ''; if (path.startsWith('/') && !path.startsWith('/tsbuild/')) throw new Error(path); }
      console.log(process.execPath);`;
    const node = await execute(podmanRun({ image: name, entrypoint: '/tsbuild/bin/node', arguments: ['-e', script] }));
    expect([node.code, node.log]).toEqual([0, '/tsbuild/bin/node\n']);
    for (const [program, answer] of [
      ['git', 'git version'],
      ['setpriv', 'setpriv from util-linux'],
      ['unshare', 'unshare from util-linux'],
      ['xz', 'xz (XZ Utils)'],
    ] as const) {
      const { log } = await execute(podmanRun({ image: name, entrypoint: `/tsbuild/bin/${program}`, arguments: ['--version'] }));
      expect(log).toContain(answer);
    }
  });

  test('starts without a shell, with code that is compiled already', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
    const script = `const { Script } = require('vm'), fs = require('fs'), bundle = '/tsbuild/app/dist/cli/main.cjs';
      const code = fs.readFileSync(\`\${bundle}.\${process.version}-\${process.arch}.code\`).subarray(8);
      const text = \`(function (exports, require, module, __filename, __dirname) {\${fs.readFileSync(bundle, 'latin1')}\\n})\`;
      console.log(new Script(text, { cachedData: code }).cachedDataRejected);`;
    const { log } = await execute(podmanRun({ image: name, entrypoint: '/tsbuild/bin/node', arguments: ['-e', script] }));
    expect(log).toBe('false\n');
  });

  test('has a warmer', async () => {
    const { code, log } = await execute(podmanRun({ image: name, entrypoint: '/kaniko/warmer' }));
    expect([code, log]).toEqual([2, expect.stringContaining('there is nothing to fetch')]);
  });

  const COPY_ONLY = { Dockerfile: 'FROM scratch\nCOPY Dockerfile /f\n' };

  test('takes the arguments of Kaniko’s README', async () => {
    const args = ['--dockerfile=/workspace/Dockerfile', '--context=dir:///workspace', `--destination=${registry.host}/app:kaniko`];
    const built = await run([...args, '--insecure'], [], COPY_ONLY);
    expect([built.code, built.log]).toEqual([0, expect.stringContaining('pushed')]);
  });

  test('builds as an ordinary user without rights, whose root file system is read-only', async () => {
    const built = await run([`-d=${registry.host}/app:user`, '--insecure'], [...RESTRICTED, ...VOLUMES], COPY_ONLY);
    expect([built.code, built.log]).toEqual([0, expect.stringContaining('pushed')]);
  });

  test('runs commands in namespaces where it may', async () => {
    const files = { Dockerfile: `FROM ${registry.host}/library/busybox\nRUN id -u; ls -d /tsbuild || echo gone\n` };
    const flags = ['--privileged', '--security-opt=seccomp=unconfined', '--tmpfs=/tsbuild/cache:exec,mode=1777'];
    const built = await run(['--isolation=namespaces', '--no-push', `--insecure-registry=${registry.host}`], flags, files);
    expect([built.code, built.log]).toEqual([0, expect.stringMatching(/\| 0\n(.*\n)*.*\| gone/)]);
  });

  describe('trusts authorities in /kaniko/ssl/certs', () => {
    const HOST = 'registry.test';
    let server: ReturnType<typeof createServer>;
    let address: string;
    const mounted = (): string => `--volume=${join(top, 'ca.crt')}:/kaniko/ssl/certs/private.crt:ro`;

    beforeAll(async () => {
      makeCertificates(top, HOST);
      // Says to everything that there is nothing: only who trusts it learns that.
      server = createServer({ key: readFileSync(join(top, 's.key')), cert: readFileSync(join(top, 's.crt')) }, (_, response) =>
        response.writeHead(404).end(),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const found = server.address();
      if (found === null || typeof found === 'string') throw new Error('no port');
      address = `${HOST}:${found.port}`;
    });
    afterAll(() => void server.close());

    const pull = (flags: readonly string[]): Promise<Outcome> =>
      run(['--no-push'], [`--add-host=${HOST}:127.0.0.1`, ...flags], { Dockerfile: `FROM ${address}/none\n` });
    const clone = (flags: readonly string[]): Promise<Outcome> =>
      run(['--no-push'], [`--add-host=${HOST}:127.0.0.1`, ...flags], { Dockerfile: `FROM scratch\nADD https://${address}/r.git /\n` });

    test('in registries', async () => {
      expect((await pull([])).log).toContain('is not trusted');
      const trusted = await pull([mounted()]);
      expect(trusted.code).toBe(1);
      expect(trusted.log).not.toContain('trusted');
    });

    test('in git', async () => {
      expect((await clone([])).log).toContain('verification failed');
      const trusted = await clone([mounted()]);
      expect([trusted.code, trusted.log]).toEqual([1, expect.stringContaining('not found')]);
    });
  });
});

/** ca.crt, and s.key and s.crt of `host` that it has signed. */
function makeCertificates(folder: string, host: string): void {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const key = (name: string): string[] => ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out'];
  openssl('req', '-x509', '-days', '2', '-subj', '/CN=private authority', ...key('ca'), 'ca.crt');
  openssl('req', '-subj', `/CN=${host}`, ...key('s'), 's.csr');
  writeFileSync(join(folder, 's.ext'), `subjectAltName=DNS:${host}\n`);
  openssl(
    'x509',
    '-req',
    '-days',
    '2',
    '-in',
    's.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-extfile',
    's.ext',
    '-out',
    's.crt',
  );
}
