/**
 * Runs the system's git so that neither this machine's settings nor the repository decide what is executed: no config but
 * ours, no hooks, no prompts, and only transports that reach other machines. Credentials go by environment to a helper that
 * answers for their own server alone. Reference: git(1) "Environment Variables", gitcredentials(7).
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import { TsbuildError } from '../errors.ts';

export interface GitWorld {
  /** This process's environment: a few variables of it reach git. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** An empty folder of this machine, which git takes for its user's home. */
  readonly home: string;
  readonly credential: GitCredential | null;
  /** `https://host:port` whose certificate is not verified. */
  readonly unverifiedServer: string | null;
}

export interface GitCredential {
  /** `https://host:port` */
  readonly server: string;
  readonly username: string;
  readonly password: string;
}

export interface GitCall {
  readonly args: readonly string[];
  /** `local`: git may read repositories of this machine; else none, so that no submodule can be one. */
  readonly reach?: 'network' | 'local';
  readonly gitDir?: string;
  readonly workTree?: string;
}

/** git ended with an exit status other than 0; the message is what it said, without credentials. */
export class GitFailure extends Error {}

const PASSED_ON = [
  ...['PATH', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'],
];
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=true',
  'core.logAllRefUpdates=false',
  'init.defaultBranch=master',
  'gc.auto=0',
  'maintenance.auto=false',
  'fetch.recurseSubmodules=false',
  'advice.detachedHead=false',
  // Helpers of the machine are not asked.
  'credential.helper=',
  // Less than a byte per second for a minute is silence.
  'http.lowSpeedLimit=1',
  'http.lowSpeedTime=60',
];
const SSH = 'ssh -o BatchMode=yes -o ConnectTimeout=60 -o ServerAliveInterval=30';
const HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$TSBUILD_GIT_USERNAME" "$TSBUILD_GIT_PASSWORD"; }; f';
const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;
const MOST_ERROR_BYTES = 64 * 1024;

/**
 * What git wrote to its standard output. Rejects with GitFailure; with GIT_FAILED when there is no git; with the signal's
 * reason when it is aborted, after git and all that it started are gone.
 */
export async function runGit(call: GitCall, world: GitWorld): Promise<string> {
  world.signal.throwIfAborted();
  const { code, stdout, stderr } = await run(call, world);
  world.signal.throwIfAborted();
  if (code !== 0) throw new GitFailure(reasonOf(stderr) || `git ${call.args[0]} ended with status ${code}`);
  return stdout;
}

function run(call: GitCall, world: GitWorld): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { signal, credential, home, unverifiedServer } = world;
  const settings = [
    ...SETTINGS,
    ...(credential === null ? [] : [`credential.${credential.server}.helper=${HELPER}`]),
    ...(unverifiedServer === null ? [] : [`http.${unverifiedServer}.sslVerify=false`]),
  ];
  const folders = [...(call.gitDir === undefined ? [] : [`--git-dir=${call.gitDir}`, `--work-tree=${call.workTree ?? call.gitDir}`])];
  const args = [...settings.flatMap((setting) => ['-c', setting]), ...folders, ...call.args];
  return new Promise((resolve, reject) => {
    // A group of its own, since git's helpers outlive it.
    const child = spawn('git', args, {
      cwd: call.workTree ?? home,
      detached: true,
      env: environment(call, world),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const kill = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // The group has ended by itself.
      }
    };
    signal.addEventListener('abort', kill, { once: true });
    const stdout: Buffer[] = [];
    let stdoutBytes = 0;
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdoutBytes += chunk.length;
      if (stdoutBytes > MOST_OUTPUT_BYTES) kill();
      else stdout.push(chunk);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-MOST_ERROR_BYTES);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      signal.removeEventListener('abort', kill);
      reject(error.code === 'ENOENT' ? notInstalled(error) : error);
    });
    child.on('close', (code) => {
      signal.removeEventListener('abort', kill);
      resolve({ code, stdout: Buffer.concat(stdout).toString('utf8'), stderr });
    });
  });
}

function environment(call: GitCall, { env, home, credential }: GitWorld): Record<string, string> {
  const passed = PASSED_ON.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  return {
    ...Object.fromEntries(passed),
    HOME: home,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    // No files of this machine in a .git: git clones submodules with its template, whose hooks would be in the image.
    GIT_TEMPLATE_DIR: '',
    // Nor the settings of a repository around the folders of this fetch: where a build is in place, a command may have made one of /.
    GIT_CEILING_DIRECTORIES: dirname(home),
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '',
    GIT_ALLOW_PROTOCOL: call.reach === 'local' ? 'file' : 'http:https:git:ssh',
    GIT_SSH_COMMAND: SSH,
    GIT_LFS_SKIP_SMUDGE: '1',
    ...(credential === null ? {} : { TSBUILD_GIT_USERNAME: credential.username, TSBUILD_GIT_PASSWORD: credential.password }),
  };
}

/** The lines with which git says why it failed; the URL of a submodule may hold credentials. */
function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.trim());
  const said = lines.filter((line) => /^(?:fatal|error|remote|ssh): /.test(line)).map((line) => line.replace(/^(?:fatal|error): /, ''));
  const reason = (said.length > 0 ? said : lines.filter((line) => line !== '').slice(-1)).slice(0, 3).join('; ');
  return reason.replace(/(:\/\/)[^\s/?#]*@/g, '$1');
}

function notInstalled(cause: Error): TsbuildError {
  return new TsbuildError('GIT_FAILED', 'git is not installed here, and a git repository is needed', {
    hint: 'install the package git (Debian, Ubuntu: apt-get install git; Alpine: apk add git; Fedora: dnf install git)',
    cause,
  });
}
