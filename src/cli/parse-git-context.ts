/**
 * --context as a git repository, and --git. Kaniko's form is `git://host/path#ref#commit`, cloned over https (or GIT_PULL_METHOD);
 * BuildKit's is `https://host/path.git#ref:folder`, `user@host:path` or `ssh://`. Both forms of what follows `#` do with either.
 */
import { posix } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { type GitSource, isGitUrl, parseGitUrl } from '../plan/git-url.ts';
import type { RepositorySource } from './options.ts';

export interface GitContextFlags {
  /** --git, in the order given. */
  readonly git: readonly string[];
  /** --context-sub-path; '' when not given. */
  readonly subPath: string;
  /** --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR. */
  readonly keepGitDir: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function isGitContext(context: string): boolean {
  return isGitUrl(context);
}

/** `context`: one that isGitContext accepts. Throws USAGE and NOT_SUPPORTED, without credentials. */
export function parseGitContext(context: string, flags: GitContextFlags): Omit<RepositorySource, 'dockerfile'> {
  const isKanikos = /^git:\/\//i.test(context);
  const settings = readSettings(flags.git);
  const [address = '', ref = '', commit, ...more] = context.split('#');
  if (more.length > 0) throw usage('the context has more than two "#"', 'write git://HOST/PATH#refs/heads/BRANCH#COMMIT');
  if (commit !== undefined && !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit))
    throw usage(`"${commit}" behind the second "#" of the context is not the whole hash of a commit`, 'write its 40 hex digits');
  const remote = isKanikos ? address.replace(/^git:/i, `${pullMethod(flags.env)}:`) : address;
  const [name = '', ...folder] = ref.split(':');
  const fragment = [commit ?? name, ...folder].join(':');
  const parsed = asUsage(() => parseGitUrl(fragment === '' ? remote : `${remote}#${fragment}`, { keepGitDir: null, checksum: null }));
  const keep = parsed.gitDir === 'keep' || isTrue(flags.keepGitDir ?? '', '--build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR');
  if (keep && settings.depth !== null && settings.depth !== 1) {
    throw new TsbuildError('NOT_SUPPORTED', `not supported yet: --git depth=${settings.depth} for a .git that is kept`, {
      hint: 'a kept .git holds one commit: leave depth out',
    });
  }
  const repository: GitSource = {
    ...parsed,
    at: placeOf(parsed.at, commit === undefined ? null : name || null, settings.branch),
    subdir: posix.join(parsed.subdir, flags.subPath).replace(/^\.$/, ''),
    gitDir: keep ? 'keep' : 'drop',
    // Kaniko leaves submodules out unless it is told otherwise, BuildKit takes them.
    submodules: (settings.submodules ?? (isKanikos ? false : parsed.submodules === 'fetch')) ? 'fetch' : 'skip',
  };
  return { kind: 'git', repository, certificates: settings.skipTls ? 'accept-any' : 'verify', login: loginOf(flags.env) };
}

interface GitSettings {
  readonly branch: string | null;
  readonly depth: number | null;
  readonly submodules: boolean | null;
  readonly skipTls: boolean;
}

const KEYS = ['branch', 'single-branch', 'depth', 'recurse-submodules', 'insecure-skip-tls'] as const;

/** One commit is fetched whatever single-branch and depth say: they only make Kaniko fetch less. */
function readSettings(values: readonly string[]): GitSettings {
  const found = new Map<string, string>();
  // Kaniko takes one pair for each --git; its help shows them joined.
  for (const pair of values.flatMap((text) => text.split(/,(?=[a-z-]+=)/)).filter((text) => text !== '')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0));
    if (!KEYS.some((known) => known === key)) throw usage(`--git "${pair}" is not known`, `write --git KEY=VALUE, with ${KEYS.join(', ')}`);
    found.set(key, pair.slice(equals + 1));
  }
  const flag = (key: (typeof KEYS)[number]): boolean | null => {
    const text = found.get(key);
    return text === undefined || text === '' ? null : isTrue(text, `--git ${key}`);
  };
  const depth = found.get('depth') || null;
  if (depth !== null && !/^\d{1,9}$/.test(depth)) throw usage(`--git depth is a number, not "${depth}"`, 'write --git depth=1');
  flag('single-branch');
  return {
    branch: found.get('branch') || null,
    depth: depth === null ? null : Number(depth),
    submodules: flag('recurse-submodules'),
    skipTls: flag('insecure-skip-tls') ?? false,
  };
}

/** `on`: the ref before a commit in the URL. */
function placeOf(at: GitSource['at'], on: string | null, branch: string | null): RepositorySource['repository']['at'] {
  if (at.kind === 'commit') {
    const among = on ?? branch;
    return among === null ? at : { ...at, among: nameOf(among) };
  }
  if (branch === null) return at;
  const name = nameOf(branch);
  if (at.kind === 'ref' && ![name, `refs/heads/${name}`, `refs/tags/${name}`].includes(at.name))
    throw usage(`the context says "${at.name}", and --git branch says "${branch}"`, 'leave one of them out');
  return at.kind === 'ref' ? at : { kind: 'ref', name };
}

/** Refused when git would refuse it, or take it for an option. */
function nameOf(ref: string): string {
  const { at } = asUsage(() => parseGitUrl(`https://host/x.git#${encodeURIComponent(ref)}`, { keepGitDir: null, checksum: null }));
  if (at.kind !== 'ref') throw usage(`"${ref}" is a commit, not a branch or a tag`, 'name the commit behind the context: ...#COMMIT');
  return at.name;
}

function pullMethod(env: GitContextFlags['env']): 'https' | 'http' {
  const method = env['GIT_PULL_METHOD'];
  if (method !== undefined && !['', 'http', 'https'].includes(method))
    throw usage(`the variable GIT_PULL_METHOD is http or https, not "${method}"`, 'unset it for https');
  return method === 'http' ? 'http' : 'https';
}

/** Kaniko sends a token as the user's name, without a password. */
function loginOf(env: GitContextFlags['env']): RepositorySource['login'] {
  const [token = '', username = '', password = ''] = ['GIT_TOKEN', 'GIT_USERNAME', 'GIT_PASSWORD'].map((name) => env[name]);
  if (/[\0\r\n]/.test(token + username + password)) {
    throw usage('GIT_TOKEN, GIT_USERNAME or GIT_PASSWORD holds a line break', 'write the secret without one: printf %s "$TOKEN"');
  }
  if (token !== '') return { username: token, password: '' };
  return username === '' && password === '' ? null : { username, password };
}

/** As Go's strconv.ParseBool. */
function isTrue(word: string, what: string): boolean {
  if (/^(?:1|t|T|true|TRUE|True)$/.test(word)) return true;
  if (word === '' || /^(?:0|f|F|false|FALSE|False)$/.test(word)) return false;
  throw usage(`${what} is true or false, not "${word}"`, 'write true or false');
}

function asUsage<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof TsbuildError ? usage(error.message, error.hint) : error;
  }
}

function usage(message: string, hint: string | undefined): TsbuildError {
  return new TsbuildError('USAGE', message, { hint });
}
