/** What deploy/kubernetes says is what Kubernetes admits, what the rungs need, and what tsbuild's command line takes. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../../src/cli/parse-command-line.ts';
import { describeUnless } from '../../helpers/describe-unless.ts';
import {
  type Container,
  KUBERNETES_FOLDER,
  type Manifest,
  manifestOf,
  type PodSpec,
  parseManifests,
  podOf,
  readManifests,
  type SecurityContext,
  type Volume,
  yamlFiles,
} from '../../helpers/manifests.ts';
import { violations } from '../../helpers/pod-security.ts';
import { missing } from '../../helpers/tools.ts';

const JOBS = ['job.yaml', 'job-restricted.yaml', 'job-cache.yaml', 'example/job.yaml'];
const at = (file: string): string => `deploy/kubernetes/${file}`;
const jobOf = (file: string): Manifest => manifestOf('Job', readManifests(at(file)));

function onlyContainer(pod: PodSpec): Container {
  const [container, ...more] = pod.containers;
  if (container === undefined || more.length > 0) throw new Error('the pod has not exactly one container');
  return container;
}

/** The volume behind a folder of the container. */
function volumeAt(pod: PodSpec, mountPath: string): Volume {
  const mount = onlyContainer(pod).volumeMounts?.find((one) => one.mountPath === mountPath);
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  if (volume === undefined) throw new Error(`nothing is mounted at ${mountPath}`);
  return volume;
}

/** A folder as the ConfigMap makes one of /workspace. */
let workspace: string;
beforeAll(() => {
  workspace = mkdtempSync(join(tmpdir(), 'tsbuild-manifests-'));
  const { data = {} } = manifestOf('ConfigMap', readManifests(at('configmap.yaml')));
  for (const [name, text] of Object.entries(data)) writeFileSync(join(workspace, name), text);
});
afterAll(() => rmSync(workspace, { recursive: true }));

test('every YAML file of the folder is read, and each of its documents has a kind and says which API it is of', () => {
  const files = yamlFiles('deploy/kubernetes');
  expect(files).toEqual(expect.arrayContaining([...JOBS, 'secret.yaml', 'configmap.yaml', 'kustomization.yaml'].map(at)));
  for (const file of files) {
    for (const manifest of readManifests(file))
      expect(manifest, file).toMatchObject({ apiVersion: expect.stringMatching(/./), kind: expect.stringMatching(/./) });
  }
});

describe.each(JOBS)('the Job of %s', (file) => {
  const job = jobOf(file);
  const pod = podOf(job);
  const container = onlyContainer(pod);

  test('builds once, ends some time, and is tidied away', () => {
    expect(job.spec).toMatchObject({
      backoffLimit: 0,
      activeDeadlineSeconds: expect.any(Number),
      ttlSecondsAfterFinished: expect.any(Number),
    });
    expect(pod.restartPolicy).toBe('Never');
  });

  test('says what it needs and what it may take, of processor, memory and disk', () => {
    const { requests = {}, limits = {} } = container.resources ?? {};
    for (const resource of ['cpu', 'memory', 'ephemeral-storage']) {
      expect(amount(requests[resource]), `requests ${resource}`).toBeGreaterThan(0);
      expect(amount(limits[resource]), `limits ${resource}`).toBeGreaterThanOrEqual(amount(requests[resource]));
    }
  });

  test('lets no emptyDir grow without bound, and all of them together stay below what the pod may take', () => {
    const sizes = (pod.volumes ?? []).flatMap(({ emptyDir }) => (emptyDir === undefined ? [] : [amount(emptyDir.sizeLimit)]));
    expect(sizes.length).toBeGreaterThan(0);
    for (const size of sizes) expect(size).toBeGreaterThan(0);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(amount(container.resources?.limits?.['ephemeral-storage']));
  });

  test('has no privileges, no token of the cluster and no way to gain rights', () => {
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(container.securityContext).toMatchObject({ privileged: false, allowPrivilegeEscalation: false });
    expect(container.securityContext?.capabilities?.drop).toEqual(['ALL']);
    expect(pod.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
    expect(violations('baseline', pod)).toEqual([]);
  });

  test('mounts the Secret regcred, as the file that tsbuild reads, where Kaniko reads it', () => {
    const { secret } = volumeAt(pod, '/kaniko/.docker');
    expect(secret).toMatchObject({ secretName: 'regcred', items: [{ key: '.dockerconfigjson', path: 'config.json' }] });
    expect(container.volumeMounts?.find(({ mountPath }) => mountPath === '/kaniko/.docker')?.readOnly).toBe(true);
    // Nobody but the owner and the volume's group.
    expect((secret?.defaultMode ?? 0o777) & 0o007).toBe(0);
  });

  test('keeps what is temporary in a volume', () => {
    expect(volumeAt(pod, '/tsbuild/tmp')).toHaveProperty('emptyDir');
  });

  test('mounts only volumes that there are, and every volume', () => {
    const mounted = (container.volumeMounts ?? []).map(({ name }) => name).sort();
    expect(mounted).toEqual((pod.volumes ?? []).map(({ name }) => name).sort());
  });

  test('has args that tsbuild takes', () => {
    const argv = (container.args ?? []).map((arg) => arg.replace(/^--context=dir:\/\/\/workspace$/, `--context=dir://${workspace}`));
    expect(argv.length).toBeGreaterThan(2);
    const line = parseCommandLine(argv, { env: {}, cwd: '/', stderr: 'pipe' });
    expect(line).toMatchObject({
      asks: 'build',
      options: { output: { push: 'to-destinations' }, resultFiles: { digestFile: '/dev/termination-log' } },
    });
  });

  test('takes the image whose name kustomization.yaml replaces', () => {
    const folder = file.includes('/') ? 'example/' : '';
    const [kustomization] = readManifests(at(`${folder}kustomization.yaml`));
    expect(kustomization?.images?.map(({ name }) => name)).toContain(container.image.split(':')[0]);
  });
});

test('the args of another tool would be refused', () => {
  expect(() => parseCommandLine(['--context=.', '--no-push', '--tag=x'], { env: {}, cwd: workspace, stderr: 'pipe' })).toThrow(
    /unknown flag --tag/,
  );
});

describe('the Pod Security Standard "restricted"', () => {
  test('admits the restricted Job', () => {
    expect(violations('restricted', podOf(jobOf('job-restricted.yaml')))).toEqual([]);
  });

  test('admits a Job only as long as each of its lines stands', () => {
    const pod = podOf(jobOf('job-restricted.yaml'));
    const container = onlyContainer(pod);
    const own = container.securityContext ?? {};
    const withOwn = (changed: object): PodSpec => ({ ...pod, containers: [{ ...container, securityContext: { ...own, ...changed } }] });
    const without = (name: keyof SecurityContext): SecurityContext => {
      const { [name]: _, ...rest } = pod.securityContext ?? {};
      return rest;
    };
    const cases: readonly [PodSpec, string][] = [
      [{ ...pod, securityContext: without('runAsNonRoot') }, 'tsbuild: runAsNonRoot is not true'],
      [{ ...pod, securityContext: { ...pod.securityContext, runAsUser: 0 } }, 'the pod: runAsUser 0'],
      [{ ...pod, securityContext: without('seccompProfile') }, 'tsbuild: seccompProfile not set'],
      [{ ...pod, hostNetwork: true }, 'the pod: hostNetwork'],
      [{ ...pod, volumes: [{ name: 'host', hostPath: { path: '/' } } as Volume] }, 'volume host: hostPath'],
      [withOwn({ allowPrivilegeEscalation: undefined }), 'tsbuild: allowPrivilegeEscalation is not false'],
      [withOwn({ capabilities: {} }), 'tsbuild: capabilities are not dropped'],
      [withOwn({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } }), 'tsbuild: adds CHOWN'],
      [withOwn({ privileged: true }), 'tsbuild: privileged'],
    ];
    for (const [changed, reason] of cases) expect(violations('restricted', changed)).toContain(reason);
  });

  test('does not admit the ordinary Job, which needs root and some capabilities', () => {
    const found = violations('restricted', podOf(jobOf('job.yaml')));
    expect(found).toContain('tsbuild: runAsUser 0');
    expect(found).toContain('tsbuild: adds SETUID');
  });
});

test('the restricted Job writes nowhere but into volumes', () => {
  const pod = podOf(jobOf('job-restricted.yaml'));
  expect(onlyContainer(pod).securityContext?.readOnlyRootFilesystem).toBe(true);
  expect(volumeAt(pod, '/tsbuild/cache')).toHaveProperty('emptyDir');
});

test('the Job with a cache has a claim, and --cache-dir says where it is', () => {
  const manifests = readManifests(at('job-cache.yaml'));
  const pod = podOf(manifestOf('Job', manifests));
  const claim = manifestOf('PersistentVolumeClaim', manifests).metadata?.name;
  const folder = onlyContainer(pod)
    .args?.find((arg) => arg.startsWith('--cache-dir='))
    ?.slice('--cache-dir='.length);
  expect(volumeAt(pod, folder ?? '').persistentVolumeClaim?.claimName).toBe(claim);
});

test('the three Jobs are the same but for what their rung and their cache ask for', () => {
  const argsOf = (file: string): readonly string[] => onlyContainer(podOf(jobOf(file))).args ?? [];
  const plain = argsOf('job.yaml');
  expect(argsOf('job-restricted.yaml')).toEqual(['--isolation=proot', ...plain]);
  expect(argsOf('job-cache.yaml').filter((arg) => !arg.startsWith('--cache-dir='))).toEqual(plain);
  const contextOf = (file: string) => onlyContainer(podOf(jobOf(file))).securityContext;
  expect(contextOf('job-cache.yaml')).toEqual(contextOf('job.yaml'));
  expect(contextOf('example/job.yaml')).toEqual(contextOf('job.yaml'));
});

test('the ConfigMap is the context of the Jobs that mount one', () => {
  const name = manifestOf('ConfigMap', readManifests(at('configmap.yaml'))).metadata?.name;
  for (const file of ['job.yaml', 'job-restricted.yaml', 'job-cache.yaml'])
    expect(volumeAt(podOf(jobOf(file)), '/workspace').configMap?.name).toBe(name);
});

test('the Secret is one that kubelets and tsbuild read, and holds no real password', () => {
  const secret = manifestOf('Secret', readManifests(at('secret.yaml')));
  expect(secret).toMatchObject({ metadata: { name: 'regcred' }, type: 'kubernetes.io/dockerconfigjson' });
  const { auths } = JSON.parse(secret.stringData?.['.dockerconfigjson'] ?? '') as { auths: Record<string, unknown> };
  expect(Object.values(auths)).toEqual([{ username: 'REPLACE-ME', password: 'REPLACE-ME' }]);
});

describe('the example', () => {
  test('pushes what its Deployment runs', () => {
    const pushed = onlyContainer(podOf(jobOf('example/job.yaml')))
      .args?.find((arg) => arg.startsWith('--destination='))
      ?.slice('--destination='.length);
    const deployment = podOf(manifestOf('Deployment', readManifests(at('example/deployment.yaml'))));
    expect(onlyContainer(deployment).image).toBe(pushed);
    expect(violations('baseline', deployment)).toEqual([]);
  });

  test('has a NodePort Service that finds the pods of the Deployment', () => {
    const service = manifestOf('Service', readManifests(at('example/service.yaml')));
    const deployment = manifestOf('Deployment', readManifests(at('example/deployment.yaml')));
    expect(service.spec).toMatchObject({ type: 'NodePort', selector: deployment.spec?.template?.metadata?.labels });
    const ports = onlyContainer(podOf(deployment)).ports?.map(({ name }) => name);
    expect(service.spec?.['ports']).toEqual([expect.objectContaining({ targetPort: ports?.[0] })]);
    expect(ports).toEqual(['http']);
  });
});

describeUnless(missing(['kubectl']), 'kubectl kustomize', () => {
  const render = (folder: string): readonly Manifest[] =>
    parseManifests(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }));

  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'tsbuild-kustomize-'));
    cpSync(KUBERNETES_FOLDER, copy, { recursive: true });
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  test.each(['job.yaml', 'job-restricted.yaml', 'job-cache.yaml'])('takes %s, and gives it the image that is named in one place', (job) => {
    const text = readFileSync(join(KUBERNETES_FOLDER, 'kustomization.yaml'), 'utf8');
    const changed = text
      .replace('- job.yaml', `- ${job}`)
      .replace(/newName: .*\n.*newTag: .*/, 'newName: my.registry/tsbuild\n    newTag: "7"');
    writeFileSync(join(copy, 'kustomization.yaml'), changed);
    const rendered = render(copy);
    expect(onlyContainer(podOf(manifestOf('Job', rendered))).image).toBe('my.registry/tsbuild:7');
    expect(rendered.map(({ kind }) => kind)).not.toContain('Secret');
  });

  test('takes the example whole', () => {
    expect(
      render(join(copy, 'example'))
        .map(({ kind }) => kind)
        .sort(),
    ).toEqual(['Deployment', 'Job', 'Service']);
  });

  test('finds every resource that it names, and leaves out only what is said to be applied otherwise', () => {
    for (const folder of ['', 'example/']) {
      const [kustomization] = readManifests(at(`${folder}kustomization.yaml`));
      const files = readdirSync(join(KUBERNETES_FOLDER, folder)).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml');
      const others = files.filter((name) => !kustomization?.resources?.includes(name));
      expect(others).toEqual(folder === '' ? ['job-cache.yaml', 'job-restricted.yaml', 'secret.yaml'] : []);
    }
  });
});

/** Kubernetes' quantities: 500m, 2, 2Gi. NaN for what is none. */
function amount(text: string | number | undefined): number {
  const [, digits = '', unit = ''] = /^(\d+)(m|Ki|Mi|Gi|Ti)?$/.exec(String(text)) ?? [];
  const factor = { m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }[unit] ?? 1;
  return digits === '' ? Number.NaN : Number(digits) * factor;
}
