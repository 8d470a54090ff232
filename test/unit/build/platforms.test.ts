import { describe, expect, test } from 'vitest';
import { fakeWorld } from '../../helpers/fake-ports.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };
const base = { layers: [{ 'bin/sh': 'shell' }] };

describe('several platforms', () => {
  test('give one image each, in the order asked for, published together', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nARG TARGETARCH\nCOPY f /$TARGETARCH\n',
      context: { f: 'text' },
      images: { base },
      platforms: [ARM64, AMD64],
    });
    const { images, published } = await world.build();
    expect(images.map(({ config }) => config.architecture)).toEqual(['arm64', 'amd64']);
    expect(images.map(({ layers }) => world.paths(layers.at(-1)))).toEqual([['arm64'], ['amd64']]);
    expect(published).toHaveLength(1);
    expect(world.log.filter((line) => line === 'write')).toHaveLength(1);
    expect(world.log.filter((line) => line === 'open context')).toHaveLength(1);
  });

  test('share the stages that are for the building machine, which run once', async () => {
    const world = fakeWorld({
      dockerfile: `FROM --platform=$BUILDPLATFORM base AS tools
RUN tools
FROM --platform=$BUILDPLATFORM tools AS build
ARG TARGETARCH
RUN build for $TARGETARCH
FROM scratch
COPY --from=tools /bin/sh /sh
COPY --from=build /bin/sh /sh2
`,
      images: { base },
      platforms: [AMD64, ARM64],
    });
    await world.build();
    expect(world.log.filter((line) => line.startsWith('run ')).sort()).toEqual([
      'run build for $TARGETARCH',
      'run build for $TARGETARCH',
      'run tools',
    ]);
    expect(world.specs.flatMap(({ env }) => env.filter((pair) => pair.startsWith('TARGETARCH'))).sort()).toEqual([
      'TARGETARCH=amd64',
      'TARGETARCH=arm64',
    ]);
  });

  test('number the steps through, and each step says what it is for', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nENV A=b\nCOPY f /\n',
      context: { f: '' },
      images: { base },
      platforms: [AMD64, ARM64],
    });
    await world.build();
    const starts = world.events.flatMap((event) => (event.type === 'step-start' ? [event] : []));
    expect(new Set(starts.map(({ id }) => id)).size).toBe(4);
    expect(starts.map(({ number, total, platform }) => `${number}/${total} ${platform}`).sort()).toEqual([
      '1/4 linux/amd64',
      '2/4 linux/amd64',
      '3/4 linux/arm64',
      '4/4 linux/arm64',
    ]);
    expect(world.events).toContainEqual(expect.objectContaining({ type: 'plan', stages: 2, steps: 4 }));
  });

  test('say a warning once that all of them give', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nENV A=b\n', buildArgs: { UNUSED: '1' }, platforms: [AMD64, ARM64] });
    await world.build();
    expect(world.events.filter((event) => event.type === 'warning')).toHaveLength(1);
  });

  test('one platform alone is not named', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nENV A=b\n', platforms: [ARM64] });
    await world.build();
    expect(world.events.find((event) => event.type === 'step-start')).not.toHaveProperty('platform');
  });

  test('a system other than Linux gets files, and no command', async () => {
    const darwin = { os: 'darwin', architecture: 'arm64' };
    const files = fakeWorld({ dockerfile: 'FROM scratch\nCOPY f /\n', context: { f: '' }, platforms: [AMD64, darwin] });
    expect((await files.build()).images.map(({ config }) => config.os)).toEqual(['linux', 'darwin']);
    const runs = fakeWorld({ dockerfile: 'FROM base\nRUN x\n', images: { base }, platforms: [AMD64, darwin] });
    await expect(runs.build()).rejects.toMatchObject({ errors: [{ code: 'NOT_SUPPORTED', at: { startLine: 2 } }] });
    expect(runs.log.filter((line) => line.startsWith('resolve'))).toEqual([]);
  });
});

describe('RUN in an image of another architecture', () => {
  const arm = { layers: [{ 'bin/sh': 'shell' }], fields: { architecture: 'arm64' } };
  const dockerfile = 'FROM arm AS base\nFROM base\nENV A=b\nRUN x\n';

  test('fails at its line before any layer is pulled where its programs do not start', async () => {
    const world = fakeWorld({ dockerfile, images: { arm }, platforms: [ARM64], executes: ['amd64'] });
    await expect(world.build()).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      message: expect.stringContaining('linux/arm64'),
      at: { startLine: 4 },
    });
    expect(world.events.filter(({ type }) => type === 'step-start')).toEqual([]);
    expect(world.log.filter((line) => line.startsWith('offer'))).toEqual([]);
  });

  test('runs where they start', async () => {
    const world = fakeWorld({ dockerfile, images: { arm }, platforms: [ARM64], executes: ['arm64'] });
    await world.build();
    expect(world.log).toContain('run x');
  });

  test('is asked of the base, not of what --platform says', async () => {
    const world = fakeWorld({ dockerfile: 'FROM base\nRUN x\n', images: { base }, platforms: [ARM64], executes: [] });
    const { image } = await world.build();
    expect(image.config.architecture).toBe('arm64');
  });
});
