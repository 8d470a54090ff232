/**
 * Every fixture with a RUN on each isolation that needs no namespaces, in the container that it is made for, under the seccomp
 * profile of a pod: it makes the image that namespaces make (build.test.ts), but for what rung-differences.ts lists. The
 * builds of one rung follow each other in one container, so each finds what the ones before it left; the rungs run side by side.
 */
import { chmodSync, existsSync, lchownSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DoctorFacts } from '../../src/report/doctor-facts.ts';
import { imageText } from '../helpers/build-goldens.ts';
import {
  execute,
  type Fixture,
  fixtureFlags,
  fixtureMissing,
  loadFixtures,
  type Outcome,
  serveHttp,
  stage,
  unmet,
} from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader, type ReadImage } from '../helpers/oci-reader.ts';
import { podmanMissing } from '../helpers/podman.ts';
import { type ContainerRung, RESTRICTED_USER, type RungContainer, startRung } from '../helpers/rung-containers.ts';
import { RUNG_DIFFERENCES } from '../helpers/rung-differences.ts';
import { missing } from '../helpers/tools.ts';
import { tsbuildImage, tsbuildImageMissing } from '../helpers/tsbuild-image.ts';

const RUNGS: readonly ContainerRung[] = ['in-place', 'chroot', 'proot'];
/** Built in a container of their own, too. */
const FRESH = ['run-changes', 'stages-graph', 'run-mount-cache'];

const fixtures = loadFixtures().filter(({ folder }) => /^\s*(?:ONBUILD\s+)?RUN\b/im.test(readFileSync(join(folder, 'Dockerfile'), 'utf8')));
const lacking =
  podmanMissing() ??
  missing(['docker-registry', 'python3']) ??
  baseMissing('debian') ??
  baseMissing('busybox') ??
  (await tsbuildImageMissing());

test('at least 40 fixtures have a RUN', () => {
  expect(fixtures.length).toBeGreaterThanOrEqual(40);
});

describeUnless(lacking, 'rungs without namespaces', () => {
  let registry: DockerRegistry;
  let reader: OciReader;
  const bases = new Map<string, ReadImage>();
  const containers = new Map<ContainerRung, RungContainer>();
  const outcomes = new Map<string, Promise<Outcome>>();

  beforeAll(async () => {
    registry = await startDockerRegistry();
    reader = ociReader(registry.host);
    for (const base of ['busybox', 'debian'] as const) {
      await pushBase(registry.host, base);
      bases.set(base, await reader.read(`library/${base}`, base === 'debian' ? '12' : 'latest'));
    }
    const { name } = await tsbuildImage();
    for (const rung of RUNGS) {
      containers.set(rung, await startRung(rung, { tsbuildImage: name }));
      // Each test waits for its own.
      let before: Promise<unknown> = Promise.resolve();
      for (const fixture of fixtures) {
        if (fixtureMissing(fixture) !== undefined) continue;
        const outcome = before.then(() => build(rung, fixture, 'together'));
        outcomes.set(`${rung}/${fixture.name}`, outcome);
        before = outcome.catch(() => undefined);
      }
    }
  });
  afterAll(async () => {
    await Promise.allSettled(outcomes.values());
    for (const container of containers.values()) await container[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  async function build(rung: ContainerRung, fixture: Fixture, how: 'together' | 'fresh'): Promise<Outcome> {
    const container = containers.get(rung);
    if (container === undefined) throw new Error(`${rung} is not started`);
    using staged = stage(fixture, undefined, container.workspace);
    if (rung === 'proot') giveTo(Buffer.from(staged.folder), RESTRICTED_USER);
    await using http = await serveHttp(fixture);
    const options = { ...fixture.options, args: { ...fixture.options.args, ...http.args } };
    const inside = (path: string): string => path.replace(container.workspace, '/workspace');
    const place = { folder: inside(staged.folder), dockerfile: inside(staged.dockerfile), context: inside(staged.context) };
    const flags = fixtureFlags({ host: registry.host, staged: place, options, to: `${how}/${rung}/${fixture.name}:t` });
    // Awaited here: the fixture's files go with this function.
    return how === 'together' ? await container.tsbuild(flags) : await execute(container.fresh(flags));
  }

  async function expectGolden(rung: ContainerRung, fixture: Fixture, how: 'together' | 'fresh', outcome: Outcome): Promise<void> {
    const difference = RUNG_DIFFERENCES[rung][fixture.name];
    const error = difference !== undefined && 'error' in difference ? difference.error : fixture.expect.error;
    if (error !== undefined) {
      expect(outcome.code, outcome.log).toBe(1);
      expect(outcome.log).toMatch(new RegExp(error));
      return;
    }
    expect(outcome.code, outcome.log).toBe(0);
    const image = await reader.read(`${how}/${rung}/${fixture.name}`, 't', 'own layers');
    const known = difference !== undefined && 'lines' in difference ? difference.lines : [];
    if (known.length === 0) expect(unmet(fixture.expect, image)).toEqual([]);
    if (process.arch === 'x64') {
      const { volatile = [], unrecorded = [] } = fixture.options;
      const text = imageText({ image, bases, volatile, unrecorded });
      const golden = join(fixture.folder, 'image.txt');
      const lines = differingLines(text, existsSync(golden) ? readFileSync(golden, 'utf8') : '');
      expect(lines.filter((line) => !known.some((pattern) => pattern.test(line)))).toEqual([]);
      // What does not differ any more must not stay on the list.
      expect(known.filter((pattern) => !lines.some((line) => pattern.test(line)))).toEqual([]);
    }
    if (fixture.expect.absentText !== undefined) expect(outcome.log).not.toContain(fixture.expect.absentText);
  }

  for (const rung of RUNGS) {
    test(`${rung}: tsbuild doctor says that a build takes it there, and why none above it`, async () => {
      const { code, stdout, log } = (await containers.get(rung)?.run(['doctor', '--json', '--cache-dir=/cache'])) ?? {
        code: null,
        stdout: '',
        log: '',
      };
      expect(code, log).toBe(0);
      const { isolation, rungs, storage, system } = JSON.parse(stdout) as DoctorFacts;
      expect(isolation).toBe(rung);
      const above = rungs.slice(
        0,
        rungs.findIndex(({ name }) => name === rung),
      );
      for (const one of above)
        expect(one).toEqual({ name: one.name, works: false, why: expect.stringMatching(/./), hint: expect.stringMatching(/./) });
      expect(storage.map(({ use, place }) => [use, place])).toContainEqual(['cache', 'volume']);
      expect([system.container, system.seccomp]).toEqual(['podman', 'filter']);
    });
    for (const fixture of fixtures) {
      describeUnless(fixtureMissing(fixture), `${rung}: ${fixture.name}`, () => {
        test(fixture.expect.error === undefined ? 'makes what namespaces make' : 'fails as namespaces do', async () => {
          const outcome = await outcomes.get(`${rung}/${fixture.name}`);
          if (outcome === undefined) throw new Error('it was not built');
          await expectGolden(rung, fixture, 'together', outcome);
        });
      });
    }
    for (const fixture of fixtures.filter(({ name }) => FRESH.includes(name))) {
      test(`${rung}: ${fixture.name} is the same in a container of its own`, async () => {
        await expectGolden(rung, fixture, 'fresh', await build(rung, fixture, 'fresh'));
      });
    }
  }
});

/** `+` in `text` alone, `-` in `golden` alone. */
function differingLines(text: string, golden: string): readonly string[] {
  const [own, other] = [text, golden].map((one) => new Set(one.split('\n')));
  const only = (lines: Set<string> | undefined, others: Set<string> | undefined, sign: string): string[] =>
    [...(lines ?? [])].filter((line) => others?.has(line) !== true).map((line) => `${sign}${line}`);
  return [...only(own, other, '+'), ...only(other, own, '-')];
}

/** Without losing setuid bits, which a change of owner takes away. Names are bytes. */
function giveTo(path: Buffer, user: { readonly uid: number; readonly gid: number }): void {
  const stat = lstatSync(path);
  lchownSync(path, user.uid, user.gid);
  if (!stat.isSymbolicLink()) chmodSync(path, stat.mode & 0o7777);
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(path, 'buffer')) giveTo(Buffer.concat([path, Buffer.from('/'), name]), user);
}
