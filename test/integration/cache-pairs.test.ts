/**
 * Changes of a build's input, each built for real before and after: which steps come from the cache of this machine, and which
 * from a registry's on another machine; and that both images equal one that no cache had a part in.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CacheLab, type LabBuild, type LabInput, openCacheLab } from '../helpers/cache-lab.ts';
import { CACHE_PAIRS, type CachePair, type Expected } from '../helpers/cache-pairs.ts';
import { baseMissing } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';

const pairs = Object.values(CACHE_PAIRS).flat();

test('each pair has a title of its own, says what it leaves open, and demands something', () => {
  expect(pairs.length).toBeGreaterThanOrEqual(70);
  expect(new Set(pairs.map(({ change }) => change)).size).toBe(pairs.length);
  for (const { change, expected, reason } of pairs) {
    expect(expected, change).toMatch(/^(hit|miss|any)( (hit|miss|any))*$/);
    expect(reason !== undefined, change).toBe(expected.includes('any'));
  }
});

describeUnless(missing(['root']) ?? baseMissing('busybox'), 'what is built again after a change of', () => {
  let lab: CacheLab;
  let folders: Readonly<Record<'here' | 'there' | 'fresh', string>>;
  beforeAll(async () => {
    lab = await openCacheLab();
    folders = { here: lab.folder('pairs-here'), there: lab.folder('pairs-there'), fresh: lab.folder('pairs-fresh') };
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  for (const [group, members] of Object.entries(CACHE_PAIRS)) {
    describe(group, () => {
      for (const pair of members) test(pair.change, () => check(pair));
    });
  }

  async function check(pair: CachePair): Promise<void> {
    const repository = `${lab.registry.host}/cache/p${pairs.indexOf(pair)}`;
    const registryCache = ['--cache', '--cache-repo', repository];
    const project = lab.project(`p${pairs.indexOf(pair)}`);
    await project.settle(pair.first);
    const first = await project.build('first', { cacheFolder: folders.here, flags: registryCache });
    expect(statesOf(first), 'the first build').toEqual(first.steps.map(({ title }) => `ran: ${title}`));

    const second: LabInput = { ...pair.first, ...pair.second };
    await project.settle(second);
    const [local, remote, fresh] = await Promise.all([
      project.build('local', { cacheFolder: folders.here }),
      project.build('remote', { cacheFolder: folders.there, flags: registryCache }),
      project.build('fresh', { cacheFolder: folders.fresh, flags: ['--no-cache'] }),
    ]);
    expect(statesOf(fresh), 'the build with --no-cache').toEqual(fresh.steps.map(({ title }) => `ran: ${title}`));
    const dated = second.flags?.includes('--reproducible') === true;
    for (const [where, built] of [
      ['the cache of this machine', local],
      ['the cache in a registry', remote],
    ] as const) {
      expect(comparable(built, dated), `the image by ${where}`).toEqual(comparable(fresh, dated));
      expect(built.warnings, where).toEqual(fresh.warnings);
      expect(outcomes(built, fresh), where).toEqual(wanted(pair, built, fresh));
    }
    if (pair.secret !== undefined) {
      const kept = [folders.here, folders.there].flatMap((folder) => filesWith(folder, pair.secret ?? ''));
      expect([...kept, ...(await blobsWith(repository, pair.secret))]).toEqual([]);
    }
  }
});

function statesOf({ steps }: LabBuild): readonly string[] {
  return steps.map(({ title, state }) => `${state === 'done' ? 'ran' : state}: ${title}`);
}

/** One for each step that ran in `fresh`. A stage that nothing had to be made of is not begun: its steps are hits. */
function outcomes(built: LabBuild, fresh: LabBuild): readonly string[] {
  return fresh.steps.map(({ number, title }) => {
    const state = built.steps.find((step) => step.number === number)?.state ?? 'cached';
    return `${state === 'cached' ? 'hit' : 'miss'}: ${title}`;
  });
}

/** What `outcomes` has to be; where the pair leaves it open, what it is. */
function wanted({ expected }: CachePair, built: LabBuild, fresh: LabBuild): readonly string[] {
  const is = outcomes(built, fresh);
  const steps = expected.split(' ') as readonly Expected[];
  return steps.map((step, index) =>
    step === 'any' ? (is[index] ?? 'no such step') : `${step}: ${fresh.steps[index]?.title ?? 'no such step'}`,
  );
}

function comparable({ image }: LabBuild, dated: boolean) {
  const { layers, config, mediaTypes, diffIds, digest } = image;
  return { layers, config, mediaTypes, ...(dated ? { diffIds, digest } : {}) };
}

function plain(bytes: Buffer): Buffer {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}

function filesWith(folder: string, needle: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path.includes(needle) || plain(readFileSync(path)).includes(needle));
}

/** Of all that the tags of a repository lead to. */
async function blobsWith(repository: string, needle: string): Promise<readonly string[]> {
  const [host = '', ...path] = repository.split('/');
  const get = async (what: string): Promise<Buffer> => {
    const response = await fetch(`http://${host}/v2/${path.join('/')}/${what}`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json' },
    });
    if (!response.ok) throw new Error(`GET ${what}: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const found: string[] = [];
  const look = (what: string, bytes: Buffer): void => {
    if (plain(bytes).includes(needle)) found.push(what);
  };
  const { tags } = JSON.parse((await get('tags/list')).toString()) as { readonly tags: readonly string[] };
  expect(tags).not.toEqual([]);
  for (const tag of tags) {
    const manifest = await get(`manifests/${tag}`);
    look(tag, manifest);
    const { config, layers } = JSON.parse(manifest.toString()) as Readonly<Record<'config', { digest: string }>> & {
      readonly layers: readonly { readonly digest: string }[];
    };
    for (const { digest } of [config, ...layers]) look(digest, await get(`blobs/${digest}`));
  }
  return found;
}
