/** Containers that are killed in the middle of a build, as evicted pods are, and started anew on the same cache volume. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { podmanMissing } from '../helpers/podman.ts';
import { type ContainerRung, type RungContainer, startRung } from '../helpers/rung-containers.ts';
import { missing } from '../helpers/tools.ts';
import { tsbuildImage, tsbuildImageMissing } from '../helpers/tsbuild-image.ts';

const RUNGS: readonly ContainerRung[] = ['in-place', 'proot'];
/** While tsbuild starts, while the base is pulled or laid, in the RUN. */
const MOMENTS_MS = [300, 1200, 2500];

const lacking = podmanMissing() ?? missing(['docker-registry']) ?? baseMissing('debian') ?? (await tsbuildImageMissing());

describeUnless(lacking, 'a container that is killed', () => {
  let registry: DockerRegistry;
  const containers = new Map<ContainerRung, RungContainer>();

  beforeAll(async () => {
    registry = await startDockerRegistry();
    await pushBase(registry.host, 'debian');
    const { name } = await tsbuildImage();
    for (const rung of RUNGS) containers.set(rung, await startRung(rung, { tsbuildImage: name }));
  });
  afterAll(async () => {
    for (const container of containers.values()) await container[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  test.each(RUNGS)('and started anew with the same cache builds, and leaves nothing of both: %s', async (rung) => {
    const container = containers.get(rung) as RungContainer;
    const context = join(container.workspace, 'killed');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), `FROM ${registry.host}/library/debian:12\nRUN echo one > /one && sleep 1\nRUN cat /one\n`);
    const flags = [
      '--context=/workspace/killed',
      `--insecure-registry=${registry.host}`,
      `--destination=${registry.host}/killed/${rung}:t`,
    ];
    for (const ms of MOMENTS_MS) {
      const name = `tsbuild-killed-${process.pid}-${rung}-${ms}`;
      const first = execute(container.fresh(flags, [`--name=${name}`]));
      await setTimeout(ms);
      // It may not be there yet, or have ended.
      await execute(['podman', 'kill', '--signal=KILL', name]);
      await first;
      const { code, log } = await execute(container.fresh(flags));
      expect(code, `after ${ms} ms: ${log}`).toBe(0);
    }
    expect(readdirSync(join(container.cache, 'work'))).toEqual([]);
  });
});
