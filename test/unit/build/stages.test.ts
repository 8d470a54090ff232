import { expect, test } from 'vitest';
import type { BuildEvent } from '../../../src/build/events.ts';
import { fakeWorld, gate, put } from '../../helpers/fake-ports.ts';

const of = <T extends BuildEvent['type']>(events: readonly BuildEvent[], type: T) =>
  events.filter((event): event is Extract<BuildEvent, { type: T }> => event.type === type);

/** The commands must meet: none ends before all have begun. */
function meeting(count: number): () => Promise<void> {
  const all = gate();
  let here = 0;
  return () => {
    here += 1;
    if (here === count) all.open();
    return all.passed;
  };
}

test('a stage that two others need runs once, before both', async () => {
  const world = fakeWorld({
    dockerfile: `FROM scratch AS one
RUN one
FROM one AS two
RUN two
FROM one AS three
COPY --from=one /made /copied
RUN three
FROM scratch
COPY --from=two / /a/
COPY --from=three / /b/
`,
    run: (command) => ({ changes: command === 'one' ? [put('made')] : [] }),
  });
  await world.build();
  const runs = world.log.filter((line) => /^(run|end) /.test(line));
  expect(runs.slice(0, 2)).toEqual(['run one', 'end one']);
  expect([...runs.slice(2)].sort()).toEqual(['end three', 'end two', 'run three', 'run two']);
});

test('a COPY --from waits for the end of its stage', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM scratch AS one\nRUN first\nRUN second\nFROM scratch\nCOPY --from=one /f /f\n',
    async run(command) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { changes: [put('f', command)] };
    },
  });
  const { image } = await world.build();
  expect(image.layers.map(world.paths)).toEqual([['f']]);
  // The copied file is that of the last step: its layer differs from the first's by its content only.
  const ends = of(world.events, 'step-end').map(({ id }) => id);
  expect(ends).toEqual(['0.0', '0.1', '1.0']);
});

test('stages that do not need each other run at the same time', async () => {
  const meet = meeting(2);
  const world = fakeWorld({
    dockerfile: 'FROM scratch AS one\nRUN one\nFROM scratch AS two\nRUN two\nFROM scratch\nCOPY --from=one / /\nCOPY --from=two / /\n',
    run: async () => {
      await meet();
      return undefined;
    },
  });
  await world.build();
  expect(world.log).toContain('end two');
});

test('no more RUNs go on at once than there are places', async () => {
  let now = 0;
  let most = 0;
  const stages = ['a', 'b', 'c', 'd'].map((name) => `FROM scratch AS ${name}\nRUN ${name}\n`);
  const copies = ['a', 'b', 'c', 'd'].map((name) => `COPY --from=${name} / /\n`);
  const world = fakeWorld({
    dockerfile: `${stages.join('')}FROM scratch\n${copies.join('')}`,
    parallelRuns: 2,
    async run() {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 5));
      now--;
      return undefined;
    },
  });
  await world.build();
  expect(most).toBe(2);
});

test('a RUN that waits for the stage it mounts holds no place: one place is enough', async () => {
  const world = fakeWorld({
    dockerfile: `FROM scratch AS slow
RUN slow one
RUN slow two
FROM scratch
RUN --mount=type=bind,from=slow,target=/m quick
`,
    parallelRuns: 1,
    async run() {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return undefined;
    },
  });
  await world.build();
  expect(world.log.filter((line) => line.startsWith('run '))).toEqual(['run slow one', 'run slow two', 'run quick']);
});

test('a RUN whose cache takes its first content from a stage holds no place while it waits', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM scratch AS slow\nRUN slow one\nRUN slow two\nFROM scratch\nRUN --mount=type=cache,from=slow,target=/c quick\n',
    parallelRuns: 1,
  });
  await world.build();
  expect(world.log.filter((line) => line.startsWith('run '))).toEqual(['run slow one', 'run slow two', 'run quick']);
});

test('stages that the target does not need are left alone', async () => {
  const world = fakeWorld({ dockerfile: 'FROM missing AS never\nRUN never\nFROM scratch\nCOPY f /\n', context: { f: 'f' } });
  await world.build();
  expect(world.log.filter((line) => /run|resolve|backend/.test(line))).toEqual([]);
});

test('a build that only copies never asks for a backend', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM base\nWORKDIR /w\nCOPY f .\nADD f /g\nENV A=1\n',
    context: { f: 'f' },
    images: { base: { layers: [{ b: 'b' }] } },
    ports: { backend: () => Promise.reject(new Error('there is none')) },
  });
  const { image } = await world.build();
  expect(image.layers).toHaveLength(4);
  expect(of(world.events, 'plan')).toEqual([{ type: 'plan', stages: 1, steps: 4 }]);
  expect(of(world.events, 'isolation')).toEqual([]);
});

test('a build that runs commands asks for the backend before its first step', async () => {
  const world = fakeWorld({ dockerfile: 'FROM scratch\nCOPY f /\nRUN x\n', context: { f: 'f' } });
  await world.build();
  expect(world.log.indexOf('backend')).toBeLessThan(world.log.findIndex((line) => line.startsWith('offer')));
  expect(of(world.events, 'isolation')).toEqual([{ type: 'isolation', name: 'namespaces' }]);
});

test('each run tells whether another one follows in its stage, so that nothing is got ready in vain', async () => {
  const world = fakeWorld({ dockerfile: 'FROM scratch AS a\nRUN one\nRUN two\nFROM a\nRUN three\nCOPY f /\n', context: { f: '' } });
  await world.build();
  expect(world.specs.map(({ argv, next }) => [argv.at(-1), next])).toEqual([
    ['one', 'run'],
    ['two', 'none'],
    ['three', 'none'],
  ]);
});

test('a stage has one rootfs, on which the layers made beside it are laid', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM base\nCOPY a /\nRUN one\nCOPY b /\nCOPY c /\nRUN two\nRUN three\n',
    context: { a: '', b: '', c: '' },
    images: { base: { layers: [{ x: 'x' }] } },
    run: (command) => ({ changes: [put(command)] }),
  });
  const { image } = await world.build();
  expect(world.log.filter((line) => /^(open rootfs|lay|run) /.test(line))).toEqual([
    'open rootfs 1 on 2',
    'run one',
    'lay b on 1',
    'lay c on 1',
    'run two',
    'run three',
  ]);
  expect(image.layers.flatMap(world.paths)).toEqual(['x', 'a', 'one', 'b', 'c', 'two', 'three']);
});

test('base layers are unpacked for a stage with a RUN and only listed for one without', async () => {
  const images = { base: { layers: [{ x: 'x' }] } };
  const running = fakeWorld({ dockerfile: 'FROM base\nRUN x\n', images });
  await running.build();
  expect(running.log).toContain('material folder');
  const copying = fakeWorld({ dockerfile: 'FROM base\nCOPY --from=base /x /y\n', images });
  await copying.build();
  expect(copying.log.filter((line) => line.startsWith('material'))).toEqual(['material index', 'material index']);
});

test('sinks are offered the layers of the image, its base included, and of no stage that is only copied from', async () => {
  const world = fakeWorld({
    dockerfile: `FROM other AS tools
COPY tool /
FROM base AS middle
RUN made
FROM middle
COPY --from=tools /tool /copied
COPY --from=third /third /
`,
    context: { tool: '' },
    images: {
      base: { layers: [{ base1: '' }, { base2: '' }] },
      other: { layers: [{ other: '' }] },
      third: { layers: [{ third: '3' }] },
    },
    run: () => ({ changes: [put('made')] }),
  });
  const { image } = await world.build();
  expect(world.log.filter((line) => line.startsWith('offer'))).toEqual([
    'offer base1',
    'offer base2',
    'offer made',
    'offer copied',
    'offer third',
  ]);
  expect(image.layers.flatMap(world.paths)).toEqual(['base1', 'base2', 'made', 'copied', 'third']);
});

test('step events pair up and number every step of every stage from 1', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM scratch AS one\nENV A=1\nRUN x\nFROM scratch AS two\nCOPY f /\nFROM one\nCOPY --from=two /f /f\nCMD ["x"]\n',
    context: { f: '' },
  });
  await world.build();
  const starts = of(world.events, 'step-start');
  const ends = of(world.events, 'step-end');
  expect(starts.map(({ number }) => number).sort()).toEqual([1, 2, 3, 4, 5]);
  expect(new Set(starts.map(({ total }) => total))).toEqual(new Set([5]));
  expect(of(world.events, 'plan')).toMatchObject([{ stages: 3, steps: 5 }]);
  expect(ends.map(({ id }) => id).sort()).toEqual(starts.map(({ id }) => id).sort());
  expect(new Set(starts.map(({ id }) => id)).size).toBe(5);
  for (const { id } of starts) {
    const [start, end] = ['step-start', 'step-end'].map((type) =>
      world.events.findIndex((e) => e.type === type && 'id' in e && e.id === id),
    );
    expect(start).toBeLessThan(end as number);
  }
  expect(ends.every(({ state }) => state === 'done')).toBe(true);
  expect(starts.find(({ number }) => number === 4)).toMatchObject({ stage: '2', title: 'COPY --from=two /f /f', at: { startLine: 7 } });
  // Only steps that make a layer tell its size.
  const sizes = new Map(ends.map(({ id, layerBytes }) => [id, layerBytes]));
  expect(sizes.get('0.0')).toBeNull();
  expect(sizes.get('0.1')).toBeGreaterThan(0);
});

test('what a RUN writes is told as its output', async () => {
  const world = fakeWorld({
    dockerfile: 'FROM scratch\nENV A=1\nRUN say\n',
    run(_, spec) {
      spec.output(Buffer.from('hello'));
      return undefined;
    },
  });
  await world.build();
  expect(of(world.events, 'step-output').map(({ id, chunk }) => [id, Buffer.from(chunk).toString()])).toEqual([['0.1', 'hello']]);
});
