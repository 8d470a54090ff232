/**
 * Rootless: tsbuild runs itself once more inside a user namespace where it is root over the user's subordinate ids; from
 * there on everything is as for root. The namespace comes first and gets its id maps from outside, by newuidmap, which
 * may write them; only an execve after that gives root its capabilities, so a shell waits in between.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import type { ExitStatus } from '../backend.ts';
import { appArmorProfile, hasNoNewPrivileges, hasSeccompFilter, mayGain, sysctl } from './process-status.ts';
import { findProgram } from './programs.ts';
import { idMap, subordinateIds } from './sub-ids.ts';

/** Set for the process inside, so that it never tries again. It is not in the environment of a RUN, which is exact. */
export const INSIDE_USER_NAMESPACE = 'TSBUILD_INSIDE_USER_NAMESPACE';

export interface Unavailable {
  readonly kind: 'unavailable';
  /** For people: what is missing. */
  readonly why: string;
  /** What would enable it. */
  readonly hint: string;
}

export interface Reexec {
  /** The whole command line: Node, its options, the script, its arguments. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs `argv` inside a new user namespace with this process's standard streams, until its end; SIGINT, SIGTERM and SIGHUP
 * are handed on. Nothing has been run when the result is 'unavailable'. For a process that is not root.
 */
export async function reexecInUserNamespace({
  argv,
  env,
}: Reexec): Promise<Unavailable | { readonly kind: 'exited'; readonly status: ExitStatus }> {
  if (env[INSIDE_USER_NAMESPACE] !== undefined) {
    return { kind: 'unavailable', why: 'the user namespace did not make tsbuild root', hint: 'report this as a bug of tsbuild' };
  }
  const opened = await openUserNamespace({ argv, env: { ...env, [INSIDE_USER_NAMESPACE]: '1' } });
  return opened.kind === 'unavailable' ? opened : { kind: 'exited', status: await opened.enter() };
}

/** Whether a user namespace works here; tries it for real. For a process that is not root. */
export async function probeUserNamespace(): Promise<Unavailable | { readonly kind: 'available' }> {
  const opened = await openUserNamespace({ argv: ['true'], env: {} });
  if (opened.kind === 'unavailable') return opened;
  await opened.leave();
  return { kind: 'available' };
}

interface OpenNamespace {
  readonly kind: 'open';
  enter(): Promise<ExitStatus>;
  leave(): Promise<void>;
}

/**
 * The waiting shell. $1 is unshare, the rest the command. fd 3: what tsbuild tells it, 4: what it answers, 5: the real stderr,
 * since until the command runs stderr collects the reasons why it does not. Once the maps are there it tries what each
 * RUN does first, as root inside, because only now can a forbidden mount be told from a forbidden user namespace.
 */
const GATE = `unshare=$1; shift
echo ready >&4
read -r go <&3 || exit 1
"$unshare" --mount --pid --fork --ipc --uts --mount-proc true || exit 1
echo works >&4
read -r go <&3 || exit 1
exec "$@" 2>&5 3<&- 4>&- 5>&-`;

async function openUserNamespace({ argv, env }: Reexec): Promise<Unavailable | OpenNamespace> {
  const plan = planMaps();
  if (plan.kind === 'unavailable') return plan;
  const { unshare, setpriv } = plan;
  const command = [setpriv, '--pdeathsig=KILL', '--', ...argv];
  const child = spawn(unshare, ['--user', '--mount', '--', '/bin/sh', '-c', GATE, 'tsbuild', unshare, ...command], {
    env,
    // The last is this process's stderr.
    stdio: ['inherit', 'inherit', 'pipe', 'pipe', 'pipe', 2],
  });
  const gate = gateOf(child);
  if ((await gate.answer()) !== 'ready') return { kind: 'unavailable', ...explainRefusal(await gate.reason()) };
  try {
    await Promise.all(plan.maps.map(({ program, map }) => promisify(execFile)(program, [String(child.pid), ...map], { env: {} })));
  } catch (error) {
    await gate.leave();
    return { kind: 'unavailable', ...explainMapping(String((error as { stderr?: string }).stderr ?? '')) };
  }
  gate.tell();
  if ((await gate.answer()) !== 'works') return { kind: 'unavailable', ...explainMounts(await gate.reason()) };
  return {
    kind: 'open',
    async enter() {
      gate.tell();
      using _forwarding = forwardSignals(child);
      return await gate.exit;
    },
    leave: gate.leave,
  };
}

interface MapPlan {
  readonly kind: 'maps';
  readonly unshare: string;
  readonly setpriv: string;
  readonly maps: readonly { readonly program: string; readonly map: readonly string[] }[];
}

function planMaps(): Unavailable | MapPlan {
  const unshare = findProgram('unshare');
  const setpriv = findProgram('setpriv');
  if (unshare === undefined || setpriv === undefined) {
    return { kind: 'unavailable', why: 'the programs "unshare" and "setpriv" are not installed', hint: 'install the package util-linux' };
  }
  const uid = process.getuid?.() ?? 0;
  const name = nameOfUser();
  const maps: { program: string; map: readonly string[] }[] = [];
  for (const kind of ['uid', 'gid'] as const) {
    const program = findProgram(`new${kind}map`);
    if (program === undefined) {
      return {
        kind: 'unavailable',
        why: `the program "new${kind}map" is not installed`,
        hint: 'install the package uidmap (Debian, Ubuntu), shadow-utils (Fedora, RHEL) or shadow-uidmap (Alpine)',
      };
    }
    const ranges = subordinateIds(kind, { name, uid });
    if (ranges.length === 0) {
      return {
        kind: 'unavailable',
        why: `no ids are given to user ${name ?? uid} in /etc/sub${kind}`,
        hint: `as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name ?? uid}`,
      };
    }
    maps.push({ program, map: idMap(kind === 'uid' ? uid : (process.getgid?.() ?? 0), ranges) });
  }
  return { kind: 'maps', unshare, setpriv, maps };
}

function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    // A uid without an entry in passwd.
    return undefined;
  }
}

interface Gate {
  /** The next line that the shell says; undefined: it has ended. */
  answer(): Promise<string | undefined>;
  /** Lets the shell go on. */
  tell(): void;
  /** Why it ended: what it wrote to its stderr. */
  reason(): Promise<string>;
  leave(): Promise<void>;
  readonly exit: Promise<ExitStatus>;
}

function gateOf(child: ChildProcess): Gate {
  const input = child.stdio[3] as Writable;
  const answers = (child.stdio[4] as Readable).setEncoding('utf8')[Symbol.asyncIterator]() as AsyncIterator<string>;
  const errors: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  input.on('error', ignore);
  const closed = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const exit = new Promise<ExitStatus>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? { kind: 'code', code: code ?? 0 } : { kind: 'signal', signal }));
  });
  exit.catch(ignore);
  return {
    answer: async () => {
      const { value, done } = await answers.next();
      return done === true ? undefined : value.trim();
    },
    tell: () => void input.write('go\n'),
    async reason() {
      input.end();
      await closed;
      return errors.join('').trim();
    },
    async leave() {
      input.end();
      await exit;
    },
    exit,
  };
}

function explainRefusal(message: string): { readonly why: string; readonly hint: string } {
  if (sysctl('user.max_user_namespaces') === '0') {
    return {
      why: 'user namespaces are switched off (user.max_user_namespaces is 0)',
      hint: 'as root: sysctl -w user.max_user_namespaces=15000',
    };
  }
  if (sysctl('kernel.unprivileged_userns_clone') === '0') {
    return {
      why: 'user namespaces are for root only here (kernel.unprivileged_userns_clone is 0)',
      hint: 'as root: sysctl -w kernel.unprivileged_userns_clone=1',
    };
  }
  if (sysctl('kernel.apparmor_restrict_unprivileged_userns') === '1') {
    return {
      why: 'AppArmor lets no ordinary user use a user namespace (kernel.apparmor_restrict_unprivileged_userns is 1)',
      hint: 'as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile with "userns" for node',
    };
  }
  if (hasSeccompFilter()) {
    return {
      why: `a seccomp profile forbids user namespaces: ${message}`,
      hint: 'allow unshare and mount: docker run --security-opt seccomp=unconfined; Kubernetes: securityContext.seccompProfile.type: Unconfined',
    };
  }
  const profile = appArmorProfile();
  if (profile !== undefined)
    return { why: `the AppArmor profile ${profile} may forbid user namespaces: ${message}`, hint: WITHOUT_APPARMOR };
  return { why: `a user namespace cannot be made: ${message}`, hint: 'unshare --user --mount true has to work for this user' };
}

const WITHOUT_APPARMOR = 'docker run --security-opt apparmor=unconfined; Kubernetes: securityContext.appArmorProfile.type: Unconfined';
/** What newgidmap and newuidmap need. */
const CAP_SETGID = 6n;
const CAP_SETUID = 7n;

function explainMapping(message: string): { readonly why: string; readonly hint: string } {
  if (hasNoNewPrivileges()) {
    return {
      why: 'newuidmap has no power here, because no_new_privs is set',
      hint: 'Kubernetes: securityContext.allowPrivilegeEscalation: true; docker run without --security-opt no-new-privileges',
    };
  }
  if (!mayGain(CAP_SETUID) || !mayGain(CAP_SETGID)) {
    return {
      why: 'newuidmap has no power here, because the container drops CAP_SETUID and CAP_SETGID',
      hint: 'Kubernetes: securityContext.capabilities.add: [SETUID, SETGID]; docker run --cap-add SETUID --cap-add SETGID',
    };
  }
  return {
    why: `the ids cannot be mapped: ${message.trim()}`,
    hint: 'newuidmap and newgidmap must be setuid root (chmod u+s) or have CAP_SETUID and CAP_SETGID (setcap), on a mount without nosuid',
  };
}

function explainMounts(message: string): { readonly why: string; readonly hint: string } {
  if (/proc/.test(message)) {
    return {
      why: `/proc cannot be mounted inside a user namespace: ${message}`,
      hint: 'in a container, /proc must not be masked: docker run --security-opt systempaths=unconfined; Kubernetes: securityContext.procMount: Unmasked, which needs hostUsers: false',
    };
  }
  if (hasSeccompFilter()) {
    return {
      why: `a seccomp profile forbids mounts inside a user namespace: ${message}`,
      hint: 'docker run --security-opt seccomp=unconfined; Kubernetes: securityContext.seccompProfile.type: Unconfined',
    };
  }
  const profile = appArmorProfile();
  if (profile !== undefined) return { why: `the AppArmor profile ${profile} forbids mounts: ${message}`, hint: WITHOUT_APPARMOR };
  return {
    why: `root inside a user namespace may not mount here: ${message}`,
    hint: 'unshare --user --map-root-user --mount --pid --fork --mount-proc true has to work for this user',
  };
}

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Until disposed. A terminal's Ctrl-C goes to every process in its foreground, so that one is not handed on twice. */
function forwardSignals(child: ChildProcess): Disposable {
  const forward = (signal: NodeJS.Signals): void => {
    if (signal !== 'SIGINT' || !isInForeground()) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  return {
    [Symbol.dispose]() {
      for (const signal of FORWARDED) process.off(signal, forward);
    },
  };
}

/** proc_pid_stat(5): after the name in parentheses come state, ppid, pgrp, session, tty_nr and tpgid. */
function isInForeground(): boolean {
  const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return group === foreground;
}

function ignore(): void {
  // Told elsewhere.
}
