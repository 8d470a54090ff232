/**
 * Every fixture, built with tsbuild as whoever runs the tests and, from root, as an ordinary user too. UPDATE_GOLDENS=1 rewrites
 * plan.txt and image.txt: read what changed against Docker's behaviour before committing it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { imageText, planText } from '../helpers/build-goldens.ts';
import {
  type Fixture,
  fixtureMissing,
  loadFixtures,
  removeCache,
  runTsbuild,
  scratchFolder,
  serveHttp,
  stage,
  unmet,
} from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader, type ReadImage } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';
import { type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const fixtures = loadFixtures();
// CI sets this for root where an ordinary user runs these tests anyway.
const elsewhere = process.env['TSBUILD_TEST_FIXTURES_AS_USER'] === 'elsewhere' ? 'an ordinary user runs them elsewhere' : undefined;
const ordinary = elsewhere ?? unprivilegedUser();
const lacking = missing(['docker-registry', 'python3']);

/** The port of the fixture's HTTP server differs from run to run. */
function hideUrl(text: string, { HTTP }: Readonly<Record<string, string>>): string {
  return HTTP === undefined ? text : text.replaceAll(HTTP, '{{HTTP}}');
}

function expectGolden({ folder }: Fixture, file: 'plan.txt' | 'image.txt', text: string): void {
  const path = join(folder, file);
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(path, text);
  expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : null);
}

test('there are at least 35 fixtures and each expects something', () => {
  expect(fixtures.length).toBeGreaterThanOrEqual(35);
  expect(fixtures.filter((fixture) => Object.keys(fixture.expect).length === 0).map((fixture) => fixture.name)).toEqual([]);
});

describeUnless(lacking, 'fixtures', () => {
  let registry: DockerRegistry;
  let reader: OciReader;
  const bases = new Map<string, ReadImage>();
  beforeAll(async () => {
    registry = await startDockerRegistry();
    reader = ociReader(registry.host);
    for (const base of ['busybox', 'debian'] as const) {
      if (baseMissing(base) !== undefined) continue;
      await pushBase(registry.host, base);
      bases.set(base, await reader.read(`library/${base}`, base === 'debian' ? '12' : 'latest'));
    }
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
  });

  const people: { title: string; user: UnprivilegedUser | undefined; reason: string | undefined }[] = [
    { title: process.getuid?.() === 0 ? 'as root' : 'as this user', user: undefined, reason: undefined },
    typeof ordinary === 'string'
      ? { title: 'as an ordinary user', user: undefined, reason: ordinary }
      : { title: 'as an ordinary user', user: ordinary, reason: undefined },
  ];

  for (const { title, user, reason } of people) {
    describeUnless(reason, title, () => {
      let cacheFolder = '';
      beforeAll(() => {
        cacheFolder = scratchFolder('cache', user);
      });
      afterAll(() => removeCache(cacheFolder));
      const rootless = user !== undefined || process.getuid?.() !== 0;

      for (const fixture of fixtures) {
        const why = fixtureMissing(fixture) ?? (rootless ? fixture.options.rootless : undefined);
        describeUnless(why, fixture.name, () => {
          test(fixture.expect.error === undefined ? 'makes what it should' : 'fails and says why', async () => {
            using staged = stage(fixture, user);
            await using http = await serveHttp(fixture);
            const options = { ...fixture.options, args: { ...fixture.options.args, ...http.args } };
            const to = `${rootless ? 'rootless' : 'built'}/${fixture.name}:t`;
            const outcome = await runTsbuild({
              host: registry.host,
              staged,
              options,
              to,
              cacheFolder,
              ...(user === undefined ? {} : { user }),
            });
            if (fixture.expect.error !== undefined) {
              expect(outcome.code, outcome.log).toBe(1);
              expect(outcome.log).toMatch(new RegExp(fixture.expect.error));
              return;
            }
            expect(outcome.code, outcome.log).toBe(0);
            const [repository = '', tag = ''] = to.split(':');
            const image = await reader.read(repository, tag, 'own layers');
            expect(unmet(fixture.expect, image)).toEqual([]);
            if (process.arch === 'x64') {
              const inputs = { buildArgs: new Map(Object.entries(options.args)), target: options.target ?? null };
              const plan = planText({ dockerfile: readFileSync(staged.dockerfile), inputs, bases });
              expectGolden(fixture, 'plan.txt', hideUrl(plan, http.args));
              expectGolden(
                fixture,
                'image.txt',
                hideUrl(imageText({ image, bases, volatile: options.volatile ?? [], unrecorded: options.unrecorded ?? [] }), http.args),
              );
            }
            if (fixture.expect.absentText !== undefined) expect(outcome.log).not.toContain(fixture.expect.absentText);
          });
        });
      }
    });
  }
});
