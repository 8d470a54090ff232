import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandWorld, ExitKind, RunBuild } from '../../../src/cli/command-world.ts';
import { writeAfterPublishing } from '../../../src/cli/result-files.ts';
import { runCommand } from '../../../src/cli/run-command.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { digestOf } from '../../../src/image/digest.ts';
import { parseReference } from '../../../src/image/reference.ts';
import { writeDigestFiles } from '../../../src/output/digest-files.ts';

let cwd: string;
const digest = digestOf('image');

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'tsbuild-run-'));
  writeFileSync(join(cwd, 'Dockerfile'), 'FROM scratch\nRUN x\n');
});
afterEach(() => rmSync(cwd, { recursive: true }));

async function run(
  argv: readonly string[],
  runBuild: RunBuild,
  signal = new AbortController().signal,
  runElsewhere: CommandWorld['runElsewhere'] = async () => null,
): Promise<{ exit: ExitKind | number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const world: CommandWorld = {
    env: {},
    cwd,
    stdout: 'pipe',
    stderr: 'pipe',
    signal,
    columns: 80,
    report: {
      write: (text) => {
        err += text;
      },
      size: () => null,
      now: () => new Date(0),
      clock: () => 0,
      readSource: (file) => ({ file, lines: readFileSync(join(cwd, file), 'utf8').split('\n') }),
    },
    writeResult: (text) => {
      out += text;
    },
    runElsewhere,
    runBuild,
    openCache: () => Promise.reject(new Error('must not be called')),
    runWarm: () => Promise.reject(new Error('nothing is fetched here')),
    examine: () => Promise.reject(new Error('must not be called')),
  };
  const exit = await runCommand(['--context=.', ...argv], world);
  return { exit, out, err };
}

const never: RunBuild = () => Promise.reject(new Error('must not be called'));

test('a built image is one line per place on stdout, and nothing else is', async () => {
  const { exit, out, err } = await run(['-d', 'a.example/b:1', '-d', 'a.example/c:1'], async (options, { report }) => {
    report({ type: 'plan', stages: 1, steps: 0 });
    return { published: options.output.destinations.map((where) => ({ where, digest })), unwritten: null };
  });
  expect([exit, out]).toEqual(['built', `a.example/b:1@${digest}\na.example/c:1@${digest}\n`]);
  expect(err).toContain('Built in 0.0 s');
});

test('a build that goes nowhere tells its digest', async () => {
  const { out } = await run(['--no-push'], async () => ({ published: [{ where: '', digest }], unwritten: null }));
  expect(out).toBe(`${digest}\n`);
});

test('an image that went into a file only tells its digest', async () => {
  const { out } = await run(['-d', 'a.example/b:1', '--tar-path=x'], async () => ({
    published: [{ where: join(cwd, 'x'), digest }],
    unwritten: null,
  }));
  expect(out).toBe(`${digest}\n`);
});

test('an image that was pushed is told on stdout although a result file could not be written', async () => {
  const { exit, out, err } = await run(['-d', 'a.example/b:1', '--digest-file=x'], async (options) => {
    mkdirSync(join(cwd, 'x'));
    const published = [{ where: 'a.example/b:1', digest }];
    const write = () => writeDigestFiles(options.resultFiles, digest, options.output.destinations.map(parseReference));
    return { published, unwritten: await writeAfterPublishing(options.output, write) };
  });
  expect([exit, out]).toEqual(['failed', `a.example/b:1@${digest}\n`]);
  expect(err).toContain(`error: the image was pushed, but a result file was not written: cannot write ${join(cwd, 'x')}`);
});

test.each([
  ['tty', 1],
  ['plain', 0],
] as const)('--progress %s without a terminal warns %i times', async (progress, times) => {
  const { err } = await run(['--no-push', '--progress', progress], async () => ({ published: [{ where: '', digest }], unwritten: null }));
  expect(err.split('warning: --progress tty needs a terminal on stderr: plain is used\n')).toHaveLength(times + 1);
});

test('when another process did the build, its exit code is ours and nothing is told twice', async () => {
  const elsewhere = async (): Promise<number> => 7;
  expect(await run(['--no-push'], never, undefined, elsewhere)).toEqual({ exit: 7, out: '', err: '' });
});

test('a failed build tells the place in the Dockerfile and leaves stdout empty', async () => {
  const at = { file: 'Dockerfile', startLine: 2, endLine: 2 };
  const { exit, out, err } = await run(['--no-push'], () =>
    Promise.reject(new TsbuildError('RUN_FAILED', 'the command ended with 3', { at, hint: 'look at it' })),
  );
  expect([exit, out]).toEqual(['failed', '']);
  expect(err).toBe(
    'error: the command ended with 3\n  --> Dockerfile:2\n    1 | FROM scratch\n  > 2 | RUN x\n    3 |\n  hint: look at it\n',
  );
});

test.each([['--log-format=json'], ['--progress', 'json']])('a wrong command line that asks for JSON by %s gets it', async (...asks) => {
  const { exit, err } = await run([...asks, '--oops', '--insecure=2'], never);
  expect(exit).toBe('usage');
  const lines = err.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ level: 'error', event: 'failed', code: 'USAGE', msg: 'unknown flag --oops' }),
    expect.objectContaining({ event: 'failed', msg: '--insecure is true or false, not "2"' }),
    expect.objectContaining({ event: 'failed', msg: 'there is no --destination' }),
  ]);
});

test('a wrong command line is told whole, before anything is built', async () => {
  const { exit, out, err } = await run(['--oops', '--insecure=2'], never);
  expect([exit, out]).toEqual(['usage', '']);
  expect(err).toContain('error: unknown flag --oops\n');
  expect(err).toContain('error: there is no --destination\n');
  expect(err).toContain('3 errors\n');
});

test('an interrupted build says so and is neither built nor failed', async () => {
  const abort = new AbortController();
  const { exit, out, err } = await run(
    ['--no-push'],
    async (_, { signal }) => {
      abort.abort();
      signal.throwIfAborted();
      return { published: [], unwritten: null };
    },
    abort.signal,
  );
  expect([exit, out, err]).toEqual(['cancelled', '', 'cancelled\n']);
});

test('a bug is called one', async () => {
  const { exit, err } = await run(['--no-push'], () => Promise.reject(new TypeError('x is undefined')));
  expect(exit).toBe('failed');
  expect(err).toContain('error: this is a bug in tsbuild: x is undefined\n  hint: please report it');
});

test('proot is used by this process, whatever another one may do', async () => {
  const elsewhere = async (): Promise<number> => 7;
  const here: RunBuild = async () => ({ published: [{ where: 'h/n:t', digest }], unwritten: null });
  expect((await run(['-d', 'h/n:t', '--isolation=proot'], here, undefined, elsewhere)).exit).toBe('built');
});

test('a wrong command line is told here, not by another process', async () => {
  expect((await run(['--oops'], never, undefined, () => Promise.reject(new Error('must not be called')))).exit).toBe('usage');
});

test('help and version go to stdout', async () => {
  const help = await run(['--help'], never);
  expect([help.exit, help.err, help.out.split('\n')[0]]).toEqual(['told', '', 'Usage: tsbuild [flags]']);
  const version = await run(['--version', '--no-push'], never);
  expect(version).toEqual({ exit: 'told', err: '', out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
});

test('a faulty command line and a faulty Dockerfile are told together, with the lines of the file', async () => {
  writeFileSync(join(cwd, 'Dockerfile'), 'FROM scratch\nCOYP a b\nUSER\n');
  const { exit, err } = await run(['--no-push', '--taget=x'], never);
  expect(exit).toBe('usage');
  expect(err).toContain('unknown flag --taget');
  expect(err).toContain('unknown instruction COYP\n  --> Dockerfile:2:1');
  expect(err).toContain('> 3 | USER');
  expect(err).toContain('3 errors');
});
