/** --single-snapshot: which layers an image has, what is in them, and what its history says. */
import { expect, test } from 'vitest';
import { type FakeOptions, fakeWorld, put, putDir } from '../../helpers/fake-ports.ts';

const single = (options: Omit<FakeOptions, 'layers'>) => fakeWorld({ ...options, layers: 'one for each stage' });
const OWN = { config: {}, layers: [{ b: 'base', gone: 'base' }], fields: { history: [{ created_by: 'base' }] } };

test('all that the steps of a stage changed is one layer on the base', async () => {
  const world = single({
    dockerfile: 'FROM base\nCOPY f /a\nRUN change\nENV A=1\nRUN remove\nCMD ["c"]\n',
    context: { f: 'f' },
    images: { base: OWN },
    run: (command) => ({
      changes:
        command === 'change'
          ? [put('r'), put('temporary'), { kind: 'remove', path: 'gone' }]
          : [{ kind: 'remove', path: 'temporary' }, put('b', 'changed')],
    }),
  });
  const { image } = await world.build();
  expect(image.layers).toHaveLength(2);
  expect(world.puts(image.layers[1] ?? expect.fail('a layer')).map(([path]) => path)).toEqual(['a', 'b', 'r']);
  expect(image.config.rootfs.diff_ids).toEqual(image.layers.map(({ diffId }) => diffId));
});

test('only the last step that made files has a layer in the history, and its date', async () => {
  const world = single({
    dockerfile: 'FROM base\nCOPY f /a\nENV A=1\nRUN x\nCMD ["c"]\n',
    context: { f: 'f' },
    images: { base: OWN },
    run: () => ({ changes: [put('r')] }),
  });
  const history = (await world.build()).image.config.history ?? [];
  expect(history.map(({ created_by, empty_layer }) => [created_by, empty_layer ?? false])).toEqual([
    ['base', false],
    ['COPY f /a # buildkit', true],
    ['ENV A=1', true],
    ['RUN /bin/sh -c x # buildkit', false],
    ['CMD ["c"]', true],
  ]);
  expect(new Set(history.slice(1).map(({ created }) => created))).toEqual(new Set([history[3]?.created]));
});

test('sinks are offered what the image has, not the layers of its steps', async () => {
  const world = single({
    dockerfile: 'FROM base\nCOPY f /a\nCOPY f /c\n',
    context: { f: 'f' },
    images: { base: OWN },
  });
  await world.build();
  expect(world.log.filter((line) => line.startsWith('offer'))).toEqual(['offer b gone', 'offer a c']);
});

test('a stage with one layer keeps it, and offers it', async () => {
  const world = single({ dockerfile: 'FROM scratch\nENV A=1\nCOPY f /a\n', context: { f: 'f' } });
  const { image } = await world.build();
  expect(image.layers).toHaveLength(1);
  expect(world.log.filter((line) => line.startsWith('offer'))).toEqual(['offer a']);
});

test('a stage that is FROM another one stands on its one layer', async () => {
  const world = single({
    dockerfile: 'FROM scratch AS below\nCOPY f /a\nCOPY f /b\nFROM below\nCOPY f /c\nCOPY f /d\n',
    context: { f: 'f' },
  });
  const { image } = await world.build();
  expect(image.layers.map((layer) => world.paths(layer))).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  expect((image.config.history ?? []).map(({ empty_layer }) => empty_layer ?? false)).toEqual([true, false, true, false]);
});

test('stages that are only copied from keep the layers of their steps', async () => {
  const world = single({
    dockerfile: 'FROM scratch AS other\nCOPY f /a\nCOPY f /b\nFROM scratch\nCOPY --from=other / /o/\n',
    context: { f: 'f' },
  });
  const { image } = await world.build();
  expect(image.layers.map((layer) => world.paths(layer))).toEqual([['o', 'o/a', 'o/b']]);
});

test('a folder that one step removed and another made again hides the files that the base had in it', async () => {
  const world = single({
    dockerfile: 'FROM base AS made\nRUN remove\nRUN make\nFROM made\nCOPY --from=made / /copy/\n',
    images: { base: { layers: [{ 'd/old': '' }] } },
    run: (command) => ({ changes: command === 'remove' ? [{ kind: 'remove', path: 'd' }] : [putDir('d'), put('d/new')] }),
  });
  const { image } = await world.build();
  expect(world.paths(image.layers[2])).toEqual(['copy', 'copy/d', 'copy/d/new']);
});
