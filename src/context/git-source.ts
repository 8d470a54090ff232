/**
 * The files of a git repository at one commit, fetched with the system's git: shallow where the server can, with its
 * submodules. Knows nothing of ADD; keeps nothing between builds. Reference: BuildKit source/git.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';
import { isDiskFull } from '../sys/disk-space.ts';
import { type GitCall, type GitCredential, GitFailure, type GitWorld, runGit } from './git-command.ts';
import { gitTree } from './git-tree.ts';

export interface GitRequest {
  /** http(s), git, ssh or `user@host:path`; may hold credentials, which no file and no message gets to see. */
  readonly remote: string;
  readonly at:
    | { readonly kind: 'default-branch' }
    | { readonly kind: 'ref'; readonly name: string }
    | {
        readonly kind: 'commit';
        readonly hash: string;
        /** Where servers are to look that hand out no commit by its hash, besides branches and tags. */
        readonly among?: string;
      };
  /** Beginning of the hash that the commit or the annotated tag must have, lower case. */
  readonly checksum: string | null;
  /** Relative, clean; '' is the root. */
  readonly subdir: string;
  /** Kept only where `subdir` is the root, as in BuildKit. */
  readonly gitDir: 'keep' | 'drop';
  readonly submodules: 'fetch' | 'skip';
}

export interface GitCheckout {
  /** Owners 0:0. Its contents stay in `folder`. */
  readonly tree: FileTree;
  /** Names it in messages: no credentials. */
  readonly label: string;
  /** Full hash. */
  readonly commit: string;
}

export interface GitOptions {
  /** An existing folder of this machine; the checkout stays there, in a folder of its own. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** This process's environment: git gets its PATH, proxies, certificates and ssh agent, and nothing else. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** For an http(s) remote whose URL has no credentials: they go to its server alone. */
  readonly login?: GitLogin | undefined;
  /** What to tell people whose repository wants credentials; how to write them into the URL when absent. */
  readonly loginHint?: string;
  /** Called before anything is asked of the remote, with the name of the repository in messages. */
  readonly onBegin?: (label: string) => void;
  /** `accept-any`: the certificate of the remote's server is not verified. */
  readonly certificates?: 'verify' | 'accept-any';
}

export interface GitLogin {
  readonly username: string;
  /** May be empty: servers that take a token for the user's name ask for none. */
  readonly password: string;
}

interface Repository {
  readonly request: GitRequest;
  /** Without credentials. */
  readonly remote: string;
  readonly label: string;
  /** Bare: what was fetched. */
  readonly fetched: string;
  readonly checkout: string;
  git(call: GitCall): Promise<string>;
}

/** Throws GIT_FAILED. An abort rejects with the signal's reason, when git has ended. */
export async function fetchGitCheckout(request: GitRequest, options: GitOptions): Promise<GitCheckout> {
  const folder = mkdtempSync(join(options.folder, 'git-'));
  const { remote, credential: own } = splitCredential(request.remote);
  const label = `the git repository ${remote}`;
  const server = serverOf(remote);
  const { login, certificates = 'verify' } = options;
  const world: GitWorld = {
    env: options.env,
    signal: options.signal,
    home: join(folder, 'home'),
    credential: own ?? (login === undefined || server === null ? null : { server, ...login }),
    unverifiedServer: certificates === 'verify' ? null : server,
  };
  const repository: Repository = {
    request,
    remote,
    label,
    fetched: join(folder, 'fetched'),
    checkout: join(folder, 'checkout'),
    git: (call) => runGit(call, world),
  };
  options.onBegin?.(label);
  try {
    for (const path of [world.home, repository.checkout]) mkdirSync(path);
    const commit = await checkOut(repository);
    const gitDir = keepsGitDir(request) ? 'keep' : 'drop';
    return { tree: gitTree(repository.checkout, { gitDir, subdir: request.subdir, label }), label, commit };
  } catch (error) {
    // git says it in many ways, and what it has written is still there.
    const full = isDiskFull(options.folder);
    rmSync(folder, { recursive: true, force: true });
    if (!(error instanceof GitFailure)) throw error;
    const hint = full
      ? `the disk of ${options.folder} is full: free disk space, or choose another folder with --cache-dir`
      : hintFor(error.message, options.loginHint ?? 'https://user:token@host/path/name.git');
    throw new TsbuildError('GIT_FAILED', `cannot fetch ${label}: ${error.message}`, { hint, cause: error });
  }
}

async function checkOut(repository: Repository): Promise<string> {
  const { git, fetched, checkout, request, remote } = repository;
  await git({ args: ['init', '--quiet', '--bare', '--template=', fetched] });
  await git({ args: ['config', 'remote.origin.url', remote], gitDir: fetched });
  const name = await fetchCommit(repository);
  const tip = (await git({ args: ['rev-parse', '--verify', '--quiet', name], gitDir: fetched })).trim();
  const commit = (await git({ args: ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], gitDir: fetched })).trim();
  const { checksum } = request;
  if (checksum !== null && !tip.startsWith(checksum) && !commit.startsWith(checksum)) {
    const found = tip === commit ? commit : `${commit} (and the tag object ${tip})`;
    throw new TsbuildError('GIT_FAILED', `${repository.label} has ${found} there, not ${checksum} as the checksum demands`, {
      hint: 'check that the ref still means the commit that you want; if it does, update the checksum',
    });
  }
  const gitDir = keepsGitDir(request) ? await shallowCopy(repository, name) : fetched;
  await git({ args: ['checkout', '--quiet', '--force', '--detach', commit], gitDir, workTree: checkout });
  if (request.submodules === 'fetch' && existsSync(join(checkout, '.gitmodules'))) await fetchSubmodules(repository, gitDir);
  if (gitDir !== fetched) rmSync(join(gitDir, 'FETCH_HEAD'), { force: true });
  return commit;
}

function keepsGitDir({ gitDir, subdir }: GitRequest): boolean {
  return gitDir === 'keep' && subdir === '';
}

/** The name in `fetched` of what was fetched. */
async function fetchCommit(repository: Repository): Promise<string> {
  const { request, git, fetched } = repository;
  const place = request.at.kind === 'commit' ? request.at : await findRef(repository, request.at);
  if (place.kind === 'ref') {
    await fetchShallow(repository, [`+${place.name}:${place.name}`]);
    return place.name;
  }
  const { hash } = place;
  // Servers may hand out a commit by its hash; where they do not, all branches and tags are fetched to find it.
  const direct = hash.length >= 40 && (await succeeds(() => fetchShallow(repository, [hash])));
  if (!direct) {
    const { among } = request.at.kind === 'commit' ? request.at : {};
    const other = among === undefined ? null : await findRef(repository, { kind: 'ref', name: among });
    const refs = [
      'refs/heads/*',
      'refs/tags/*',
      ...(other?.kind === 'ref' && !/^refs\/(?:heads|tags)\//.test(other.name) ? [other.name] : []),
    ];
    await fetchRefs(
      repository,
      refs.map((name) => `+${name}:${name}`),
    );
  }
  const commit = await git({ args: ['rev-parse', '--verify', '--quiet', `${hash}^{commit}`], gitDir: fetched }).catch(onlyGit(() => ''));
  if (commit === '') throw new TsbuildError('GIT_FAILED', `${repository.label} has no commit ${hash} on its branches and tags`);
  await git({ args: ['update-ref', COMMIT_REF, commit.trim()], gitDir: fetched });
  return COMMIT_REF;
}

const COMMIT_REF = 'refs/tsbuild/commit';

type Place = { readonly kind: 'ref'; readonly name: string } | { readonly kind: 'commit'; readonly hash: string };

/** In git's order: the whole name, a branch, a tag. */
async function findRef({ git, remote, label, fetched }: Repository, at: Exclude<GitRequest['at'], { kind: 'commit' }>): Promise<Place> {
  if (at.kind === 'default-branch') {
    const answer = await git({ args: ['ls-remote', '--symref', '--', remote, 'HEAD'], gitDir: fetched });
    const name = /^ref: (refs\/\S+)\tHEAD$/m.exec(answer)?.[1];
    if (name !== undefined) return { kind: 'ref', name };
    const hash = /^([0-9a-f]{40,64})\tHEAD$/m.exec(answer)?.[1];
    if (hash !== undefined) return { kind: 'commit', hash };
    throw new TsbuildError('GIT_FAILED', `${label} has no default branch`, { hint: 'name a branch: ...name.git#branch' });
  }
  const answer = await git({ args: ['ls-remote', '--', remote, at.name], gitDir: fetched });
  const offered = new Set(answer.split('\n').map((line) => line.split('\t')[1]));
  const below = (prefix: string): string => (at.name.startsWith(prefix) ? at.name : `${prefix}${at.name}`);
  const name = [below('refs/'), below('refs/heads/'), below('refs/tags/')].find((candidate) => offered.has(candidate));
  if (name !== undefined) return { kind: 'ref', name };
  const isHash = /^[0-9a-f]{4,39}$/.test(at.name);
  throw new TsbuildError('GIT_FAILED', `${label} has no branch or tag "${at.name}"`, {
    hint: isHash ? 'a commit is named by its whole hash; a shorter one needs ?commit=' : undefined,
  });
}

/** Without history; with it from servers that cannot do less, as plain file servers. */
async function fetchShallow(repository: Repository, refspecs: readonly string[]): Promise<void> {
  try {
    await fetchRefs(repository, refspecs, '--depth=1');
  } catch (error) {
    if (!(error instanceof GitFailure) || !/shallow|depth/.test(error.message)) throw error;
    await fetchRefs(repository, refspecs);
  }
}

async function fetchRefs({ git, fetched }: Repository, refspecs: readonly string[], ...options: readonly string[]): Promise<void> {
  await git({ args: ['fetch', '--quiet', '--no-tags', ...options, '--', 'origin', ...refspecs], gitDir: fetched });
}

/** A .git that holds this one commit, whatever the server made us fetch. */
async function shallowCopy({ git, fetched, checkout, remote }: Repository, name: string): Promise<string> {
  const gitDir = join(checkout, '.git');
  await git({ args: ['init', '--quiet', '--template=', checkout] });
  await git({ args: ['remote', 'add', 'origin', remote], gitDir, workTree: checkout });
  const refspec = name === COMMIT_REF ? name : `+${name}:${name}`;
  const from = pathToFileURL(fetched).href;
  const args = ['fetch', '--quiet', '--no-tags', '--update-head-ok', '--depth=1', '--', from, refspec];
  await git({ args, reach: 'local', gitDir, workTree: checkout });
  return gitDir;
}

async function fetchSubmodules({ git, checkout }: Repository, gitDir: string): Promise<void> {
  const update = ['submodule', '--quiet', 'update', '--init', '--recursive', '--checkout'];
  const where = { gitDir, workTree: checkout };
  if (await succeeds(() => git({ args: [...update, '--depth=1'], ...where }))) return;
  // Servers that cannot do without history, or do not hand out a commit that no branch ends with: again, from the start.
  await git({ args: ['submodule', '--quiet', 'deinit', '--all', '--force'], ...where });
  rmSync(join(gitDir, 'modules'), { recursive: true, force: true });
  await git({ args: [...update, '--no-recommend-shallow'], ...where });
}

async function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  return work().then(
    () => true,
    onlyGit(() => false),
  );
}

function onlyGit<T>(answer: () => T): (error: unknown) => T {
  return (error) => {
    if (error instanceof GitFailure) return answer();
    throw error;
  };
}

/**
 * git keeps a URL in the repository's config and shows it to every user of the machine in its arguments. ssh and git:// have no
 * use for a password, and would take it for a part of the user's name or of the host's.
 */
function splitCredential(remote: string): { readonly remote: string; readonly credential: GitCredential | null } {
  const [, before, after] = /^(ssh:\/\/[^/?#@:]*|git:\/\/[^/?#@:]*):[^/?#]*(@.*)$/is.exec(remote) ?? [];
  if (before !== undefined && after !== undefined) return { remote: `${before}${after}`, credential: null };
  const [, scheme = '', user, rest = ''] = /^(https?:\/\/)(?:([^/?#]*)@)?(.*)$/is.exec(remote) ?? [];
  if (user === undefined) return { remote, credential: null };
  const url = new URL(remote);
  const [username, password] = [decoded(url.username), decoded(url.password)];
  if (/[\0\r\n]/.test(username + password)) throw new TsbuildError('GIT_FAILED', 'the credentials of a git URL hold control characters');
  return { remote: `${scheme}${rest}`, credential: { server: `${url.protocol}//${url.host}`, username, password } };
}

/** `https://host:port`; null: credentials and certificates mean nothing there. */
function serverOf(remote: string): string | null {
  if (!/^https?:\/\//i.test(remote)) return null;
  const { protocol, host } = new URL(remote);
  return `${protocol}//${host}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Percent signs that encode nothing are part of the text.
    return text;
  }
}

function hintFor(message: string, login: string): string | undefined {
  if (/could not read (?:Username|Password)|Authentication failed|returned error: 403/i.test(message)) {
    return `the repository does not exist, or needs credentials: ${login}`;
  }
  if (/Permission denied \(|Host key verification failed/.test(message)) {
    return 'git uses the ssh agent (SSH_AUTH_SOCK) and the known_hosts of the user who builds';
  }
  if (/cannot run ssh/.test(message)) return 'install the package openssh-client';
  if (/transport '.*' not allowed/.test(message)) return 'only http, https, git and ssh are fetched from, in submodules too';
  return undefined;
}
