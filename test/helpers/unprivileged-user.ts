/**
 * An ordinary user with ranges in /etc/subuid and /etc/subgid, for what must work without root. Uses a user that is there; makes
 * none, because tests leave the machine's accounts alone (.ci/run makes one).
 */
import { readFileSync } from 'node:fs';
import { findProgram } from './tools.ts';

export interface UnprivilegedUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

function linesOf(file: string): readonly string[][] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(':'))
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}

function ranged(file: string): ReadonlySet<string> {
  return new Set(
    linesOf(file)
      .filter((fields) => Number(fields[2]) >= 65_536)
      .map((fields) => fields[0] ?? ''),
  );
}

/** The first such user, or why there is none. Only root may act for another user. */
export function unprivilegedUser(): UnprivilegedUser | string {
  if (process.getuid?.() !== 0) return 'needs root, to act for an ordinary user';
  for (const program of ['setpriv', 'newuidmap', 'newgidmap']) if (findProgram(program) === undefined) return `needs ${program}`;
  const uids = ranged('/etc/subuid');
  const gids = ranged('/etc/subgid');
  for (const [name = '', , uid, gid, , home = '/'] of linesOf('/etc/passwd')) {
    const both = [uids, gids].every((set) => set.has(name) || set.has(uid ?? ''));
    if (both && Number(uid) >= 1000) return { name, uid: Number(uid), gid: Number(gid), home };
  }
  return 'needs an ordinary user with 65,536 ids in /etc/subuid and /etc/subgid';
}

/** A command line that runs `argv` as that user, with no capability left and only this environment. */
export function asUser(user: UnprivilegedUser, argv: readonly string[], env: Readonly<Record<string, string>> = {}): readonly string[] {
  const variables = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: user.home, USER: user.name, LANG: 'C.UTF-8', ...env };
  const assignments = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  const identity = [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all'];
  return ['setpriv', ...identity, 'env', '-i', ...assignments, ...argv];
}
