/**
 * The URL of a git repository with what it says about the commit and the folder to take: `#ref:subdir`, or a query. Pure:
 * whether the ref exists is known when the repository is asked. Reference: BuildKit util/gitutil and
 * frontend/dockerfile/dfgitutil.
 */
import { semanticError } from './faults.ts';

/** A repository at one commit. */
export interface GitSource {
  /** As git takes it, without fragment and query. May hold credentials. */
  readonly remote: string;
  readonly at:
    | { readonly kind: 'default-branch' }
    /** A branch, a tag, or a whole name (`refs/...`). */
    | { readonly kind: 'ref'; readonly name: string }
    /** A commit's hash; short only when the URL says `commit=`. */
    | { readonly kind: 'commit'; readonly hash: string };
  /** Beginning of the hash that the commit (or the annotated tag) must have, lower case. */
  readonly checksum: string | null;
  /** Clean, relative to the repository's root; '' is the root. */
  readonly subdir: string;
  readonly gitDir: 'keep' | 'drop';
  readonly submodules: 'fetch' | 'skip';
}

/** What ADD's flags say; null: nothing. */
export interface GitFlags {
  readonly keepGitDir: boolean | null;
  readonly checksum: string | null;
}

const FULL_HASH = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
/** `user@host:path`. BuildKit takes one without a user, too; here that is a path, since files may have such names. */
const SCP_STYLE = /^[\w-]+@[\w.-]+:/;

/** An http(s) URL is a repository when its path ends in `.git`. */
export function isGitUrl(text: string): boolean {
  if (/^(?:git|ssh):\/\//i.test(text) || SCP_STYLE.test(text)) return true;
  if (!/^https?:\/\//i.test(text)) return false;
  const path = cut(cut(text, '#').before, '?').before.replace(/^[^/]*\/\/[^/]*/, '');
  return (decoded(path) ?? '').endsWith('.git');
}

/** `text`: one that isGitUrl accepts. Throws DOCKERFILE_SEMANTICS. */
export function parseGitUrl(text: string, flags: GitFlags): GitSource {
  const { before: address, after: fragment } = cut(text, '#');
  const { before: remote, after: query } = cut(address, '?');
  checkRemote(remote);
  const ref = decoded(cut(fragment, ':').before);
  const subdir = decoded(cut(fragment, ':').after);
  if (ref === null || subdir === null) throw semanticError('the fragment of a git URL has a malformed % escape');
  const asked = readQuery(new URLSearchParams(query));
  const checksum = oneOf('checksum', flags.checksum, asked.checksum);
  if (checksum !== null && !/^[0-9a-f]+$/i.test(checksum)) {
    throw semanticError(`"${checksum}" is not the checksum of a git repository`, 'it is the hash of a commit, or its beginning');
  }
  const at = placeOf(oneOf('ref', ref || null, refOf(asked)), asked.checksum?.toLowerCase() ?? null);
  if (at.kind === 'commit' && checksum !== null && !at.hash.startsWith(checksum.toLowerCase())) {
    throw semanticError(`the URL asks for commit ${at.hash}, which the checksum ${checksum} is not`);
  }
  return {
    remote,
    at,
    checksum: checksum?.toLowerCase() ?? null,
    subdir: cleanSubdir(oneOf('subdir', subdir || null, asked.subdir) ?? ''),
    gitDir: oneOf('keep-git-dir', flags.keepGitDir, asked.keepGitDir) === true ? 'keep' : 'drop',
    submodules: asked.submodules === false ? 'skip' : 'fetch',
  };
}

interface Query {
  readonly ref: string | null;
  readonly tag: string | null;
  readonly branch: string | null;
  readonly checksum: string | null;
  readonly subdir: string | null;
  readonly keepGitDir: boolean | null;
  readonly submodules: boolean | null;
}

const QUERY_KEYS = ['ref', 'tag', 'branch', 'commit', 'checksum', 'subdir', 'keep-git-dir', 'submodules'];

function readQuery(query: URLSearchParams): Query {
  const values = new Map<string, string>();
  for (const [key, value] of query) {
    if (!QUERY_KEYS.includes(key)) {
      throw semanticError(`the query of a git URL has the unknown key "${key}"`, `there are ${QUERY_KEYS.join(', ')}`);
    }
    if (values.has(key)) throw semanticError(`the query of a git URL says "${key}" twice`);
    if (value === '' && key !== 'keep-git-dir' && key !== 'submodules') {
      throw semanticError(`the query of a git URL says nothing for "${key}"`);
    }
    values.set(key, value);
  }
  const get = (key: string): string | null => values.get(key) ?? null;
  return {
    ref: get('ref'),
    tag: get('tag'),
    branch: get('branch'),
    checksum: oneOf('commit', get('commit'), get('checksum')),
    subdir: get('subdir'),
    keepGitDir: switchOf('keep-git-dir', get('keep-git-dir')),
    submodules: switchOf('submodules', get('submodules')),
  };
}

/** As Go's strconv.ParseBool; a key alone means yes. */
function switchOf(key: string, value: string | null): boolean | null {
  if (value === null) return null;
  if (value === '' || /^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw semanticError(`"${value}" is neither true nor false`, `write ${key}=true or ${key}=false in the query of the git URL`);
}

function refOf({ ref, tag, branch }: Query): string | null {
  if (tag !== null && branch !== null) throw semanticError('a git URL names either a tag or a branch, not both');
  const full = (prefix: string, name: string | null) => (name === null || name.startsWith(prefix) ? name : `${prefix}${name}`);
  return oneOf('ref', ref, full('refs/tags/', tag) ?? full('refs/heads/', branch));
}

/** Two places may say the same thing, not two things. */
function oneOf<T>(what: string, first: T | null, second: T | null): T | null {
  if (first !== null && second !== null && first !== second) {
    throw semanticError(`two different values for ${what} of a git repository: "${first}" and "${second}"`);
  }
  return first ?? second;
}

function placeOf(ref: string | null, commit: string | null): GitSource['at'] {
  if (ref === null) return commit === null ? { kind: 'default-branch' } : { kind: 'commit', hash: commit };
  if (FULL_HASH.test(ref)) return { kind: 'commit', hash: ref };
  // git-check-ref-format(1); besides, git would take a leading dash for an option.
  const isName = !/^[-/.]|[\0-\x20\x7f~^:?*[\\]|\.\.|\/[/.]|@\{|(?:\.lock|\.|\/)$/.test(ref);
  if (!isName) throw semanticError(`"${ref}" cannot be the name of a branch or a tag`);
  return { kind: 'ref', name: ref };
}

function cleanSubdir(subdir: string): string {
  const parts: string[] = [];
  for (const part of subdir.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.pop() === undefined) throw semanticError(`the folder "${subdir}" is not inside the git repository`);
    if (part !== '..') parts.push(part);
  }
  if (subdir.includes('\0')) throw semanticError('a folder of a git repository cannot have a zero byte in its name');
  return parts.join('/');
}

function checkRemote(remote: string): void {
  if (/[\0-\x1f\x7f]/.test(remote)) throw semanticError('a git URL cannot hold control characters');
  const isScpStyle = SCP_STYLE.test(remote);
  const host = isScpStyle ? remote.replace(/^[^@]*@|:.*$/gs, '') : remote.replace(/^[^/]*\/\/(?:[^/]*@)?|\/.*$/gs, '');
  // ssh would take such a name for an option.
  const looksLikeOption = host.startsWith('-') || remote.replace(/^[^/]*\/\//, '').startsWith('-');
  if (host === '' || looksLikeOption || !(isScpStyle || URL.canParse(remote))) {
    throw semanticError('a git URL is malformed', 'it has to be like https://host/path/name.git or git@host:path');
  }
}

function cut(text: string, at: string): { readonly before: string; readonly after: string } {
  const index = text.indexOf(at);
  return index < 0 ? { before: text, after: '' } : { before: text.slice(0, index), after: text.slice(index + at.length) };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
