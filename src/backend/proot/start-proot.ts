/** StartCommand by proot: each command runs under a proot of its own, which translates its paths into the rootfs's folder. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { constants, release } from 'node:os';
import { dirname, join } from 'node:path';
import type { TsbuildError } from '../../errors.ts';
import { nodeEnvironment } from '../../sys/node-environment.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { Notification } from '../../sys/seccomp-listener.ts';
import type { ExitStatus } from '../backend.ts';
import { outcomeOf } from '../command/outcome.ts';
import { executionError, setupFailed } from '../command/run-errors.ts';
import { ignore, startedProcess } from '../command/started-process.ts';
import type { FolderCommand, StartCommand } from '../folder/parts.ts';
import type { RecordedOwnership } from '../folder/recorded-ownership.ts';
import { type Supervisor, supervise } from '../supervised/supervise.ts';
import { explain, findProgram, guestFiles } from './guest-files.ts';
import { type GuestPrograms, LAUNCH_FAILED } from './guest-programs.ts';
import { answerOwnerCall } from './owner-calls.ts';
import type { FileRules, ProotReport, ProotSpec } from './proot-spec.ts';
import type { Tracees } from './tracees.ts';

export interface ProotPrograms {
  readonly node: string;
  /** The bundled run-proot.ts. */
  readonly run: string;
  readonly proot: string;
  readonly guest: GuestPrograms;
}

export interface ProotPlace {
  readonly programs: ProotPrograms;
  readonly tracees: Tracees;
  /** Absolute, exists, of this rootfs only: for what proot and the launcher need. */
  readonly scratch: string;
  readonly ownership: RecordedOwnership;
  /** Of this kernel's Landlock; 0: none. */
  readonly landlock: number;
}

/** In /proc, because proot shows the folders above a bind, and nobody makes anything there. */
const LAUNCHER = '/proc/tsbuild-launcher';

export function startProot(place: ProotPlace): StartCommand {
  const { programs, tracees, ownership } = place;
  return () => {
    const { child, exit, output, outputEnded, messages, reports, tell } = startedProcess<ProotReport>((stdout) =>
      spawnProgram(programs, stdout),
    );

    tracees.add(child);
    const cancel = async (): Promise<void> => {
      tell('');
      child.kill('SIGKILL');
      output.resume();
      await Promise.all([exit.catch(ignore), outputEnded]);
    };
    return {
      cancel,
      async run(command, { output: onOutput, started, signal }) {
        const view = guestFiles(command);
        const program = findProgram(command, view);
        if (command.network === 'none' || 'reason' in program) {
          await cancel();
          throw 'reason' in program ? executionError(program) : noNetwork();
        }
        const home = mkdtempSync(join(place.scratch, 'run-'));
        let supervisor: Supervisor | undefined;
        let unsupervised: TsbuildError | undefined;
        const abort = (): void => void tracees.kill(child).catch(ignore);
        const failed = (error: unknown): void => {
          unsupervised ??= setupFailed('keep the owners that commands set', (error as Error).message, null);
          abort();
        };
        signal.addEventListener('abort', abort, { once: true });
        try {
          if (signal.aborted) abort();
          const { uid, gid } = command.user;
          ownership.setDefaultOwner({ uid, gid });
          output.on('data', onOutput);
          reports.listen((report) => {
            if (report.kind === 'executing') started();
            if (report.kind !== 'listening' || child.pid === undefined) return;
            const answerTo = ownersOf(command, ownership);
            try {
              const listener = { pid: child.pid, fd: report.fd };
              supervisor = supervise(listener, (question, by) => by.answer(question, answerTo(question)), failed);
            } catch (error) {
              failed(error);
            }
          });
          tell(JSON.stringify(specOf(command, { path: program.path, home, place })));
          const status = await exit;
          await tracees.sweep();
          const [said] = await Promise.all([messages, outputEnded, reports.ended]);
          signal.throwIfAborted();
          if (unsupervised !== undefined) throw unsupervised;
          outcomeOf(status, reports.all().at(-1), said);
          return commandStatus(said, { path: program.path, status, view });
        } finally {
          signal.removeEventListener('abort', abort);
          supervisor?.stop();
          await removeTree(home);
        }
      },
    };
  };
}

function noNetwork(): TsbuildError {
  return setupFailed('make a network without interfaces', 'proot uses the network of this machine', 'EPERM');
}

/** The first question is that of run-proot.ts, whether somebody listens. */
function ownersOf({ root, user }: FolderCommand, ownership: RecordedOwnership): (question: Notification) => number | 'continue' {
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  let ready = false;
  return (question) => {
    if (ready) return answerOwnerCall(question, { root, ownership, user, own });
    ready = true;
    return 0;
  };
}

interface Launch {
  /** Of the program, inside the rootfs. */
  readonly path: string;
  readonly home: string;
  readonly place: ProotPlace;
}

function specOf({ root, argv, env, cwd, user, hostname, binds }: FolderCommand, { path, home, place }: Launch): ProotSpec {
  const { proot, guest } = place.programs;
  const launcher = join(home, 'launcher');
  const temporary = join(home, 'proot');
  mkdirSync(temporary);
  writeFileSync(launcher, guest.launcher(argv.length), { mode: 0o755 });
  const options = ['-v', '1', '--kill-on-exit', '-i', `${user.uid}:${user.gid}`, '-k', kernelNames(hostname), '-r', root, '-w', cwd];
  const bound = [...binds, { hostPath: launcher, target: LAUNCHER }].flatMap(({ hostPath, target }) => ['-b', `${hostPath}:${target}`]);
  return {
    argv: [proot, ...options, ...bound, LAUNCHER, path, ...argv, '', ...env],
    // Packages of proot are built without the filters that it could have of its own.
    env: ['PROOT_NO_SECCOMP=1', `PROOT_TMP_DIR=${temporary}`],
    command: argv[0] ?? '',
    files: place.landlock < LANDLOCK_NEEDED ? null : rules({ root, home, proot, binds, version: place.landlock }),
  };
}

/** Since this version (Linux 6.2) truncating can be held, and files can be moved between folders all the same. */
const LANDLOCK_NEEDED = 3;
/** What proot itself may need to be started: programs, libraries, and where they are looked up. */
const SYSTEM = ['/usr', '/bin', '/lib', '/lib64', '/etc/ld.so.cache', '/etc/ld.so.preload', '/etc/alternatives'];

interface RulePlace extends Pick<FolderCommand, 'root' | 'binds'> {
  readonly home: string;
  readonly proot: string;
  readonly version: number;
}

function rules({ root, binds, home, proot, version }: RulePlace): FileRules {
  const shown = binds.map(({ hostPath }) => hostPath);
  const own = [dirname(proot), join(dirname(proot), '../lib')];
  return { version, writable: [root, home, '/proc', '/dev', ...shown], readable: [...SYSTEM, ...own, '/sys'] };
}

/** As proot's option -k takes it: uname(2), the domain, and the personality, each after a backslash. */
function kernelNames(hostname: string): string {
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  return ['', 'Linux', hostname, release(), '#1', machine, '(none)', '0', ''].join('\\');
}

interface Ended {
  readonly path: string;
  readonly status: ExitStatus;
  readonly view: ReturnType<typeof guestFiles>;
}

/** proot's own exit code is that of whichever process ended last, so what it says of the first one counts. */
function commandStatus(said: string, { path, status, view }: Ended): ExitStatus {
  const failure = said.indexOf(LAUNCH_FAILED);
  if (failure >= 0) {
    const errno = said.charCodeAt(failure + LAUNCH_FAILED.length);
    const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `errno ${errno}`;
    throw executionError(explain(path, code, view));
  }
  const ended = /^proot info: vpid 1: (?:exited with status (\d+)|terminated with signal (\d+))$/m.exec(said);
  if (ended?.[1] !== undefined) return { kind: 'code', code: Number(ended[1]) };
  const signal = Object.entries(constants.signals).find(([, number]) => number === Number(ended?.[2]))?.[0];
  if (signal !== undefined) return { kind: 'signal', signal };
  // Killed itself, by whoever runs out of memory.
  if (status.kind === 'signal') return status;
  const why = said.split('\n').filter((line) => /^proot (error|warning)/.test(line));
  throw setupFailed('run the command by proot', why.length === 0 ? `it ended with ${status.code}` : why.join('; '), null);
}

function spawnProgram({ node, run }: ProotPrograms, stdout: number): ReturnType<typeof spawn> {
  return spawn(node, [run], {
    cwd: '/',
    env: nodeEnvironment(),
    stdio: ['ignore', stdout, 'pipe', 'pipe', 'pipe'],
    // Ctrl-C at the terminal reaches tsbuild alone. As the leader of a session of its own it has no terminal either.
    detached: true,
  });
}
