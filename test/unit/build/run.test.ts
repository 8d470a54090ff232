import { describe, expect, test } from 'vitest';
import { TsbuildError } from '../../../src/errors.ts';
import type { LayerEntry } from '../../../src/layer/entry.ts';
import { fakeWorld, put, putDir, type RunOutcome } from '../../helpers/fake-ports.ts';

const SECRET = 'correct horse battery staple';

/** Everything that a build tells or leaves, as text. */
const traces = (...things: readonly unknown[]): string =>
  JSON.stringify(things, (_, value: unknown) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString()
      : value instanceof Error
        ? { ...value, message: value.message, stack: value.stack }
        : value,
  );

describe('secrets', () => {
  test('a required one that was not given is SECRET_NOT_FOUND at its RUN, and nothing runs', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN --mount=type=secret,id=token,required=true x\n' });
    await expect(world.build()).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
      at: { startLine: 2 },
      hint: expect.stringContaining('--secret id=token'),
    });
    expect(world.specs).toEqual([]);
  });

  test('an optional one that was not given is left out', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN --mount=type=secret,id=token,env=TOKEN x\n' });
    await world.build();
    expect(world.specs[0]?.mounts).toEqual([]);
    expect(world.specs[0]?.env.some((pair) => pair.startsWith('TOKEN='))).toBe(false);
  });

  test('one is a file of its owner and mode that exists only while the step runs', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN --mount=type=secret,id=token,uid=5,gid=6,mode=0440 x\nRUN y\n',
      secrets: { token: SECRET },
    });
    await world.build();
    expect(world.specs[0]?.mounts).toEqual([
      { type: 'file', target: '/run/secrets/token', bytes: Buffer.from(SECRET), mode: 0o440, uid: 5, gid: 6 },
    ]);
    expect(world.specs[1]?.mounts).toEqual([]);
  });

  test('one as a variable is in the environment and in no event, error, history or config', async () => {
    const dockerfile = 'FROM scratch\nRUN --mount=type=secret,id=token,env=TOKEN good\nRUN --mount=type=secret,id=token,env=TOKEN bad\n';
    const secrets = { token: SECRET };
    const good = fakeWorld({ dockerfile, secrets });
    const { image } = await good.build();
    expect(good.specs[0]?.env).toContain(`TOKEN=${SECRET}`);
    expect(good.specs[0]?.mounts).toEqual([]);
    const run = (command: string): RunOutcome => ({ status: { kind: 'code', code: command === 'bad' ? 1 : 0 } });
    const bad = fakeWorld({ dockerfile, secrets, run });
    const error = await bad.build().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TsbuildError);
    expect(traces(image.config, good.events, bad.events, error)).not.toContain(SECRET);
  });

  test('one as a variable replaces a variable of its name', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nENV TOKEN=public\nRUN --mount=type=secret,id=token,env=TOKEN x\n',
      secrets: { token: SECRET },
    });
    await world.build();
    expect(world.specs[0]?.env.filter((pair) => pair.startsWith('TOKEN='))).toEqual([`TOKEN=${SECRET}`]);
  });
});

describe('the environment', () => {
  const images = {
    base: {
      layers: [
        {
          'etc/passwd': 'root:x:0:0::/root:/bin/sh\nbob:x:7:8::/home/bob:/bin/sh\n',
          'etc/group': 'bob:x:8:\nwheel:x:10:bob\n',
        },
      ],
    },
  };
  const homeOf = (env: readonly string[] | undefined): readonly string[] => (env ?? []).filter((pair) => pair.startsWith('HOME='));

  test.each([
    ['root’s', '', '/root'],
    ['the user’s', 'USER bob\n', '/home/bob'],
    ['that of the account with the user’s number', 'USER 7\n', '/home/bob'],
    ['/ for a number without an account', 'USER 99\n', '/'],
    ['what ENV says', 'USER bob\nENV HOME=/mine\n', '/mine'],
  ])('HOME is %s', async (_, before, home) => {
    const world = fakeWorld({ dockerfile: `FROM base\n${before}RUN x\n`, images });
    await world.build();
    expect(homeOf(world.specs[0]?.env)).toEqual([`HOME=${home}`]);
  });

  test('a file that an earlier step changed decides about the user', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base\nRUN add\nUSER eve\nRUN x\n',
      images,
      run: (command) => ({ changes: command === 'add' ? [putDir('etc'), put('etc/passwd', 'eve:x:5:6::/home/eve:/bin/sh\n')] : [] }),
    });
    await world.build();
    expect(world.specs[1]?.user).toEqual({ uid: 5, gid: 6, groups: [6] });
  });

  test('a user who is not in the image is USER_NOT_FOUND at the RUN', async () => {
    const world = fakeWorld({ dockerfile: 'FROM base\nUSER nobody-here\nENV A=1\nRUN x\n', images });
    await expect(world.build()).rejects.toMatchObject({ code: 'USER_NOT_FOUND', at: { startLine: 4 } });
  });

  test('USER is not looked up where no RUN, COPY or WORKDIR needs it', async () => {
    const { image } = await fakeWorld({ dockerfile: 'FROM base\nUSER nobody-here:no-group\nENV A=1\n', images }).build();
    expect(image.config.config?.User).toBe('nobody-here:no-group');
  });

  test('a RUN has its user’s groups, BuildKit’s host name, and no variables but those of image, ARG and HOME', async () => {
    const world = fakeWorld({ dockerfile: 'FROM base\nUSER bob\nARG A=1\nENV E=2\nWORKDIR /w\nRUN --network=none x\n', images });
    await world.build();
    expect(world.specs[0]).toMatchObject({
      argv: ['/bin/sh', '-c', 'x'],
      cwd: '/w',
      user: { uid: 7, gid: 8, groups: [8, 10] },
      network: 'none',
      hostname: 'buildkitsandbox',
    });
    expect([...(world.specs[0]?.env ?? [])].sort()).toEqual([
      'A=1',
      'E=2',
      'HOME=/home/bob',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]);
  });

  test('the build argument BUILDKIT_SANDBOX_HOSTNAME names the host of every RUN, without an ARG', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN x\n', buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'builder-1.example' } });
    const { image } = await world.build();
    expect(world.specs[0]?.hostname).toBe('builder-1.example');
    expect(world.specs[0]?.env.join()).not.toContain('HOSTNAME');
    expect(traces(image.config)).not.toContain('builder-1');
  });

  test('proxy arguments reach the command and neither history nor config', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN x\n', buildArgs: { http_proxy: 'http://user:pass@proxy' } });
    const { image } = await world.build();
    expect(world.specs[0]?.env).toContain('http_proxy=http://user:pass@proxy');
    expect(traces(image.config)).not.toContain('proxy');
  });
});

describe('mounts', () => {
  test('a heredoc that begins with #! is a file that can be executed', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN <<EOF\n#!/bin/python\nprint(1)\nEOF\n' });
    await world.build();
    expect(world.specs[0]?.mounts).toMatchObject([{ type: 'file', mode: 0o755, uid: 0, gid: 0 }]);
    const [mount] = world.specs[0]?.mounts ?? [];
    expect(mount?.type === 'file' && Buffer.from(mount.bytes).toString()).toBe('#!/bin/python\nprint(1)\n');
  });

  test('a bind of the context shows the named part of it, its symlinks followed', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN --mount=type=bind,source=src/lib,target=/m x\n',
      context: { 'src/lib/a': 'a', 'src/other': 'o' },
    });
    await world.build();
    const [mount] = world.specs[0]?.mounts ?? [];
    if (mount?.type !== 'layers') throw new Error('no bind mount');
    expect(mount).toMatchObject({ target: '/m', path: '/src/lib', writable: false });
    expect(mount.layers.flatMap((layer) => [...layer.index.puts.keys()])).toEqual(['src', 'src/lib', 'src/lib/a']);
  });

  test('a bind of a stage shows all of its layers', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM base AS one\nCOPY f /\nFROM scratch\nRUN --mount=from=one,target=/m,rw x\n',
      context: { f: 'f' },
      images: { base: { layers: [{ b: '' }] } },
    });
    await world.build();
    const [mount] = world.specs[0]?.mounts ?? [];
    if (mount?.type !== 'layers') throw new Error('no bind mount');
    expect(mount).toMatchObject({ path: '/', writable: true });
    expect(mount.layers).toHaveLength(2);
    expect(mount.tree.list('')).toEqual(['b', 'f']);
  });

  test.each([
    ['the context', 'type=bind,source=nothing,target=/m'],
    ['stage one', 'type=bind,from=one,source=nothing,target=/m'],
  ])('a source that is not in %s is COPY_SOURCE_NOT_FOUND', async (where, mount) => {
    const world = fakeWorld({ dockerfile: `FROM scratch AS one\nENV A=1\nFROM scratch\nRUN --mount=${mount} x\n` });
    await expect(world.build()).rejects.toMatchObject({
      code: 'COPY_SOURCE_NOT_FOUND',
      message: `the mount's source "nothing" is not in ${where}`,
      at: { startLine: 4 },
    });
  });

  test('a tmpfs is open to all', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN --mount=type=tmpfs,target=/t,size=1m x\n' });
    await world.build();
    expect(world.specs[0]?.mounts).toEqual([{ type: 'tmpfs', target: '/t', sizeBytes: 1_048_576, mode: 0o1777 }]);
  });

  test('a cache is in use as long as its RUN and no longer, also when that fails', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN --mount=type=cache,target=/c good\nRUN --mount=type=cache,target=/c,ro bad\n',
      run: (command) => ({ status: { kind: 'code', code: command === 'bad' ? 1 : 0 } }),
    });
    await expect(world.build()).rejects.toThrow();
    expect(world.log.filter((line) => /cache|^run |^end /.test(line))).toEqual([
      'open cache /c',
      'run good',
      'end good',
      'close cache /c',
      'open cache /c',
      'run bad',
      'end bad',
      'close cache /c',
    ]);
    expect(world.specs.map(({ mounts }) => mounts)).toEqual([
      [{ type: 'folder', target: '/c', hostPath: '/caches//c', readonly: false }],
      [{ type: 'folder', target: '/c', hostPath: '/caches//c', readonly: true }],
    ]);
  });

  test('a cache that a RUN mounts twice is opened once, as the stricter of the two', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN --mount=type=cache,id=x,target=/a --mount=type=cache,id=x,target=/b,sharing=locked x\n',
    });
    await world.build();
    expect(world.cacheRequests.map(({ id, sharing }) => [id, sharing])).toEqual([['x', 'locked']]);
    expect(world.specs[0]?.mounts.map(({ target }) => target)).toEqual(['/a', '/b']);
  });

  test('caches are opened in the same order by all steps, so that no two wait for each other', async () => {
    const mount = (id: string): string => `--mount=type=cache,id=${id},target=/${id},sharing=locked`;
    const world = fakeWorld({ dockerfile: `FROM scratch\nRUN ${mount('a')} ${mount('b')} x\nRUN ${mount('b')} ${mount('a')} y\n` });
    await world.build();
    const ids = world.cacheRequests.map(({ id }) => id);
    expect(ids.slice(0, 2)).toEqual(ids.slice(2));
    expect(world.specs[1]?.mounts.map(({ target }) => target)).toEqual(['/b', '/a']);
  });

  test('caches opened before a mount that fails are given back', async () => {
    const world = fakeWorld({
      dockerfile:
        'FROM scratch AS one\nENV A=1\nFROM scratch\nRUN --mount=type=cache,target=/c --mount=type=bind,from=one,source=nothing,target=/m x\n',
    });
    await expect(world.build()).rejects.toMatchObject({ code: 'COPY_SOURCE_NOT_FOUND' });
    expect(world.log.filter((line) => line.includes('cache'))).toEqual(['open cache /c', 'close cache /c']);
  });
});

describe('--ignore-path', () => {
  test('what a RUN changed at and below the path is not in its layer; names that only begin alike are', async () => {
    const world = fakeWorld({
      dockerfile: 'FROM scratch\nRUN x\n',
      ignorePaths: ['/var/cache/', '/gone'],
      run: () => ({
        changes: [
          { kind: 'remove', path: 'gone' },
          putDir('var'),
          putDir('var/cache'),
          put('var/cache/a'),
          put('var/cached'),
          put('var/z'),
        ],
      }),
    });
    const { image } = await world.build();
    expect(image.layers.map(world.paths)).toEqual([['var', 'var/cached', 'var/z']]);
  });

  test('a COPY is not affected', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nCOPY f /var/f\n', context: { f: '' }, ignorePaths: ['/var'] });
    const { image } = await world.build();
    expect(image.layers.flatMap(world.paths)).toContain('var/f');
  });

  test('/ leaves nothing', async () => {
    const world = fakeWorld({ dockerfile: 'FROM scratch\nRUN x\n', ignorePaths: ['/'], run: () => ({ changes: [put('a')] }) });
    const { image } = await world.build();
    expect(image.layers.map(world.paths)).toEqual([[]]);
  });

  test('a file outside that shares its content with an ignored one keeps it', async () => {
    const linked = (path: string): LayerEntry => ({ kind: 'put', path, meta: put('a/f').meta, node: { type: 'hardlink', target: 'a/f' } });
    const world = fakeWorld({
      dockerfile: 'FROM scratch AS one\nRUN x\nFROM scratch\nCOPY --from=one /b /c /\n',
      ignorePaths: ['/a'],
      run: () => ({ changes: [putDir('a'), put('a/f', 'text'), linked('b'), linked('c')] }),
    });
    const { image } = await world.build();
    expect(image.layers.flatMap(world.paths)).toEqual(['b', 'c']);
  });
});

describe('a command that fails', () => {
  const failing = (status: RunOutcome['status']) =>
    fakeWorld({ dockerfile: 'FROM scratch\nRUN one \\\n  two\n', run: () => (status === undefined ? undefined : { status }) })
      .build()
      .catch((reason: unknown) => reason as TsbuildError);

  test.each([
    [1, undefined],
    [126, /chmod \+x/],
    [127, /PATH/],
    [137, /memory/],
  ])('is told with its exit code %i', async (code, hint) => {
    const error = await failing({ kind: 'code', code });
    expect(error).toMatchObject({ code: 'RUN_FAILED', at: { startLine: 2, endLine: 3 } });
    expect((error as TsbuildError).message).toMatch(new RegExp(`"/bin/sh -c one +two" failed: exit code ${code}$`));
    if (hint === undefined) expect((error as TsbuildError).hint).toBeUndefined();
    else expect((error as TsbuildError).hint).toMatch(hint);
  });

  test('is told with the signal that killed it', async () => {
    expect(await failing({ kind: 'signal', signal: 'SIGSEGV' })).toMatchObject({
      message: expect.stringMatching(/killed by SIGSEGV$/),
      hint: undefined,
    });
    expect(await failing({ kind: 'signal', signal: 'SIGKILL' })).toMatchObject({ hint: expect.stringMatching(/memory/) });
  });

  test('is told with the disk that is full when it has ended', async () => {
    const full = (code: number) =>
      fakeWorld({
        dockerfile: 'FROM scratch\nRUN one\n',
        run: () => ({ status: { kind: 'code', code } }),
        ports: { fullDisk: () => '/cache/work' },
      })
        .build()
        .catch((reason: unknown) => reason as TsbuildError);
    const hint = 'the disk of /cache/work is full: free disk space, or choose another folder with --cache-dir';
    expect(await full(1)).toMatchObject({ code: 'RUN_FAILED', hint });
    expect(await full(137)).toMatchObject({ hint });
  });

  test('that is long is cut, and stays on one line', async () => {
    const world = fakeWorld({
      dockerfile: `FROM scratch\nRUN <<EOF\necho 1\necho ${'x'.repeat(500)}\nEOF\n`,
      run: () => ({ status: { kind: 'code', code: 3 } }),
    });
    const { message } = (await world.build().catch((reason: unknown) => reason)) as TsbuildError;
    expect(message).not.toContain('\n');
    expect(message).toContain('echo 1 ⏎ echo xxx');
    expect(message.length).toBeLessThan(300);
  });
});
