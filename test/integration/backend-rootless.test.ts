/** The namespaces rung for an ordinary user: the whole contract inside a user namespace, and the way into it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundle, bundleFolder } from '../contract/backend-bundle.ts';
import { processesWith } from '../contract/backend-fixture.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';
import { asUser, type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const ordinary = unprivilegedUser();
const lacking =
  missing(['busybox', 'unshare', 'setpriv', 'newuidmap', 'newgidmap']) ?? (typeof ordinary === 'string' ? ordinary : undefined);

describeUnless(lacking, 'namespaces for an ordinary user', () => {
  const user = ordinary as UnprivilegedUser;
  let dist: string;
  let temporary: string;
  let reexec: string;

  beforeAll(() => {
    dist = bundleFolder();
    chmodSync(dist, 0o755);
    reexec = bundle(dist, new URL('../contract/backend-reexec.ts', import.meta.url), 'reexec.mjs');
    temporary = mkdtempSync(join(tmpdir(), 'tsbuild-rootless-'));
    chownSync(temporary, user.uid, user.gid);
  });
  afterAll(() => {
    for (const folder of [dist, temporary]) rmSync(folder, { recursive: true, force: true });
  });

  /** The command line that runs a script inside the user namespace. */
  const inside = (...args: string[]): [string, string[]] => {
    const [program = '', ...rest] = asUser(user, [process.execPath, reexec, ...args], { TMPDIR: temporary });
    return [program, rest];
  };
  const script = (text: string): string => {
    const path = join(temporary, `script${Math.random()}.mjs`);
    writeFileSync(path, text);
    return path;
  };
  const start = (text: string): ChildProcess => spawn(...inside(script(text)), { stdio: ['ignore', 'pipe', 'inherit'] });
  const firstLine = (child: ChildProcess): Promise<string> =>
    new Promise((resolve) => void child.stdout?.once('data', (chunk) => resolve(String(chunk).trim())));
  const exit = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => void child.once('exit', resolve));

  test('pass the whole contract', () => {
    const vitest = join(repository, 'node_modules/vitest/vitest.mjs');
    const args = [
      'run',
      '--configLoader',
      'runner',
      '--config',
      'test/config/vitest.config.ts',
      '--project',
      'unit',
      'test/contract/backend-namespaces.test.ts',
    ];
    const { stdout, stderr, status } = spawnSync(...inside(vitest, ...args), { cwd: repository, encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/Tests.*passed/);
    expect(stdout).not.toMatch(/needs root/);
  });

  test("map root to the user, and the ids after it to the user's ranges", () => {
    const text = "import fs from 'node:fs'; console.log(process.getuid(), process.getgid(), fs.readFileSync('/proc/self/uid_map', 'utf8'))";
    const { stdout } = spawnSync(...inside(script(text)), { encoding: 'utf8' });
    const [own, ...ranges] = stdout
      .replace(/^0 0/, '')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number));
    expect(own).toEqual([0, user.uid, 1]);
    expect(ranges[0]?.[0]).toBe(1);
    expect(ranges[0]?.[2]).toBeGreaterThanOrEqual(65_536);
  });

  test('hand on streams, arguments and the exit code', () => {
    const text =
      "process.stdin.pipe(process.stdout); process.stdin.on('end', () => { console.error(process.argv[2]); process.exitCode = 7; })";
    const { stdout, stderr, status } = spawnSync(...inside(script(text), 'an argument'), { encoding: 'utf8', input: 'given' });
    expect([stdout, stderr, status]).toEqual(['given', 'an argument\n', 7]);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)('hand on %s and end as the inner process ends', async (signal) => {
    const child = start(`process.on('${signal}', () => process.exit(5)); setInterval(() => {}, 1000); console.log('ready');`);
    const ended = exit(child);
    await firstLine(child);
    child.kill(signal);
    expect(await ended).toBe(5);
  });

  test('leave no process when the outer one is killed', async () => {
    const child = start("setInterval(() => {}, 1000); console.log('ready'); // outlives nobody");
    await firstLine(child);
    const mark = temporary;
    expect(processesWith(mark).length).toBeGreaterThan(0);
    child.kill('SIGKILL');
    await expect.poll(() => processesWith(mark)).toEqual([]);
  });

  test('say what is missing where no ids are given', () => {
    // Another uid without a name: nothing in /etc/subuid is for it.
    const [program, args] = inside(script(''));
    const other = args.map((arg) => arg.replace(/^--reuid=.*/, '--reuid=54321').replace('--init-groups', '--clear-groups'));
    const { stderr, status } = spawnSync(program, other, { encoding: 'utf8' });
    expect(status).toBe(99);
    expect(stderr).toContain('no ids are given to user 54321 in /etc/subuid; as root: usermod --add-subuids');
  });

  test('say what is missing where user namespaces are forbidden', async () => {
    const [program, args] = inside(script(''));
    // A limit of a user namespace made for this test; the machine's own setting stays as it is.
    const forbid = 'read -r _ && exec sh -c \'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"\' sh "$@"';
    const child = spawn('unshare', ['--user', 'sh', '-c', forbid, 'sh', program, ...args], { stdio: ['pipe', 'inherit', 'pipe'] });
    const ended = exit(child);
    const said: string[] = [];
    child.stderr.on('data', (chunk) => said.push(String(chunk)));
    while (readFileSync(`/proc/${child.pid}/uid_map`, 'utf8') !== '') await setTimeout(10);
    for (const kind of ['uid', 'gid']) writeFileSync(`/proc/${child.pid}/${kind}_map`, '0 0 4294967295');
    child.stdin.end('go\n');
    expect(await ended).toBe(99);
    expect(said.join('')).toContain('max_user_namespaces is 0');
  });
});
