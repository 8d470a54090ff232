/**
 * Names of users and groups in an image, from its /etc/passwd and /etc/group: for --chown, USER and WORKDIR.
 * Reference: Docker's --chown and runc's libcontainer/user. An unknown --chown name is an error here, where BuildKit takes 0:0.
 */
import { TsbuildError } from '../errors.ts';
import { nearestNames } from '../words/nearest.ts';
import type { Owner } from './copy.ts';

/** Bytes of a file of the image, symlinks followed; undefined when it has none. */
export type ReadFile = (path: string) => Uint8Array | undefined;

export interface ResolvedUser extends Owner {
  /** Supplementary groups, ascending, without duplicates; `gid` is always one of them, as containerd and BuildKit have it. */
  readonly groups: readonly number[];
  /** Absolute. */
  readonly home: string;
}

interface PasswdEntry extends Owner {
  readonly name: string;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const PASSWD = '/etc/passwd';
const GROUP = '/etc/group';
/** The kernel keeps 4294967295 for "no change"; runc stops at the signed range. */
const LARGEST_ID = 2 ** 32 - 2;

/** `--chown`: `user`, `user:group` or `:group`; names or numbers. A number alone is uid and gid alike. Throws USER_NOT_FOUND. */
export function resolveOwner(spec: string, readFile: ReadFile): Owner {
  const { user, group } = split(spec);
  const id = numberOf(user, spec);
  const account = user === '' ? { uid: 0, gid: 0 } : id === null ? requireUser(user, readFile) : { uid: id, gid: id };
  return { uid: account.uid, gid: group === null ? account.gid : groupId(group, spec, readFile) };
}

/**
 * The owner of folders that WORKDIR makes for `USER`: the rules of --chown, but a name that the image does not know counts
 * as 0, as in BuildKit, and is told in `unknown`: the folder may be there already, and a later stage may bring the account.
 */
export function folderOwner(spec: string, readFile: ReadFile): Owner & { readonly unknown: readonly string[] } {
  const { user, group } = split(spec);
  const unknown: string[] = [];
  const id = numberOf(user, spec);
  const account = id === null ? passwd(readFile)?.find((entry) => entry.name === user) : { uid: id, gid: id };
  if (account === undefined && user !== '' && user !== 'root') unknown.push(`the user "${user}" is not in ${PASSWD}`);
  const { uid, gid } = account ?? { uid: 0, gid: 0 };
  if (group === null) return { uid, gid, unknown };
  const found = numberOf(group, spec) ?? groups(readFile)?.find((entry) => entry.name === group)?.gid ?? (group === 'root' ? 0 : undefined);
  if (found === undefined) unknown.push(`the group "${group}" is not in ${GROUP}`);
  return { uid, gid: found ?? gid, unknown };
}

/** `USER`: as for --chown, but a number is looked up too, and '' is root. Throws USER_NOT_FOUND. */
export function resolveUser(spec: string, readFile: ReadFile): ResolvedUser {
  const { user, group } = split(spec);
  // `5:6` asks for no look-up of its groups; the home folder is still that of an account with this number.
  const id = numberOf(user, spec);
  const account = user === '' ? userById(0, readFile) : id === null ? requireUser(user, readFile) : userById(id, readFile);
  const uid = id ?? account?.uid ?? 0;
  const home = account?.home ?? '/';
  const gid = group === null ? (account?.gid ?? 0) : groupId(group, spec, readFile);
  const member = group !== null || account === undefined ? [] : groupsOf(account.name, readFile);
  return { uid, gid, groups: [...new Set([gid, ...member])].sort((a, b) => a - b), home };
}

/** `group` null: no colon, or nothing behind it. */
function split(spec: string): { user: string; group: string | null } {
  const colon = spec.indexOf(':');
  if (colon < 0) return { user: spec, group: null };
  const group = spec.slice(colon + 1);
  return { user: spec.slice(0, colon), group: group === '' ? null : group };
}

function numberOf(text: string, spec: string): number | null {
  if (!/^[0-9]+$/.test(text)) return null;
  const id = Number(text);
  if (id <= LARGEST_ID) return id;
  throw new TsbuildError('USER_NOT_FOUND', `"${spec}": ${text} is larger than any user or group number`);
}

function groupId(group: string, spec: string, readFile: ReadFile): number {
  return numberOf(group, spec) ?? requireGroup(group, readFile);
}

function userById(uid: number, readFile: ReadFile): PasswdEntry | undefined {
  return passwd(readFile)?.find((entry) => entry.uid === uid);
}

function requireUser(name: string, readFile: ReadFile): PasswdEntry {
  const entries = passwd(readFile);
  // A number needs no file, and neither does the one name whose meaning the kernel fixes.
  if (entries === undefined && name === 'root') return { name: 'root', uid: 0, gid: 0, home: '/root' };
  return entries?.find((entry) => entry.name === name) ?? notFound('user', name, PASSWD, entries);
}

function requireGroup(name: string, readFile: ReadFile): number {
  const entries = groups(readFile);
  if (entries === undefined && name === 'root') return 0;
  return (entries?.find((entry) => entry.name === name) ?? notFound('group', name, GROUP, entries)).gid;
}

function notFound(kind: 'user' | 'group', name: string, file: string, entries: readonly { name: string }[] | undefined): never {
  if (entries === undefined) {
    throw new TsbuildError('USER_NOT_FOUND', `the ${kind} "${name}" cannot be looked up: the image has no ${file}`, {
      hint: 'use numbers, like 1000:1000, in images without user accounts',
    });
  }
  const near = nearestNames(
    name,
    entries.map((entry) => entry.name),
  );
  throw new TsbuildError('USER_NOT_FOUND', `the ${kind} "${name}" is not in ${file} of the image`, {
    hint: near.length > 0 ? `did you mean ${near.join(' or ')}?` : `add the ${kind} in an earlier RUN, or use its number`,
  });
}

function passwd(readFile: ReadFile): PasswdEntry[] | undefined {
  return lines(readFile(PASSWD))?.flatMap(([name, , uid, gid, , home]) => {
    const ids = [idOf(uid), idOf(gid)];
    const [u, g] = ids;
    return name === undefined || name === '' || u == null || g == null ? [] : [{ name, uid: u, gid: g, home: home || '/' }];
  });
}

function groups(readFile: ReadFile): GroupEntry[] | undefined {
  return lines(readFile(GROUP))?.flatMap(([name, , gid, members]) => {
    const id = idOf(gid);
    return name === undefined || name === '' || id === null
      ? []
      : [{ name, gid: id, members: (members ?? '').split(',').map((m) => m.trim()) }];
  });
}

function groupsOf(user: string, readFile: ReadFile): number[] {
  return (groups(readFile) ?? []).filter((group) => group.members.includes(user)).map((group) => group.gid);
}

/** Lines that are broken are passed over, as libc does: one bad line must not lock out all users. */
function lines(bytes: Uint8Array | undefined): string[][] | undefined {
  if (bytes === undefined) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return text.split('\n').flatMap((line) => {
    const trimmed = line.trim();
    return trimmed === '' || trimmed.startsWith('#') ? [] : [trimmed.split(':')];
  });
}

function idOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]+$/.test(text) && Number(text) <= LARGEST_ID ? Number(text) : null;
}
