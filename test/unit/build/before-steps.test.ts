/** What is known before the first step: it fails then, all at once, and warnings are told once each. */
import { describe, expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/build/events.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { type FakeOptions, fakeWorld } from '../../helpers/fake-ports.ts';
import { dir, file } from '../../helpers/memory-tree.ts';

/** `line: message` of each fault; nothing was run, opened or written before. */
async function faultsOf(options: FakeOptions): Promise<string[]> {
  const world = fakeWorld(options);
  const error: unknown = await world.build().catch((reason: unknown) => reason);
  expect(world.log.filter((line) => /^(run|open rootfs|offer|write)/.test(line))).toEqual([]);
  if (!(error instanceof TsbuildErrors)) throw error;
  return error.errors.map(({ at, message }) => `${at?.startLine ?? '-'}: ${message}`);
}

async function warningsOf(dockerfile: string): Promise<readonly BuildEvent[]> {
  const world = fakeWorld({ dockerfile, context: { a: file('a') } });
  await world.build();
  return world.events.filter(({ type }) => type === 'warning');
}

describe('sources that are not in the context', () => {
  test('are reported together, before the first RUN', async () => {
    const dockerfile = [
      'FROM scratch AS one',
      'RUN first',
      'COPY config.yml also-not /x/',
      'FROM scratch AS unused',
      'COPY not-looked-for /',
      'FROM one',
      'ADD --chown=1 folder/f /',
      'COPY --parents a/./missing /p/',
      'RUN --mount=type=bind,source=src,target=/src --mount=type=cache,from=one,target=/c build',
      'RUN --mount=type=secret,id=token,required=true build',
      '',
    ].join('\n');
    const context = { 'config.yaml': file('1'), folder: file('2'), a: dir() };
    expect(await faultsOf({ dockerfile, context })).toEqual([
      '3: "config.yml" is not in the context',
      '3: "also-not" is not in the context',
      '7: "folder/f" is not in the context',
      '8: "a/missing" is not in the context',
      `9: the mount's source "src" is not in the context`,
      '10: the secret "token" is required and was not given',
    ]);
  });

  test('are left to their steps where wildcards, other origins and URLs are', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch AS one\nRUN first\nFROM scratch\nCOPY --from=one made nothing* /x/\n' });
    await expect(world.build()).rejects.toMatchObject({ code: 'COPY_SOURCE_NOT_FOUND' });
    expect(world.log).toContain('run first');
  });
});

describe('checks that are to fail the build', () => {
  test('do so before a base is asked for, with the faults that are known then', async () => {
    const images = { resolve: () => Promise.reject(new Error('a base was asked for')) };
    const dockerfile = '# check=error=true\nFROM base AS Build\nMAINTAINER me\nSTOPSIGNAL x\n';
    expect(await faultsOf({ dockerfile, ports: { images } })).toEqual([
      '-: lint violation found for rules: MaintainerDeprecated, StageNameCasing',
      '2: the stage name Build is not in lower case (StageNameCasing)',
      '3: MAINTAINER is deprecated: write LABEL org.opencontainers.image.authors="..." (MaintainerDeprecated)',
      '4: "x" is not a signal',
    ]);
  });

  test('do so before the first step when only the base tells', async () => {
    const images = { base: { config: { Env: ['A=1'] } } };
    const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: 'error=true' };
    const dockerfile = 'FROM base\nRUN first\nLABEL x=$A y=$B\nCOPY nothing /\n';
    expect(await faultsOf({ dockerfile, images, buildArgs })).toEqual([
      '-: lint violation found for rules: UndefinedVar',
      '3: $B is not set (UndefinedVar)',
      '4: "nothing" is not in the context',
    ]);
  });
});

describe('warnings', () => {
  test('of checks carry the rule and its page, in the order of lines', async () => {
    expect(await warningsOf('FROM scratch\nENV A b\nMAINTAINER me\n')).toMatchObject([
      { rule: 'LegacyKeyValueFormat', at: { startLine: 2 }, url: 'https://docs.docker.com/go/dockerfile/rule/legacy-key-value-format/' },
      { rule: 'MaintainerDeprecated', at: { startLine: 3 } },
    ]);
  });

  test('say one fault once', async () => {
    const events = await warningsOf("FROM scratch\nUSER $WHO\nCMD ['a']\nENTRYPOINT\nCOPY a $DIR /x/\n");
    expect(events).toMatchObject([
      { rule: 'UndefinedVar', at: { startLine: 2 } },
      { rule: 'JSONArgsRecommended', at: { startLine: 3 } },
      { rule: 'JSONArgsRecommended', at: { startLine: 4 } },
      { rule: 'UndefinedVar', at: { startLine: 5 } },
    ]);
  });

  test('stay where the rule that would say the same is skipped', async () => {
    const [warning, ...more] = await warningsOf("# check=skip=all\nFROM scratch\nCMD ['a']\n");
    expect(warning).toMatchObject({ message: expect.stringContaining('looks like JSON') as string });
    expect(warning).not.toHaveProperty('rule');
    expect(more).toEqual([]);
  });
});

test('an image that --from names like a stage and that cannot be had is told apart from a stage', async () => {
  const world = fakeWorld({ dockerfile: 'FROM scratch\nCOPY --from=biulder /x /\n' });
  await expect(world.build()).rejects.toMatchObject({ hint: 'no stage above is named "biulder", so it was taken for an image' });
  const tagged = fakeWorld({ dockerfile: 'FROM scratch\nCOPY --from=builder:1 /x /\n' });
  await expect(tagged.build()).rejects.toMatchObject({ hint: undefined });
});
