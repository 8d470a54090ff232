/** `tsbuild doctor` on this machine, as root and as an ordinary user; rungs.test.ts asks it in containers. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DoctorFacts } from '../../src/report/doctor-facts.ts';
import { execute, removeCache, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { asUser, type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

const ordinary = unprivilegedUser();
const people: readonly { readonly title: string; readonly user: UnprivilegedUser | undefined; readonly reason: string | undefined }[] = [
  { title: process.getuid?.() === 0 ? 'root' : 'this user', user: undefined, reason: undefined },
  {
    title: 'an ordinary user',
    user: typeof ordinary === 'string' ? undefined : ordinary,
    reason: typeof ordinary === 'string' ? ordinary : undefined,
  },
];

for (const { title, user, reason } of people) {
  describeUnless(reason, `doctor for ${title}`, () => {
    let cache: string;
    beforeEach(() => {
      cache = scratchFolder('doctor', user);
    });
    afterEach(() => removeCache(cache));
    const doctor = (...flags: string[]) => {
      const argv = [process.execPath, TSBUILD, 'doctor', '--cache-dir', cache, ...flags];
      return execute(user === undefined ? argv : asUser(user, argv));
    };
    const isRoot = user === undefined && process.getuid?.() === 0;

    test('says what a build would take, and leaves nothing behind', async () => {
      const { code, stdout, log } = await doctor('--json');
      expect(code, log).toBe(0);
      const facts = JSON.parse(stdout) as DoctorFacts;
      expect(facts).toMatchObject({ isolation: 'namespaces', cacheFault: null });
      expect(facts.rungs.map(({ name }) => name)).toEqual(['namespaces', 'in-place', 'chroot', 'proot']);
      expect(facts.storage.find(({ use }) => use === 'work')).toMatchObject({ folder: join(cache, 'work'), overlay: { works: true } });
      expect(facts.system.node).toBe(process.version);
      expect(facts.system.userNamespace === null).toBe(isRoot);
      expect(readdirSync(join(cache, 'work'))).toEqual([]);
    });

    test('tells people the same on stdout, and nothing on stderr', async () => {
      const { code, stdout, log } = await doctor();
      expect(code, log).toBe(0);
      expect(stdout).toBe(log);
      expect(stdout).toContain('ok namespaces    works; a build takes this one\n');
    });

    test('fails where the cache folder cannot be used, and says why', async () => {
      const { code, stdout } = await doctor('--cache-dir', '/proc/tsbuild');
      expect(code).toBe(1);
      expect(stdout).toContain('cannot use /proc/tsbuild as the cache folder');
      expect(existsSync('/proc/tsbuild')).toBe(false);
    });
  });
}
