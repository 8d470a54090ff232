import { expect, test } from 'vitest';
import { readDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import type { ImageConfig } from '../../../src/image/image.ts';
import { formatPlatform } from '../../../src/image/platform.ts';
import { namedImages } from '../../../src/plan/named-images.ts';
import { baseKey } from '../../../src/plan/plan.ts';

const PLATFORM = { os: 'linux', architecture: 'arm64' };

interface Asked {
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly triggers?: Readonly<Record<string, readonly string[]>>;
}

/** `reference platform line` of each. */
function images(text: string, { target, buildArgs = {}, triggers = {} }: Asked = {}): readonly string[] {
  const inputs = {
    target: target ?? null,
    buildArgs: new Map(Object.entries(buildArgs)),
    labels: new Map(),
    contexts: new Map(),
    platform: PLATFORM,
    buildPlatform: { os: 'linux', architecture: 'amd64' },
  };
  const known = new Map(
    Object.entries(triggers).map(([ref, OnBuild]): [string, ImageConfig] => [
      baseKey({ ref, platform: PLATFORM }),
      { ...PLATFORM, config: { OnBuild }, rootfs: { type: 'layers', diff_ids: [] } },
    ]),
  );
  return namedImages(readDockerfile(Buffer.from(text), 'Dockerfile'), inputs, known).map(
    ({ ref, platform, at }) => `${ref} ${formatPlatform(platform)} ${at.startLine}`,
  );
}

const FILE = `ARG TAG=1
FROM base:$TAG AS one
COPY --from=tools:2 /t /t
FROM scratch
COPY --from=one /a /a
RUN --mount=from=mounted:3 x
FROM one AS unused
RUN x
FROM --platform=$BUILDPLATFORM other AS last
COPY --from=tools:2 /t /t
COPY --from=0 /t /t
`;

test('the images of all stages, each once, with the platform that a build wants of them', () => {
  expect(images(FILE)).toEqual(['base:1 linux/arm64 2', 'tools:2 linux/arm64 3', 'mounted:3 linux/arm64 6', 'other linux/amd64 9']);
});

test('with a target, those that it needs', () => {
  expect(images(FILE, { target: 'unused' })).toEqual(['base:1 linux/arm64 2', 'tools:2 linux/arm64 3']);
});

test('build arguments count', () => {
  expect(images(FILE, { target: 'one', buildArgs: { TAG: '7' } })).toEqual(['base:7 linux/arm64 2', 'tools:2 linux/arm64 3']);
});

test('images that the triggers of a base name are known when its config is', () => {
  expect(images('FROM base\n')).toEqual(['base linux/arm64 1']);
  expect(images('FROM base\n', { triggers: { base: ['COPY --from=more:1 /a /a'] } })).toEqual([
    'base linux/arm64 1',
    'more:1 linux/arm64 1',
  ]);
});

test.each([
  ['FROM $NOTHING\n', 'ARG NOTHING has no value'],
  ['FROM base\nCOPY --from=$x /a /b\n', 'variables are not expanded in COPY --from'],
  ['FROM base\nNONSENSE\n', 'NONSENSE'],
])('%j is at fault', (text, message) => {
  expect(() => images(text)).toThrow(TsbuildErrors);
  expect(() => images(text)).toThrow(message);
});

test('a target that is not there is at fault', () => {
  expect(() => images(FILE, { target: 'lst' })).toThrow('lst');
});
