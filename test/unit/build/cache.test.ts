import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { BuildEvent, StepState } from '../../../src/build/events.ts';
import { TsbuildError } from '../../../src/errors.ts';
import type { LayerEntry } from '../../../src/layer/entry.ts';
import { type FakeOptions, type FakeWorld, fakeWorld, gate, put } from '../../helpers/fake-ports.ts';
import { file } from '../../helpers/memory-tree.ts';

const base = { layers: [{ 'bin/sh': 'shell' }] };
const MULTI = [
  'FROM base AS build',
  'COPY src /src',
  'RUN make',
  'FROM base AS tools',
  'RUN fetch tools',
  'FROM base',
  'WORKDIR /app',
  'COPY --from=build /out out',
  'RUN --mount=from=tools,target=/tools check',
  'LABEL a=b',
  '',
].join('\n');
const options: FakeOptions = {
  dockerfile: MULTI,
  context: { 'src/a': 'a', other: 'o' },
  images: { base },
  run: (command) => (command === 'make' ? { changes: [put('out')] } : undefined),
};

/** A build after `first`: the same machine, with what it kept. */
function again(first: FakeWorld, changed: Partial<FakeOptions> = {}): FakeWorld {
  const { cache, layers, images } = first.ports;
  return fakeWorld({ ...options, ...changed, ports: { cache, layers, images, ...changed.ports } });
}

function states({ events }: FakeWorld): readonly (readonly [title: string, state: StepState])[] {
  const titles = new Map<string, string>();
  const found: [string, StepState][] = [];
  for (const event of events) {
    if (event.type === 'step-start') titles.set(event.id, event.title);
    if (event.type === 'step-end') found.push([titles.get(event.id) ?? '', event.state]);
  }
  return found;
}

async function built(world: FakeWorld): Promise<FakeWorld> {
  await world.build();
  return world;
}

describe('when nothing has changed', () => {
  test('the image is the same, and no file is looked at, no rootfs opened, no backend asked for', async () => {
    const first = fakeWorld(options);
    const { image } = await first.build();
    const second = again(first);
    const looked = first.log.length;
    const { image: same } = await second.build();
    expect(same.layers.map(({ descriptor }) => descriptor)).toEqual(image.layers.map(({ descriptor }) => descriptor));
    expect(same.config).toEqual(image.config);
    expect([...first.log.slice(looked), ...second.log].filter((line) => /material|rootfs|backend|run/.test(line))).toEqual([]);
  });

  test('stages that only feed answered steps are not begun, and each step of the others is told as cached', async () => {
    const second = await built(again(await built(fakeWorld(options))));
    expect(states(second)).toEqual([
      ['WORKDIR /app', 'cached'],
      ['COPY --from=build /out out', 'cached'],
      ['RUN --mount=from=tools,target=/tools check', 'cached'],
      ['LABEL a=b', 'done'],
    ]);
  });

  test('destinations are offered the layers', async () => {
    const second = await built(again(await built(fakeWorld(options))));
    expect(second.log.filter((line) => line.startsWith('offer'))).toHaveLength(4);
  });
});

describe('when something has changed', () => {
  test('the steps before it are answered, those that it concerns run', async () => {
    const second = await built(again(await built(fakeWorld(options)), { context: { 'src/a': 'changed', other: 'o' } }));
    expect(states(second)).toEqual(
      expect.arrayContaining([
        ['COPY src /src', 'done'],
        ['RUN make', 'done'],
        ['RUN fetch tools', 'cached'],
        ['WORKDIR /app', 'cached'],
        ['COPY --from=build /out out', 'done'],
        ['RUN --mount=from=tools,target=/tools check', 'done'],
      ]),
    );
  });

  test('what no step takes changes nothing', async () => {
    const second = await built(again(await built(fakeWorld(options)), { context: { 'src/a': 'a', other: 'changed' } }));
    expect(states(second).filter(([, state]) => state === 'done')).toEqual([['LABEL a=b', 'done']]);
  });

  test('a RUN behind an answered one gets a rootfs that holds the answered layers', async () => {
    const dockerfile = 'FROM base\nRUN one\nRUN two\n';
    const run: FakeOptions['run'] = (command) => ({ changes: [put(command)] });
    const first = await built(fakeWorld({ ...options, dockerfile, run }));
    const second = await built(again(first, { dockerfile: `${dockerfile}RUN three\n`, run }));
    expect(second.log.filter((line) => /^(open rootfs|run|lay)/.test(line))).toEqual(['open rootfs 1 on 3', 'run three']);
  });

  /** What `first` kept, but for the layers that put one of these paths. */
  function without(first: FakeWorld, ...lost: readonly string[]): FakeWorld['ports']['cache'] {
    const { cache } = first.ports;
    return {
      ...cache,
      async find(key, kind, signal) {
        const found = await cache.find(key, kind, signal);
        return found !== null && first.paths(found.layer).some((path) => lost.includes(path)) ? null : found;
      },
    };
  }

  test('a step above a RUN that runs again runs, too: it was made on what that made the last time', async () => {
    const dockerfile = 'FROM base AS a\nRUN one\nFROM a\nRUN two\nWORKDIR /w\nCOPY --link other /\n';
    const run: FakeOptions['run'] = (command) => ({ changes: [put(command)] });
    const first = await built(fakeWorld({ ...options, dockerfile, run }));
    const second = await built(again(first, { dockerfile, run, ports: { cache: without(first, 'one') } }));
    expect(states(second)).toEqual(
      expect.arrayContaining([
        ['RUN one', 'done'],
        ['RUN two', 'done'],
        ['WORKDIR /w', 'done'],
        ['COPY --link other /', 'cached'],
      ]),
    );
  });

  test('a RUN above a COPY that is made again is answered, and no rootfs is opened', async () => {
    const dockerfile = 'FROM base\nCOPY other /\nRUN two\n';
    const run: FakeOptions['run'] = (command) => ({ changes: [put(command)] });
    const first = await built(fakeWorld({ ...options, dockerfile, run }));
    const second = await built(again(first, { dockerfile, run, ports: { cache: without(first, 'other') } }));
    expect(states(second)).toEqual(
      expect.arrayContaining([
        ['COPY other /', 'done'],
        ['RUN two', 'cached'],
      ]),
    );
    expect(second.log.filter((line) => /rootfs|backend/.test(line))).toEqual([]);
  });

  test('a layer that was made on another run of the step below is no answer', async () => {
    const dockerfile = 'FROM base\nRUN one\nRUN two\n';
    let runs = 0;
    const run: FakeOptions['run'] = (command) => ({ changes: [put(command, `${command} ${runs++}`)] });
    const first = await built(fakeWorld({ ...options, dockerfile, run }));
    // Another machine ran both, and of its steps only the lower one came into the cache.
    const { cache } = first.ports;
    const onlyOne: typeof cache = {
      ...cache,
      keep: async (step, signal) => (first.paths(step.layer).includes('two') ? undefined : cache.keep(step, signal)),
    };
    const elsewhere = again(first, { dockerfile, run, ports: { cache: { ...onlyOne, find: async () => null } } });
    await elsewhere.build();
    const third = await built(again(first, { dockerfile, run, ports: { layers: elsewhere.ports.layers } }));
    expect(states(third)).toEqual([
      ['RUN one', 'cached'],
      ['RUN two', 'done'],
    ]);
  });
});

test('a linked copy reads no layer of its base', async () => {
  const world = await built(fakeWorld({ ...options, dockerfile: 'FROM base\nCOPY --link --chown=1:2 other /a/\n' }));
  expect(world.log.filter((line) => line.startsWith('material'))).toEqual([]);
});

describe('keys', () => {
  /** How the last step of `two` ends after a build of `one`. */
  async function answered(one: Partial<FakeOptions>, two: Partial<FakeOptions>): Promise<StepState | undefined> {
    const second = await built(again(await built(fakeWorld({ ...options, ...one })), two));
    const last = second.events.findLast(({ type }) => type === 'step-start');
    const title = last?.type === 'step-start' ? last.title : '';
    return states(second).find(([of]) => of === title)?.[1];
  }

  test.each([
    ['another command', 'FROM base\nRUN a\n', 'FROM base\nRUN b\n', 'done'],
    ['another environment', 'FROM base\nENV A=1\nRUN a\n', 'FROM base\nENV A=2\nRUN a\n', 'done'],
    ['another user', 'FROM base\nUSER 1\nRUN a\n', 'FROM base\nUSER 2\nRUN a\n', 'done'],
    ['another working folder', 'FROM base\nRUN a\n', 'FROM base\nWORKDIR /w\nRUN a\n', 'done'],
    ['another place in the file', 'FROM base\nRUN a\n', '# comment\n\nFROM base\n\nRUN   a\n', 'cached'],
    ['other metadata', 'FROM base\nEXPOSE 1\nRUN a\n', 'FROM base\nLABEL x=y\nCMD z\nRUN a\n', 'cached'],
    ['another step before it', 'FROM base\nRUN a\n', 'FROM base\nRUN b\nRUN a\n', 'done'],
    ['another network', 'FROM base\nRUN a\n', 'FROM base\nRUN --network=none a\n', 'done'],
    ['another tmpfs', 'FROM base\nRUN --mount=type=tmpfs,target=/t a\n', 'FROM base\nRUN --mount=type=tmpfs,target=/u a\n', 'done'],
    ['another destination', 'FROM base\nCOPY other /a\n', 'FROM base\nCOPY other /b\n', 'done'],
    ['another owner', 'FROM base\nCOPY other /a\n', 'FROM base\nCOPY --chown=1 other /a\n', 'done'],
    ['another spelling of a source', 'FROM base\nCOPY other /a\n', 'FROM base\nCOPY ./other /a\n', 'cached'],
    ['linked on another base', 'FROM base\nRUN x\nCOPY --link other /a\n', 'FROM base\nRUN y\nCOPY --link other /a\n', 'cached'],
    [
      'linked with a name on another base',
      'FROM base\nCOPY --link --chown=0 other /a\n',
      'FROM scratch\nCOPY --link --chown=0 other /a\n',
      'cached',
    ],
  ] as const)('%s', async (_, one, two, state) => {
    const run: FakeOptions['run'] = (command) => ({ changes: [put(command)] });
    expect(await answered({ dockerfile: one, run }, { dockerfile: two, run })).toBe(state);
  });

  test('the order of a file and a download has, since the last one wins', async () => {
    const path = fileURLToPath(import.meta.url);
    const { size } = statSync(path);
    const got = { path, size, digest: `sha256:${'0'.repeat(64)}`, lastModified: null, name: 'other' };
    const ports = { download: () => Promise.resolve(got) };
    const [one, two] = ['other http://h.example/other', 'http://h.example/other other'].map((sources) => `FROM base\nADD ${sources} /d/\n`);
    expect(await answered({ dockerfile: one ?? '', ports }, { dockerfile: two ?? '', ports })).toBe('done');
    expect(await answered({ dockerfile: one ?? '', ports }, { dockerfile: one ?? '', ports })).toBe('cached');
  });

  test('secrets have no part in them', async () => {
    const dockerfile = 'FROM base\nRUN --mount=type=secret,id=s a\n';
    expect(await answered({ dockerfile, secrets: { s: 'one' } }, { dockerfile, secrets: { s: 'two' } })).toBe('cached');
  });

  test('a date for all files has', async () => {
    const dockerfile = 'FROM base\nCOPY other /\n';
    expect(await answered({ dockerfile }, { dockerfile, date: new Date(0) })).toBe('done');
  });
});

describe('what a build keeps', () => {
  test('is each step that made a layer, of whatever stage', async () => {
    const world = await built(fakeWorld(options));
    expect(world.log.filter((line) => line.startsWith('keep')).sort()).toEqual([
      'keep copy',
      'keep copy',
      'keep run',
      'keep run',
      'keep run',
      'keep workdir',
    ]);
  });

  test('is also what ran before a step that failed', async () => {
    const dockerfile = 'FROM base\nRUN slow\nRUN broken\n';
    const run = (command: string) => ({ status: { kind: 'code', code: command === 'broken' ? 1 : 0 } }) as const;
    const world = fakeWorld({ ...options, dockerfile, run });
    await expect(world.build()).rejects.toMatchObject({ code: 'RUN_FAILED' });
    expect(world.log).toContain('keep run');
  });

  test('does not matter to the build when it cannot be kept', async () => {
    const cache = { ...fakeWorld(options).ports.cache, keep: () => Promise.reject(new TsbuildError('STORE_FAILED', 'no')) };
    await expect(fakeWorld({ ...options, ports: { cache } }).build()).resolves.toBeDefined();
  });
});

describe('a layer of a RUN', () => {
  /** A change whose content comes when the gate opens. */
  function slowChange(path: string) {
    const opened = gate();
    const { node, meta } = file('x');
    if (node.type !== 'file') throw new Error('a file is a file');
    const { content } = node;
    const locate = async () => {
      await opened.passed;
      if (content.at === 'deferred') throw new Error('a fake file is in memory');
      return content;
    };
    const entry: LayerEntry = { kind: 'put', path, meta, node: { type: 'file', size: 1, content: { at: 'deferred', locate } } };
    return { entry, open: () => opened.open() };
  }

  test('is sealed while the next command runs', async () => {
    const slow = slowChange('slow');
    const run: FakeOptions['run'] = (command) => {
      if (command === 'one') return { changes: [slow.entry] };
      slow.open();
      return undefined;
    };
    const world = await built(fakeWorld({ ...options, dockerfile: 'FROM base\nRUN one\nRUN two\n', run }));
    expect(world.log.indexOf('run two')).toBeLessThan(world.log.indexOf('offer slow'));
    expect(world.log.indexOf('offer slow')).toBeLessThan(world.log.indexOf('write'));
  });

  test('is sealed before the next command runs where that changes the same files', async () => {
    const slow = slowChange('slow');
    const run: FakeOptions['run'] = (command) => (command === 'one' ? { changes: [slow.entry] } : undefined);
    const world = fakeWorld({ ...options, dockerfile: 'FROM base\nRUN one\nRUN two\n', run, form: { kind: 'copy', most: 1 } });
    const done = world.build();
    await expect.poll(() => world.log).toContain('end one');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.log).not.toContain('run two');
    slow.open();
    await done;
    expect(world.log).toContain('run two');
  });

  test('that cannot be sealed ends the build at its line', async () => {
    const broken: LayerEntry = {
      ...put('x'),
      node: { type: 'file', size: 1, content: { at: 'deferred', locate: () => Promise.reject(new TsbuildError('STORE_FAILED', 'full')) } },
    };
    const world = fakeWorld({
      ...options,
      dockerfile: 'FROM base\nRUN one\nRUN two\n',
      run: (c) => (c === 'one' ? { changes: [broken] } : undefined),
    });
    await expect(world.build()).rejects.toMatchObject({ code: 'STORE_FAILED', at: { startLine: 2 } });
    const ends = world.events.filter((event): event is Extract<BuildEvent, { type: 'step-end' }> => event.type === 'step-end');
    expect(ends.find(({ id }) => id === '0.0')?.state).toBe('failed');
  });
});
