import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Download } from '../../../src/build/ports.ts';
import { digestOf } from '../../../src/image/digest.ts';
import type { GitSource } from '../../../src/plan/git-url.ts';
import { type FakeOptions, FIRST_MOMENT, fakeWorld, put } from '../../helpers/fake-ports.ts';
import { memoryTree } from '../../helpers/memory-tree.ts';

const second = (n: number): string => new Date(FIRST_MOMENT.getTime() + 1000 * n).toISOString();
const comment = 'buildkit.dockerfile.v0';

describe('history', () => {
  test('has one entry per instruction, after the base’s, as BuildKit words them', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nENV A=1\nRUN x\nLABEL l=v\nCOPY f /g\nWORKDIR /w\nCMD ["c"]\n',
      context: { f: 'f' },
      images: { base: { layers: [{ b: '' }], fields: { created: '2020-01-01T00:00:00Z', history: [{ created_by: 'base' }] } } },
      // The clock is looked at for other things, too: what counts is that later entries are later.
      run: () => ({ changes: [put('r')] }),
    });
    const { image } = await world.build();
    const history = image.config.history ?? [];
    expect(history.map(({ created_by }) => created_by)).toEqual([
      'base',
      'ENV A=1',
      'RUN /bin/sh -c x # buildkit',
      'LABEL l=v',
      'COPY f /g # buildkit',
      'WORKDIR /w',
      'CMD ["c"]',
    ]);
    expect(history.map((entry) => entry.empty_layer === true)).toEqual([false, true, false, true, false, false, true]);
    expect(history.slice(1).every((entry) => entry.comment === comment)).toBe(true);
    expect(image.config.rootfs.diff_ids).toEqual(image.layers.map(({ diffId }) => diffId));
    expect(history.filter((entry) => entry.empty_layer !== true)).toHaveLength(image.layers.length);
  });

  test('words each instruction as BuildKit does, and has none for ONBUILD', async () => {
    const lines: readonly (readonly [string, string | null])[] = [
      ['MAINTAINER ada', 'MAINTAINER ada'],
      ['ENV E=x F="a b"', 'ENV E=x F=a b'],
      ['ARG A=1 B', 'ARG A=1 B'],
      ['LABEL l="a b"', 'LABEL l=a b'],
      ['EXPOSE 80 443/TCP', 'EXPOSE [443/tcp 80/tcp]'],
      ['VOLUME /v1 /v2', 'VOLUME [/v1 /v2]'],
      ['RUN --mount=type=tmpfs,target=/t true', 'RUN |2 A=1 B= /bin/sh -c true # buildkit'],
      ['RUN ["a", "b c"]', 'RUN |2 A=1 B= a b c # buildkit'],
      ['SHELL ["/bin/sh", "-ec"]', 'SHELL [/bin/sh -ec]'],
      ['CMD c "d"', 'CMD ["/bin/sh" "-ec" "c \\"d\\""]'],
      ['ENTRYPOINT ["e"]', 'ENTRYPOINT ["e"]'],
      [
        'HEALTHCHECK --start-interval=2s CMD true',
        'HEALTHCHECK {Test:[CMD-SHELL true] Interval:0s Timeout:0s StartPeriod:0s StartInterval:2s Retries:0}',
      ],
      ['HEALTHCHECK NONE', 'HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}'],
      ['STOPSIGNAL 9', 'STOPSIGNAL 9'],
      ['ONBUILD RUN later', null],
      ['COPY --chown=1:2 --chmod=644 --link f g /x/', 'COPY --chown=1:2 --chmod=644 f g /x/ # buildkit'],
      ['COPY --parents --exclude=n f /y', 'COPY --parents f /y # buildkit'],
      ['COPY <<one <<two /z/\n1\none\n2\ntwo', 'COPY <<one <<two /z/ # buildkit'],
      ['ADD f .', 'ADD f . # buildkit'],
      ['WORKDIR /w', 'WORKDIR /w'],
      ['WORKDIR sub', 'WORKDIR /w/sub'],
      ['USER 5', 'USER 5'],
    ];
    const dockerfile = ['FROM scratch', ...lines.map(([line]) => line), ''].join('\n');
    const { image } = await fakeWorld({ dockerfile, context: { f: 'f', g: 'g' } }).build();
    const worded = lines.flatMap(([, entry]) => (entry === null ? [] : [entry]));
    expect(image.config.history?.map(({ created_by }) => created_by)).toEqual(worded);
  });

  test('a RUN names each ARG once, where it was first declared, with the value in force', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nARG foo=bar\nARG bar=123\nARG foo=bar2\nENV bar=env\nRUN x\n' }).build();
    expect(image.config.history?.at(-1)?.created_by).toBe('RUN |2 foo=bar2 bar=env /bin/sh -c x # buildkit');
  });

  test('a WORKDIR that is there already still is a layer, and / is none', async () => {
    const world = fakeWorld({ dockerfile: 'FROM base\nWORKDIR /there\nWORKDIR /\n', images: { base: { layers: [{ 'there/f': '' }] } } });
    const { image } = await world.build();
    expect(image.config.history?.slice(1).map((entry) => [entry.created_by, entry.empty_layer === true])).toEqual([
      ['WORKDIR /there', false],
      ['WORKDIR /', true],
    ]);
    expect(world.paths(image.layers[1])).toEqual([]);
  });

  test('an entry without a layer is dated like the newest layer, and the image too', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nENV A=1\nRUN x\nENV B=1\nRUN y\nENV C=1\n',
      images: { base: { layers: [{ b: '' }], fields: { created: '2020-01-01T00:00:00Z', history: [{ created_by: 'base' }] } } },
    });
    const { image } = await world.build();
    const [, a, x, b, y, c] = (image.config.history ?? []).map(({ created }) => created);
    expect([x, b, y, c]).toEqual([second(0), second(0), second(1), second(1)]);
    expect(a).toBe(x);
    expect(image.config.created).toBe(second(1));
  });

  test('entries before the first new layer are dated like that one, also those of the stage that it is FROM', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch AS one\nENV A=1\nFROM one\nENV B=1\nRUN x\n' });
    const { image } = await world.build();
    expect(image.config.history?.map(({ created }) => created)).toEqual([second(0), second(0), second(0)]);
  });

  test('entries of a build without new layers, and its image, are dated like the newest entry of the base', async () => {
    const history = [
      { created: '2020-01-01T00:00:00Z', created_by: 'one' },
      { created: '2021-01-01T00:00:00Z', created_by: 'two' },
    ];
    const world = fakeWorld({
      dockerfile: 'FROM base\nENV A=1\n',
      images: { base: { layers: [{ a: '' }, { b: '' }], fields: { created: '2019-01-01T00:00:00Z', history } } },
    });
    const { image } = await world.build();
    expect(image.config.history?.at(-1)?.created).toBe('2021-01-01T00:00:00Z');
    expect(image.config.created).toBe('2021-01-01T00:00:00Z');
  });

  test('entries of the base stay as they are: dates, authors and comments', async () => {
    const history = [
      { created: '2020-01-01T00:00:00Z', created_by: 'one', author: 'ada', comment: 'made by hand' },
      { created: '2021-01-01T00:00:00Z', created_by: 'two', empty_layer: true },
    ];
    const world = fakeWorld({
      dockerfile: 'FROM base\nMAINTAINER bob\nRUN x\n',
      images: { base: { layers: [{ a: '' }], fields: { history } } },
    });
    const { image } = await world.build();
    expect(image.config.history?.slice(0, 2)).toEqual(history);
    expect(image.config.history?.slice(2)).toEqual([
      { created: second(0), created_by: 'MAINTAINER bob', comment, empty_layer: true },
      { created: second(0), created_by: 'RUN /bin/sh -c x # buildkit', comment },
    ]);
  });

  test('a RUN that changes nothing still is a layer', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nRUN true\n' }).build();
    expect(image.layers).toHaveLength(1);
    expect(image.config.history).toEqual([{ created: second(0), created_by: 'RUN /bin/sh -c true # buildkit', comment }]);
  });

  test('a stage that is FROM another one goes on with its history and layers', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch AS one\nRUN a\nENV A=1\nFROM one\nRUN b\n' });
    const { image } = await world.build();
    expect(image.config.history?.map(({ created_by }) => created_by)).toEqual([
      'RUN /bin/sh -c a # buildkit',
      'ENV A=1',
      'RUN /bin/sh -c b # buildkit',
    ]);
    expect(image.layers).toHaveLength(2);
  });

  test.each([
    ['has none', undefined],
    ['has too little', [{ created_by: 'second' }]],
    ['has too much', [{ created_by: 'one' }, { created_by: 'two' }, { created_by: 'three' }]],
    ['marks all as empty', [{ created_by: 'env', empty_layer: true }]],
  ])('each layer has an entry even where the base %s', async (_, history) => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nRUN x\n',
      images: { base: { layers: [{ a: '' }, { b: '' }], fields: history === undefined ? {} : { history } } },
    });
    const { image } = await world.build();
    expect(image.config.history?.filter((entry) => entry.empty_layer !== true)).toHaveLength(3);
    expect(image.config.history?.at(-1)).toMatchObject({ created_by: 'RUN /bin/sh -c x # buildkit' });
  });
});

describe('with a date', () => {
  const date = new Date('2001-02-03T04:05:06Z');
  const created = '2001-02-03T04:05:06.000Z';

  test('the image and what the build adds to its history have it, and entries of the base keep theirs', async () => {
    const old = { created: '2020-01-01T00:00:00Z', created_by: 'b' };
    const { image } = await fakeWorld({
      dockerfile: 'FROM base\nENV A=1\nRUN x\nLABEL l=v\n',
      images: { base: { layers: [{ b: '' }], fields: { created: '2020-01-01T00:00:00Z', history: [old] } } },
      date,
    }).build();
    expect(image.config.created).toBe(created);
    expect(image.config.history?.map((entry) => entry.created)).toEqual([old.created, created, created, created]);
  });

  test('an image has it even where no step makes a layer', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nENV A=1\n', date }).build();
    expect(image.config.created).toBe(created);
    expect(image.config.history).toEqual([{ created, created_by: 'ENV A=1', comment, empty_layer: true }]);
  });
});

describe('the config', () => {
  test('a build that makes no layer keeps the base’s date, layers and unknown fields', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nLABEL l=v\n',
      images: {
        base: {
          layers: [{ b: '' }],
          config: { Env: ['PATH=/base'], Unknown: { kept: true } },
          fields: { created: '2020-01-01T00:00:00Z', history: [{ created_by: 'b' }], 'os.version': '10', variant: 'v8', author: 'ada' },
        },
      },
    });
    const { image } = await world.build();
    expect(image.config).toMatchObject({
      created: '2020-01-01T00:00:00Z',
      'os.version': '10',
      variant: 'v8',
      author: 'ada',
      config: { Env: ['PATH=/base'], Unknown: { kept: true }, Labels: { l: 'v' } },
    });
    expect(image.layers).toHaveLength(1);
  });

  test('a build from scratch that only sets things has no layers and no date', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nENV A=1\n' }).build();
    expect(image.layers).toEqual([]);
    expect(image.config).toMatchObject({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } });
    expect(image.config).not.toHaveProperty('created');
    expect(image.config.history).toEqual([{ created_by: 'ENV A=1', comment, empty_layer: true }]);
  });

  describe('names the platform', () => {
    const arm = { os: 'linux', architecture: 'arm', variant: 'v7' };
    const base = (fields: object) => ({ base: { layers: [{ b: '' }], fields } });
    const platformOf = async (options: Omit<FakeOptions, 'dockerfile'>): Promise<unknown> => {
      const { image } = await fakeWorld({ dockerfile: 'FROM base\nENV A=1\n', ...options }).build();
      const { os, architecture, variant, 'os.version': version } = image.config;
      return { os, architecture, variant, version };
    };

    test('of the base when --platform does not say one, in its normal form', async () => {
      const images = base({ os: 'linux', architecture: 'aarch64', variant: 'v8', 'os.version': '10' });
      expect(await platformOf({ images })).toEqual({ os: 'linux', architecture: 'arm64', variant: undefined, version: '10' });
    });

    test('of --platform, whatever the base says', async () => {
      const images = base({ os: 'linux', architecture: 'amd64', variant: 'v3', 'os.version': '10' });
      expect(await platformOf({ images, platforms: [arm] })).toEqual({ ...arm, version: undefined });
      expect(await platformOf({ images, platforms: [{ os: 'linux', architecture: 's390x' }] })).toEqual({
        os: 'linux',
        architecture: 's390x',
        variant: undefined,
        version: undefined,
      });
    });

    test('of --platform with the base’s variant and version where system and architecture agree', async () => {
      const images = base({ os: 'linux', architecture: 'amd64', variant: 'v3', 'os.version': '10' });
      const platform = { os: 'linux', architecture: 'amd64' };
      expect(await platformOf({ images, platforms: [platform] })).toEqual({ ...platform, variant: 'v3', version: '10' });
      expect(await platformOf({ images, platforms: [{ ...platform, variant: 'v2' }] })).toMatchObject({ variant: 'v2', version: '10' });
    });

    test('of --platform from scratch', async () => {
      const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nENV A=1\n', platforms: [arm] }).build();
      expect(image.config).toMatchObject(arm);
    });
  });

  test('MAINTAINER is the author', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM scratch\nMAINTAINER ada\n' }).build();
    expect(image.config.author).toBe('ada');
  });

  test('the triggers of a base run first, and need a further base if they say so', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nENV A=1\n',
      images: {
        base: { layers: [], config: { OnBuild: ['COPY --from=other /o /p', 'RUN triggered'] } },
        other: { layers: [{ o: 'o' }] },
      },
    });
    const { image } = await world.build();
    expect(image.config.history?.map(({ created_by }) => created_by)).toEqual([
      'COPY /o /p # buildkit',
      'RUN /bin/sh -c triggered # buildkit',
      'ENV A=1',
    ]);
    expect(image.config.config).not.toHaveProperty('OnBuild');
    expect(image.layers.flatMap(world.paths)).toEqual(['p']);
  });
});

describe('ADD of several sources', () => {
  test('takes archives by wildcard, folders and downloads together, and unpacks only what was named', async () => {
    const inner = tarOf('inner');
    const asked: string[] = [];
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nADD *.tar dir https://example.com/*.txt /x/\nADD --unpack=false a.tar /kept/\nADD --unpack dir /dir/\n',
      context: { 'a.tar': tarOf('a'), 'b.tar': tarOf('b'), 'dir/inner.tar': inner },
      ports: {
        download: (url) => {
          asked.push(url);
          return Promise.resolve({ path: '/dev/null', size: 0, digest: '', lastModified: null, name: '*.txt' });
        },
      },
    });
    const { image } = await world.build();
    expect(image.layers.map(world.paths)).toEqual([
      ['x', 'x/*.txt', 'x/a', 'x/b', 'x/inner.tar'],
      ['kept', 'kept/a.tar'],
      ['dir', 'dir/inner.tar'],
    ]);
    expect(asked).toEqual(['https://example.com/*.txt']);
  });
});

/** A tar with one empty file, as a byte string. */
function tarOf(name: string): string {
  const header = Buffer.alloc(1536);
  header.write(name, 0);
  header.write('0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        0', 100);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\x00 `, 148);
  return header.toString('latin1');
}

describe('ADD of a git repository', () => {
  const files = { 'f.txt': 'f', 'docs/a.md': 'a', 'docs/b.md': 'b', 'a.tar': 'no archive' };
  const added = async (line: string, sources: GitSource[] = []): Promise<readonly string[]> => {
    const world = fakeWorld({
      dockerfile: `FROM scratch\n${line}\n`,
      ports: {
        checkout: (repository) => {
          sources.push(repository);
          return Promise.resolve({ tree: memoryTree(files), label: 'the git repository' });
        },
      },
    });
    const { image } = await world.build();
    return image.layers.flatMap(world.puts).map(([path, { meta }]) => `${path} ${meta.mode.toString(8)} ${meta.uid}:${meta.gid}`);
  };

  test('gives its contents to a destination that is a folder with or without a slash', async () => {
    const wanted = ['x 755 0:0', 'x/a.tar 644 0:0', 'x/docs 755 0:0', 'x/docs/a.md 644 0:0', 'x/docs/b.md 644 0:0', 'x/f.txt 644 0:0'];
    expect(await added('ADD https://example.com/r.git /x')).toEqual(wanted);
    expect(await added('ADD https://example.com/r.git#main /x/')).toEqual(wanted);
  });

  test('obeys --chown, --chmod, --exclude and --link', async () => {
    expect(await added('ADD --chown=1:2 --chmod=600 --exclude=docs/a.md --exclude=*.tar https://example.com/r.git /x/')).toEqual([
      'x 600 1:2',
      'x/docs 600 1:2',
      'x/docs/b.md 600 1:2',
      'x/f.txt 600 1:2',
    ]);
    expect(await added('ADD --link --unpack https://example.com/r.git /x/')).toHaveLength(6);
  });

  test('asks for the ref, the folder and the checksum that the line says', async () => {
    const sources: GitSource[] = [];
    await added('ADD --checksum=ABC --keep-git-dir https://example.com/r.git#v1 git@example.com:o/r#main:docs /x/', sources).catch(
      () => undefined,
    );
    await added('ADD --checksum=ABC --keep-git-dir https://example.com/r.git#v1 /x/', sources);
    expect(sources).toEqual([
      {
        remote: 'https://example.com/r.git',
        at: { kind: 'ref', name: 'v1' },
        checksum: 'abc',
        subdir: '',
        gitDir: 'keep',
        submodules: 'fetch',
      },
    ]);
  });
});

describe('ADD from a URL', () => {
  let folder: string;
  const bytes = Buffer.from('downloaded');
  const got = (parts: Partial<Download> = {}): Download => ({
    path: join(folder, 'file'),
    size: bytes.length,
    digest: digestOf(bytes),
    lastModified: new Date('2021-01-01T00:00:00Z'),
    name: 'named',
    ...parts,
  });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
    writeFileSync(join(folder, 'file'), bytes);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('takes the name that the server gives', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nADD https://example.com/x /to/\n',
      ports: { download: () => Promise.resolve(got()) },
    });
    const { image } = await world.build();
    expect(image.layers.flatMap(world.paths)).toEqual(['to', 'to/named']);
  });

  test('with the checksum that it asks for is taken', async () => {
    const world = fakeWorld({
      dockerfile: `FROM scratch\nADD --checksum=${digestOf(bytes)} https://example.com/x /f\n`,
      ports: { download: () => Promise.resolve(got()) },
    });
    await expect(world.build()).resolves.toMatchObject({ published: [{ where: 'memory' }] });
  });

  test('with another checksum is ADD_FAILED at its line, and names both', async () => {
    const other = digestOf(Buffer.from('other'));
    const world = fakeWorld({
      dockerfile: `FROM scratch\nENV A=1\nADD --checksum=${other} https://example.com/x /f\n`,
      ports: { download: () => Promise.resolve(got()) },
    });
    await expect(world.build()).rejects.toMatchObject({
      code: 'ADD_FAILED',
      at: { startLine: 3 },
      message: `the download has digest ${digestOf(bytes)}, not ${other} as --checksum demands`,
    });
  });

  test('without any name is called __unnamed__ in a folder', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nADD https://example.com /to/\n',
      ports: { download: () => Promise.resolve(got({ name: null })) },
    });
    const { image } = await world.build();
    expect(image.layers.flatMap(world.paths)).toEqual(['to', 'to/__unnamed__']);
  });

  test('has the server’s time, or that of the epoch, so that the layer is the same each time', async () => {
    const timeOf = async (lastModified: Date | null): Promise<unknown> => {
      const world = fakeWorld({
        dockerfile: 'FROM scratch\nADD https://example.com/x /f\n',
        ports: { download: () => Promise.resolve(got({ lastModified })) },
      });
      const { image } = await world.build();
      return image.layers.flatMap(world.puts).map(([, { meta }]) => meta.mtimeNs);
    };
    expect(await timeOf(new Date('2021-01-01T00:00:00Z'))).toEqual([1_609_459_200_000_000_000n]);
    expect(await timeOf(null)).toEqual([0n]);
  });
});
