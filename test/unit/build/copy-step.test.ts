/** What COPY and WORKDIR take from the stage so far: accounts, symlinks, and words of the JSON form. */
import { describe, expect, test } from 'vitest';
import { type FakeWorld, fakeWorld, put } from '../../helpers/fake-ports.ts';

const PASSWD = put('etc/passwd', 'app:x:1500:1600::/:/bin/sh\n');
const RUN = 'FROM scratch\nRUN accounts\n';

const accounts = (dockerfile: string): FakeWorld => fakeWorld({ dockerfile, run: () => ({ changes: [PASSWD] }), context: { f: '1' } });
const warnings = ({ events }: FakeWorld): readonly string[] => events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));

async function lastPaths(world: FakeWorld): Promise<readonly string[]> {
  const { image } = await world.build();
  return world.paths(image.layers.at(-1));
}

describe('WORKDIR', () => {
  test('takes a USER that is not in the image for root and warns', async () => {
    const world = accounts(`${RUN}USER nobody-here\nWORKDIR /a\n`);
    expect(await lastPaths(world)).toEqual(['a']);
    expect(warnings(world)).toEqual([
      'the user "nobody-here" is not in /etc/passwd of the image: WORKDIR takes 0 for it, and RUN would fail',
    ]);
  });

  test('says nothing about a USER that is there', async () => {
    const world = accounts(`${RUN}USER app\nWORKDIR /a\n`);
    await world.build();
    expect(warnings(world)).toEqual([]);
  });

  test('of a named USER fails where there is no file yet, as in BuildKit', async () => {
    await expect(accounts('FROM scratch\nUSER app\nWORKDIR /a\n').build()).rejects.toMatchObject({ code: 'USER_NOT_FOUND' });
  });

  test('does not help a later RUN: an unknown USER fails there', async () => {
    await expect(accounts(`${RUN}USER nobody-here\nWORKDIR /a\nRUN x\n`).build()).rejects.toMatchObject({
      code: 'USER_NOT_FOUND',
      at: { startLine: 5 },
    });
  });
});

describe('COPY', () => {
  test('matches wildcards in its JSON form too', async () => {
    const context = { 'a 1.txt': '1', 'a 2.txt': '2', b: '3' };
    expect(await lastPaths(fakeWorld({ dockerfile: 'FROM scratch\nCOPY ["a *.txt", "/x y/"]\n', context }))).toEqual([
      'x y',
      'x y/a 1.txt',
      'x y/a 2.txt',
    ]);
  });

  test('of a name that --chown cannot find fails', async () => {
    await expect(accounts(`${RUN}COPY --chown=nobody-here f /\n`).build()).rejects.toMatchObject({ code: 'USER_NOT_FOUND' });
  });

  test('--link with --chmod is an ordinary copy', async () => {
    const link = { kind: 'put', path: 'l', meta: { ...PASSWD.meta, mode: 0o777 }, node: { type: 'symlink', target: '/real' } } as const;
    const copyTo = (flags: string) =>
      lastPaths(
        fakeWorld({ dockerfile: `FROM scratch\nRUN x\nCOPY ${flags} f /l/\n`, context: { f: '1' }, run: () => ({ changes: [link] }) }),
      );
    expect(await copyTo('--link --chmod=600')).toEqual(['real', 'real/f']);
    expect(await copyTo('--link')).toEqual(['l', 'l/f']);
  });

  test('--link finds the names of --chown in the stage all the same', async () => {
    const world = accounts(`${RUN}COPY --link --chown=app f /l/\n`);
    expect(await lastPaths(world)).toEqual(['l', 'l/f']);
  });
});
