/** The proot rung for root's test run: its contract as an ordinary user without any capability, under no_new_privs. */
import { spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeUnless } from '../helpers/describe-unless.ts';
import { testProot } from '../helpers/proot.ts';
import { missing } from '../helpers/tools.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
/** nobody: vitest needs a user with a name. */
const UID = 65534;
const lacking = missing(['root', 'busybox', 'setpriv']) ?? (testProot() === undefined ? 'needs proot 5.4 (.ci/fetch-proot)' : undefined);

describeUnless(lacking, 'proot', () => {
  let temporary: string;
  beforeAll(() => {
    temporary = mkdtempSync(join(tmpdir(), 'tsbuild-proot-'));
    chownSync(temporary, UID, UID);
  });
  afterAll(() => rmSync(temporary, { recursive: true, force: true }));

  test('passes the contract for a user without any rights', () => {
    const identity = [`--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all'];
    const variables = [
      'PATH=/usr/bin:/bin',
      `HOME=${temporary}`,
      `TMPDIR=${temporary}`,
      'LANG=C.UTF-8',
      `TSBUILD_TEST_PROOT=${testProot()}`,
    ];
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--configLoader', 'runner', '--config', 'test/config/vitest.config.ts'];
    const args = [...identity, '--', 'env', '-i', ...variables, process.execPath, ...vitest];
    const files = ['--project', 'unit', 'test/contract/backend-proot.test.ts'];
    const { stdout, stderr, status } = spawnSync('setpriv', [...args, ...files], { cwd: repository, encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/Tests.*passed/);
    expect(stdout).not.toMatch(/needs (proot|an ordinary user)/);
  });
});
