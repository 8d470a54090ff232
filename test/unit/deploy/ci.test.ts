/** The files of deploy/ci: their YAML is read, their pods are tight, and their command lines are ones that tsbuild takes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../../src/cli/parse-command-line.ts';
import { type Container, manifestOf, type PodSpec, parseManifests, podOf, readManifests, yamlFiles } from '../../helpers/manifests.ts';
import { violations } from '../../helpers/pod-security.ts';

const FOLDER = fileURLToPath(new URL('../../../deploy/ci/', import.meta.url));
const read = (file: string): string => readFileSync(FOLDER + file, 'utf8');
const NEEDED = podOf(manifestOf('Job', readManifests('deploy/kubernetes/job.yaml'))).containers[0]?.securityContext;

/** What the services put in the place of their variables. */
const VALUES: Readonly<Record<string, string>> = {
  CI_PROJECT_DIR: '/checkout',
  CI_REGISTRY_IMAGE: 'registry.example/team/app',
  GITHUB_REPOSITORY: 'team/app',
  IMAGE: 'registry.example/team/app:1',
  WORKSPACE: '/checkout',
  'workspaces.source.path': '/checkout',
  'params.CONTEXT': '.',
  'params.DOCKERFILE': 'Dockerfile',
  'params.IMAGE': 'registry.example/team/app:1',
  'params.EXTRA_ARGS[*]': '--label=a=b',
  'results.IMAGE_DIGEST.path': '/results/digest',
  'results.IMAGES.path': '/results/images',
  'workflow.parameters.image': 'registry.example/team/app:1',
};

function filledIn(word: string): string {
  return word.replace(/\$\(([^)]+)\)|\{\{([^}]+)\}\}|\$(\w+)/g, (whole, tekton?: string, argo?: string, shell?: string) => {
    const value = VALUES[tekton ?? argo ?? shell ?? ''];
    if (value === undefined) throw new Error(`what is ${whole}?`);
    return value;
  });
}

/** The words behind `program` of a shell command without anything but double quotes, variables and continued lines. */
function wordsAfter(program: string, script: string): readonly string[] {
  const joined = script.replaceAll('\\\n', ' ');
  const command = joined.split('\n').find((line) => line.includes(program));
  if (command === undefined) throw new Error(`the script does not call ${program}`);
  const words = command
    .slice(command.indexOf(program) + program.length)
    .trim()
    .split(/\s+/);
  return words.map((word) => filledIn(word.replaceAll('"', '')));
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsbuild-ci-'));
  mkdirSync(join(folder, 'checkout'));
  writeFileSync(join(folder, 'checkout', 'Dockerfile'), 'FROM scratch\nLABEL a=b\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The image's destinations and files for results, as the program understands them. */
function understood(argv: readonly string[]): { readonly destinations: readonly string[]; readonly files: readonly string[] } {
  const here = argv.map((arg) => arg.replace(/^(--context=(?:dir:\/\/)?)\/(?:checkout|workspace)/, `$1${join(folder, 'checkout')}`));
  const line = parseCommandLine(here, { env: {}, cwd: '/', stderr: 'pipe' });
  if (line.asks !== 'build') throw new Error(`asks ${line.asks}`);
  const { output, resultFiles } = line.options;
  expect(output.push).toBe('to-destinations');
  return { destinations: output.destinations, files: Object.values(resultFiles).filter((path) => path !== null) };
}

/** As tight as the Job that people apply by hand. */
function expectTight(container: Container, resources: Container['resources'] = container.resources): void {
  expect(container.securityContext).toMatchObject({
    runAsUser: 0,
    privileged: false,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'], add: NEEDED?.capabilities?.add },
  });
  expect(Object.keys(resources?.requests ?? {}).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
  expect(Object.keys(resources?.limits ?? {}).sort()).toEqual(['cpu', 'ephemeral-storage', 'memory']);
}

function expectSecretAsConfigJson(pod: Pick<PodSpec, 'volumes'>): void {
  expect(pod.volumes).toContainEqual(
    expect.objectContaining({
      secret: expect.objectContaining({ secretName: 'regcred', items: [{ key: '.dockerconfigjson', path: 'config.json' }] }),
    }),
  );
}

test('every YAML file is read without a fault', () => {
  const files = yamlFiles('deploy/ci');
  expect(files.map((file) => file.slice('deploy/ci/'.length))).toEqual([
    'argo-workflows.yaml',
    'github-actions.yml',
    'gitlab-ci.yml',
    'tekton.yaml',
  ]);
  for (const file of files) expect(readManifests(file).length, file).toBe(1);
});

describe('GitLab CI', () => {
  const job = (
    parse(read('gitlab-ci.yml')) as Record<
      string,
      { image: { name: string; entrypoint: string[] }; script: string[]; artifacts: { paths: string[] } }
    >
  )['build-image'];

  test('runs the image that has a shell, without its entrypoint', () => {
    expect(job?.image).toEqual({ name: expect.stringMatching(/-debug$/), entrypoint: [''] });
  });

  test('builds the checkout, pushes it, and keeps the file that says what was pushed', () => {
    const script = job?.script.at(-1) ?? '';
    const { destinations, files } = understood(wordsAfter('/kaniko/executor', script));
    expect(destinations).toEqual(['registry.example/team/app:1']);
    expect(files).toEqual(job?.artifacts.paths.map((path) => `/checkout/${path}`));
  });

  test('names the capabilities of the Job for the runner', () => {
    const named = [...read('gitlab-ci.yml').matchAll(/"([A-Z_]+)"/g)].map((match) => match[1]);
    expect(named).toEqual(['ALL', ...(NEEDED?.capabilities?.add ?? [])]);
  });
});

describe('GitHub Actions', () => {
  interface Workflow {
    readonly permissions: unknown;
    readonly jobs: { readonly image: { readonly steps: readonly { readonly run?: string }[] } };
  }
  const workflow = parse(read('github-actions.yml')) as Workflow;
  const script = workflow.jobs.image.steps.at(-1)?.run ?? '';

  test('builds the checkout and pushes it, with a token that can do no more', () => {
    expect(workflow.permissions).toEqual({ contents: 'read', packages: 'write' });
    const { destinations, files } = understood(wordsAfter('"$TSBUILD"', script));
    expect(destinations).toEqual(['registry.example/team/app:1']);
    expect(files).toEqual(['/out/image.txt']);
  });

  test('gives the container the capabilities of the Job and no more', () => {
    expect([...script.matchAll(/--cap-add (\S+)/g)].map((match) => match[1])).toEqual(NEEDED?.capabilities?.add);
    expect(script).toContain('--cap-drop ALL');
    expect(script).toContain('--security-opt no-new-privileges');
    expect(script).not.toMatch(/--privileged|docker\.sock/);
  });
});

describe('Tekton', () => {
  const [task] = parseManifests(read('tekton.yaml'));
  const spec = task?.spec as unknown as {
    readonly steps: readonly [Container & { readonly computeResources: Container['resources'] }];
    readonly results: readonly unknown[];
    readonly workspaces: readonly unknown[];
  };
  const [step] = spec.steps;

  test('has a step as tight as the Job', () => {
    expectTight(step, step.computeResources);
    expect(step.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
  });

  test('fills all of its results', () => {
    expect(step.command).toEqual(['/kaniko/executor']);
    const { destinations, files } = understood((step.args ?? []).map(filledIn));
    expect(destinations).toEqual(['registry.example/team/app:1']);
    expect(files).toHaveLength(spec.results.length);
  });

  test('takes its credentials from a workspace at the folder that Kaniko has them in', () => {
    expect(spec.workspaces).toContainEqual(expect.objectContaining({ name: 'dockerconfig', mountPath: '/kaniko/.docker', readOnly: true }));
  });
});

describe('Argo Workflows', () => {
  const [template] = parseManifests(read('argo-workflows.yaml'));
  const spec = template?.spec as unknown as {
    readonly automountServiceAccountToken: boolean;
    readonly executor: unknown;
    readonly volumes: NonNullable<PodSpec['volumes']>;
    readonly templates: readonly [{ readonly container: Container; readonly inputs: unknown; readonly outputs: unknown }];
  };
  const [{ container, inputs, outputs }] = spec.templates;

  test('has a container as tight as the Job, and gives the token to the executor alone', () => {
    expectTight(container);
    expectSecretAsConfigJson(spec);
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.executor).toEqual({ serviceAccountName: expect.any(String) });
    expect(violations('baseline', { containers: [container], volumes: spec.volumes })).toEqual([]);
  });

  test('builds what it has fetched, and hands on the digest that the build writes', () => {
    expect(inputs).toMatchObject({ artifacts: [{ path: '/workspace' }] });
    const { destinations, files } = understood((container.args ?? []).map(filledIn));
    expect(destinations).toEqual(['registry.example/team/app:1']);
    expect(outputs).toMatchObject({ parameters: [{ valueFrom: { path: files[0] } }] });
  });
});

describe('Jenkins', () => {
  const jenkinsfile = read('Jenkinsfile');
  const [pod] = parseManifests(/yaml '''\n(.*?)'''/s.exec(jenkinsfile)?.[1] ?? '');
  const spec = pod?.spec as unknown as PodSpec;

  test('has a pod as tight as the Job', () => {
    expectTight(spec.containers[0] as Container);
    expectSecretAsConfigJson(spec);
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
    expect(violations('baseline', spec)).toEqual([]);
  });

  test('runs the image that has a shell, in its container', () => {
    expect(spec.containers[0]?.image).toMatch(/-debug$/);
    expect(jenkinsfile).toContain(`container(name: '${spec.containers[0]?.name}', shell: '/busybox/sh')`);
  });

  test('builds the checkout, pushes it, and keeps the file that says what was pushed', () => {
    const { destinations, files } = understood(wordsAfter('/kaniko/executor', jenkinsfile));
    expect(destinations).toEqual(['registry.example/team/app:1']);
    expect(files).toEqual(['/checkout/image.txt']);
    expect(jenkinsfile).toContain("archiveArtifacts 'image.txt'");
  });
});
