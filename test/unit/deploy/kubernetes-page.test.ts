/** docs/KUBERNETES.md quotes files of deploy/kubernetes: what it quotes is what they say, and what it links to is there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { KUBERNETES_FOLDER, type Manifest, manifestOf, podOf, readManifests } from '../../helpers/manifests.ts';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));
const PAGE = readFileSync(`${DOCS}KUBERNETES.md`, 'utf8');
const exampleJob = manifestOf('Job', readManifests('deploy/kubernetes/example/job.yaml'));

/** The row of a table whose first cell holds `name`. */
const rowOf = (name: string): string => PAGE.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
const securityOf = (file: string) => {
  const pod = podOf(manifestOf('Job', readManifests(`deploy/kubernetes/${file}`)));
  return { ...pod.securityContext, ...pod.containers[0]?.securityContext };
};
const written = (value: unknown): string => JSON.stringify(value).replaceAll('"', '').replaceAll(/[:,]/g, '$& ');

describe('docs/KUBERNETES.md', () => {
  test('quotes the Dockerfile of the example', () => {
    const dockerfile = readFileSync(join(KUBERNETES_FOLDER, 'example/site/Dockerfile'), 'utf8');
    expect(PAGE).toContain(`\`\`\`dockerfile\n${dockerfile}\`\`\``);
  });

  test('quotes the args of the example', () => {
    const args = podOf(exampleJob).containers[0]?.args ?? [];
    expect(PAGE).toContain(`args:\n${args.map((arg) => `  - ${arg}\n`).join('')}\`\`\``);
  });

  test.each([
    ['in-place', 'job.yaml', ['runAsUser', 'allowPrivilegeEscalation', 'capabilities', 'seccompProfile']],
    [
      'proot',
      'job-restricted.yaml',
      ['runAsNonRoot', 'runAsUser', 'allowPrivilegeEscalation', 'readOnlyRootFilesystem', 'capabilities', 'seccompProfile'],
    ],
  ] as const)('says of %s the lines that %s has', (isolation, file, names) => {
    const context = securityOf(file);
    for (const name of names) expect(rowOf(isolation)).toContain(`\`${name}: ${written(context[name])}\``);
  });

  test('lists the files of the folder, and calls the resources by their names', () => {
    for (const file of ['job.yaml', 'job-restricted.yaml', 'job-cache.yaml', 'secret.yaml', 'configmap.yaml', 'kustomization.yaml'])
      expect(rowOf(file), file).not.toBe('');
    const nameOf = ({ metadata }: Manifest): string => metadata?.name ?? '';
    expect(PAGE).toContain(`job/${nameOf(exampleJob)}\n`);
    expect(PAGE).toContain(`deployment/${nameOf(manifestOf('Deployment', readManifests('deploy/kubernetes/example/deployment.yaml')))}\n`);
    const nodePort = Number(/\$node:(\d+)/.exec(PAGE)?.[1]);
    expect(readManifests('deploy/kubernetes/example/service.yaml')).toMatchObject([{ spec: { ports: [{ nodePort }] } }]);
  });

  test('selects with its labels the Job first, then the rest', () => {
    const labelled = ['job', 'deployment', 'service'].map(
      (file) => readManifests(`deploy/kubernetes/example/${file}.yaml`)[0]?.metadata?.labels,
    );
    expect(labelled.map((labels) => labels?.['app.kubernetes.io/name'])).toEqual(['tsbuild', 'site', 'site']);
    expect([...PAGE.matchAll(/-l app\.kubernetes\.io\/name=(\w+)/g)].map((match) => match[1])).toEqual(['tsbuild', 'site']);
  });
});

test.each(['KUBERNETES.md', 'MIGRATING-FROM-KANIKO.md'])('every file that %s links to is there', (page) => {
  const links = [...readFileSync(DOCS + page, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)].map((match) => match[1] ?? '');
  expect(links.length).toBeGreaterThan(1);
  expect(links.filter((link) => !existsSync(DOCS + link))).toEqual([]);
});
