/** Which ids of this machine an ordinary user may use inside a user namespace. Format: subuid(5); getsubids(1) for other sources. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { findProgram } from './programs.ts';

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/** `name`: undefined for a uid that has none. In the order of the file; empty: no ids are given to this user. */
export function subordinateIds(kind: 'uid' | 'gid', user: { readonly name: string | undefined; readonly uid: number }): IdRange[] {
  const file = `/etc/sub${kind}`;
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const own = parseSubIds(text, [...(user.name === undefined ? [] : [user.name]), String(user.uid)]);
  return own.length > 0 || user.name === undefined ? own : fromGetsubids(kind, user.name);
}

/** Lines `owner:start:count`; others are none of our business. */
export function parseSubIds(text: string, owners: readonly string[]): IdRange[] {
  return text.split('\n').flatMap((line) => {
    const [owner = '', start = '', count = ''] = line.trim().split(':');
    return owners.includes(owner) && /^\d+$/.test(start) && /^\d+$/.test(count) ? [{ start: Number(start), count: Number(count) }] : [];
  });
}

/** shadow's own look-up, which also asks what nsswitch.conf names (LDAP). It prints `0: name start count`. */
function fromGetsubids(kind: 'uid' | 'gid', name: string): IdRange[] {
  const program = findProgram('getsubids');
  if (program === undefined) return [];
  let text: string;
  try {
    text = execFileSync(program, kind === 'gid' ? ['-g', name] : [name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    // Its way to say that there are none.
    return [];
  }
  return [...text.matchAll(/^\d+: \S+ (\d+) (\d+)$/gm)].map(([, start, count]) => ({ start: Number(start), count: Number(count) }));
}

/** Arguments of newuidmap(1) after the pid: root inside is the user, the ids from 1 on are the given ranges, one after the other. */
export function idMap(own: number, ranges: readonly IdRange[]): string[] {
  const map = [0, own, 1];
  let inside = 1;
  for (const { start, count } of ranges) {
    map.push(inside, start, count);
    inside += count;
  }
  return map.map(String);
}
