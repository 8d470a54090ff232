/**
 * The pods of deploy/kubernetes, with their ConfigMap and the Secret `regcred`, run by "podman kube play" in the place of a kubelet:
 * the users, capabilities and volumes of the Jobs, no_new_privs and a runtime's seccomp profile. What is not as a cluster would
 * have it: the pods are on this machine's network, where their registry is, and have no /dev/termination-log.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { execute } from '../helpers/builds.ts';
import { baseMissing, baseTar, pushImage } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type Manifest, manifestOf, type PodSpec, podOf, readManifests } from '../helpers/manifests.ts';
import { podmanMissing, SECCOMP_PROFILE } from '../helpers/podman.ts';
import { missing } from '../helpers/tools.ts';
import { tsbuildImage, tsbuildImageMissing } from '../helpers/tsbuild-image.ts';

const LOGIN = { username: 'robot', bcryptHash: '$2b$05$abcdefghijklmnopqrstuuDIEddBSuRWBBEY6g5zv60IAP5bSSfki' };
const PASSWORD = 'pass:word';
const NAME = `tsbuild-test-${process.pid}`;
const PAUSE = `localhost/${NAME}-pause:1`;
const RUN_LIMIT_MS = 240_000;

const reason =
  podmanMissing() ??
  missing(['docker-registry', 'skopeo', 'umoci']) ??
  baseMissing('debian') ??
  baseMissing('busybox') ??
  (await tsbuildImageMissing());

describeUnless(reason, 'podman as a kubelet', () => {
  let folder: string;
  let image: string;
  let hub: DockerRegistry;
  let registry: DockerRegistry;
  const podman = (...args: readonly string[]) =>
    execute(['podman', ...args], { ...process.env, CONTAINERS_CONF: join(folder, 'containers.conf') }, RUN_LIMIT_MS);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-kube-play-'));
    writeFileSync(join(folder, 'containers.conf'), containersConf());
    // "kube play" starts a container of its own for every pod.
    execFileSync('podman', [
      'import',
      '--quiet',
      '--change',
      'ENTRYPOINT ["/bin/busybox","sleep","2147483647"]',
      '--change',
      'STOPSIGNAL KILL',
      baseTar('busybox'),
      PAUSE,
    ]);
    image = (await tsbuildImage()).name;
    hub = await startDockerRegistry();
    registry = await startDockerRegistry({ login: LOGIN });
    await pushImage({ host: hub.host, repository: 'library/debian', tag: 'bookworm-slim', tars: [readFileSync(baseTar('debian'))] });
  });

  afterAll(async () => {
    await podman('pod', 'rm', '--force', '--ignore', NAME);
    await podman('secret', 'rm', `${NAME}-regcred`);
    await podman('volume', 'rm', '--force', `${NAME}-regcred`, `${NAME}-context`, `${NAME}-cache`);
    await podman('rmi', '--force', PAUSE);
    await hub?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The container's log and exit code, once it has ended. The pod is gone when this returns. */
  async function play(job: string, password: string): Promise<{ readonly code: number; readonly log: string }> {
    const file = join(folder, 'pod.yaml');
    const documents = [contextOf(), podManifest(podOfJob(job), { image, registry: registry.host, hub: hub.host })];
    writeFileSync(file, documents.map((document) => stringify(document, { version: '1.1' })).join('---\n'));
    const secret = join(folder, 'secret.yaml');
    writeFileSync(secret, stringify(secretOf(registry.host, password)));
    try {
      expect(await podman('secret', 'create', `${NAME}-regcred`, secret)).toMatchObject({ code: 0 });
      const played = await podman('kube', 'play', '--quiet', file);
      if (played.code !== 0) throw new Error(`podman kube play ended with ${played.code}:\n${played.log}`);
      const ended = await podman('wait', `${NAME}-tsbuild`);
      const { log } = await podman('logs', `${NAME}-tsbuild`);
      return { code: Number(ended.stdout.trim()), log };
    } finally {
      await podman('kube', 'down', file);
      await podman('secret', 'rm', `${NAME}-regcred`);
      await podman('volume', 'rm', '--force', `${NAME}-regcred`);
    }
  }

  test.each([
    ['job.yaml', 'RUN steps run in place'],
    ['job-restricted.yaml', 'RUN steps run under proot'],
  ])('the pod of %s builds the Dockerfile of the ConfigMap and pushes it with the password of the Secret', async (job, how) => {
    const { code, log } = await play(job, PASSWORD);
    expect(code, log).toBe(0);
    expect(log).toContain(how);
    const digest = new RegExp(`^${registry.host}/team/hello:1\\.0@(sha256:[0-9a-f]{64})$`, 'm').exec(log)?.[1];
    const from = `docker://${registry.host}/team/hello:1.0`;
    const creds = `${LOGIN.username}:${PASSWORD}`;
    const inspected = execFileSync('skopeo', ['inspect', '--tls-verify=false', '--creds', creds, from], { encoding: 'utf8' });
    expect((JSON.parse(inspected) as { Digest: string }).Digest).toBe(digest);

    const place = mkdtempSync(join(folder, 'pulled-'));
    execFileSync('skopeo', ['copy', '--quiet', '--src-tls-verify=false', '--src-creds', creds, from, `oci:${place}/layout:hello`]);
    execFileSync('umoci', ['unpack', '--image', `${place}/layout:hello`, join(place, 'bundle')], { stdio: 'ignore' });
    const rootfs = join(place, 'bundle/rootfs');
    expect(readFileSync(join(rootfs, 'etc/greeting'), 'utf8')).toBe('Hello from an image that a pod has built\n');
    // Of the pod itself nothing is in the image: neither tsbuild nor what is mounted.
    for (const own of ['tsbuild', 'kaniko', 'workspace/greet']) expect(existsSync(join(rootfs, own)), own).toBe(false);
    expect(log).not.toContain(PASSWORD);
  });

  test('the pod of job-cache.yaml pulls its base once, into the claim', async () => {
    const first = await play('job-cache.yaml', PASSWORD);
    expect(first.code, first.log).toBe(0);
    expect(first.log).toContain('pulled docker.io/library/debian');
    const second = await play('job-cache.yaml', PASSWORD);
    expect(second.code, second.log).toBe(0);
    expect(second.log).not.toContain('pulled docker.io/library/debian');
  });

  test('the pod of job.yaml fails before the first step when the password of the Secret is wrong, and says whose it is', async () => {
    const { code, log } = await play('job.yaml', 'wrong');
    expect(code, log).toBe(1);
    expect(log).toContain(`cannot push to ${registry.host}/team/hello: ${registry.host} answered 401`);
    expect(log).toContain(`the credentials for ${registry.host} do not allow this`);
    expect(log).not.toContain('RUN greet');
  });
});

function containersConf(): string {
  return [
    '[engine]',
    'runtime = "runc"',
    `infra_image = "${PAUSE}"`,
    '[containers]',
    'default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]',
    `seccomp_profile = "${SECCOMP_PROFILE}"`,
    '',
  ].join('\n');
}

/**
 * Debian's podman gives a Secret's files the names of its keys and leaves `items` aside: here they are applied as a kubelet does.
 * Until 4.4 it does not decode `data` either, although it wants it encoded when it makes the Secret itself.
 */
function secretOf(host: string, password: string): object {
  const secret = manifestOf('Secret', readManifests('deploy/kubernetes/secret.yaml'));
  const items = podOfJob('job.yaml').volumes?.find((volume) => volume.secret !== undefined)?.secret?.items ?? [];
  const content: Record<string, string> = {
    '.dockerconfigjson': JSON.stringify({ auths: { [host]: { username: LOGIN.username, password } } }),
  };
  expect(Object.keys(secret.stringData ?? {})).toEqual(Object.keys(content));
  const version = execFileSync('podman', ['version', '--format', '{{.Client.Version}}'], { encoding: 'utf8' });
  const encoding = /^4\.[0-3]\./.test(version) ? 'utf8' : 'base64';
  const data = Object.fromEntries(items.map(({ key, path }) => [path, Buffer.from(content[key] ?? '').toString(encoding)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: `${NAME}-regcred` }, type: 'Opaque', data };
}

function contextOf(): object {
  const context = manifestOf('ConfigMap', readManifests('deploy/kubernetes/configmap.yaml'));
  return { ...context, metadata: { name: `${NAME}-context` } };
}

function podOfJob(file: string): PodSpec {
  return podOf(manifestOf('Job', readManifests(`deploy/kubernetes/${file}`)));
}

interface Surroundings {
  readonly image: string;
  readonly registry: string;
  /** Stands in for Docker Hub. */
  readonly hub: string;
}

/** The pod as it stands in the Job, but for names: the image's, the registry's, and those of volumes, which podman shares by name. */
function podManifest(pod: PodSpec, { image, registry, hub }: Surroundings): Manifest {
  const [container, ...others] = pod.containers;
  if (container === undefined || others.length > 0) throw new Error('the pod has not exactly one container');
  const named = (name: string): string => `${NAME}-${name}`;
  const args = [
    ...(container.args ?? []).map((arg) =>
      arg.replace('registry.example', registry).replace('/dev/termination-log', '/tsbuild/tmp/digest'),
    ),
    ...[`--insecure-registry=${registry}`, `--insecure-registry=${hub}`, `--registry-mirror=${hub}`],
  ];
  const spec: PodSpec = {
    ...pod,
    hostNetwork: true,
    containers: [
      { ...container, image, args, volumeMounts: container.volumeMounts?.map((mount) => ({ ...mount, name: named(mount.name) })) ?? [] },
    ],
    volumes:
      pod.volumes?.map((volume) => ({
        ...volume,
        name: named(volume.name),
        ...(volume.secret === undefined ? {} : { secret: { ...volume.secret, secretName: named(volume.secret.secretName) } }),
        ...(volume.configMap === undefined ? {} : { configMap: { name: named('context') } }),
        ...(volume.persistentVolumeClaim === undefined ? {} : { persistentVolumeClaim: { claimName: named('cache') } }),
      })) ?? [],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: NAME }, spec: { ...spec } as Record<string, unknown> };
}
