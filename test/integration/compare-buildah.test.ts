/** Every fixture, built with tsbuild and with Debian's buildah: file trees and configs must be the same, or differ for a stated reason. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareImages, fixtureMissing, loadFixtures, runBuildah, runTsbuild, scratchFolder, serveHttp, stage } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';

/** What buildah does to every image that has a RUN. */
const ALWAYS = [/^file \/run: absent \| dir 0755 0:0/];

const lacking = missing(['root', 'buildah', 'runc', 'docker-registry', 'python3']);

describeUnless(lacking, 'tsbuild beside buildah', () => {
  let registry: DockerRegistry;
  let reader: OciReader;
  let storage = '';
  let cacheFolder = '';
  beforeAll(async () => {
    registry = await startDockerRegistry();
    reader = ociReader(registry.host);
    storage = scratchFolder('buildah');
    cacheFolder = scratchFolder('cache');
    for (const base of ['busybox', 'debian'] as const) if (baseMissing(base) === undefined) await pushBase(registry.host, base);
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    for (const folder of [storage, cacheFolder]) rmSync(folder, { recursive: true, force: true });
  });

  for (const fixture of loadFixtures()) {
    // What must fail has its message checked in build.test.ts; buildah's messages are its own.
    if (fixture.expect.error !== undefined) continue;
    const { unsupported, known = [] } = fixture.differences.buildah ?? {};

    describeUnless(fixtureMissing(fixture), fixture.name, () => {
      test(unsupported === undefined ? 'is the same image' : `is not for buildah: ${unsupported}`, async () => {
        using forBuildah = stage(fixture);
        await using http = await serveHttp(fixture);
        const options = { ...fixture.options, args: { ...fixture.options.args, ...http.args } };
        const { host } = registry;
        const to = (builder: string): string => `${builder}/${fixture.name}:t`;
        const second = await runBuildah({ host, staged: forBuildah, options, to: to('buildah'), storage });
        if (unsupported !== undefined) {
          expect(second.code, `buildah can build it now; drop "unsupported":\n${second.log}`).not.toBe(0);
          return;
        }
        expect(second.code, second.log).toBe(0);
        using staged = stage(fixture);
        const first = await runTsbuild({ host, staged, options, to: to('tsbuild'), cacheFolder });
        expect(first.code, first.log).toBe(0);
        const differences = compareImages(
          await reader.read(`tsbuild/${fixture.name}`, 't'),
          await reader.read(`buildah/${fixture.name}`, 't'),
        );
        const patterns = known.map(({ line }) => new RegExp(line));
        expect(differences.filter((line) => ![...ALWAYS, ...patterns].some((pattern) => pattern.test(line)))).toEqual([]);
        expect(known.filter((_, i) => !differences.some((difference) => patterns[i]?.test(difference) === true))).toEqual([]);
      });
    });
  }
});
