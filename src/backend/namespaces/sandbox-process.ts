/**
 * One RUN's process tree: setpriv (dies with tsbuild) -> unshare (the parent outside) -> init.ts, pid 1 of new namespaces,
 * which becomes the command. The tree is started before it is needed, since Node takes a while to start, and waits for its
 * spec. When pid 1 ends the kernel kills everything else in the namespace, and unshare, which waits for that, ends last.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { TsbuildError } from '../../errors.ts';
import type { DeviceMarks } from '../../layer/device-marks.ts';
import { nodeEnvironment } from '../../sys/node-environment.ts';
import type { ExitStatus } from '../backend.ts';
import { outcomeOf } from '../command/outcome.ts';
import { setupFailed } from '../command/run-errors.ts';
import { ignore, startedProcess } from '../command/started-process.ts';
import { type DeviceSupervisor, superviseDevices } from './device-supervisor.ts';
import type { InitReport, InitSpec } from './init-spec.ts';
import type { SandboxPrograms } from './programs.ts';

export interface SandboxRun {
  output(chunk: Uint8Array): void;
  /** The command is about to run. */
  started(): void;
  /** For a spec whose `devices` are asked for. */
  readonly devices: DeviceMarks | undefined;
  readonly signal: AbortSignal;
}

export interface SandboxProcess {
  /** Called at most once. Rejects with the signal's reason after an abort, BACKEND_FAILED and RUN_FAILED as Rootfs.run does. */
  run(spec: InitSpec, run: SandboxRun): Promise<ExitStatus>;
  /** Ends a process tree that was not needed. */
  cancel(): Promise<void>;
}

/** `folder`: the working directory of the programs outside the sandbox. Throws BACKEND_FAILED. */
export function startSandbox(programs: SandboxPrograms, folder: string): SandboxProcess {
  const { child, exit, output, outputEnded, messages, reports, tell } = startedProcess<InitReport>((stdout) =>
    spawnTree(programs, folder, stdout),
  );

  return {
    async run(spec, { output: onOutput, started, devices, signal }) {
      const abort = (): void => killTree(child);
      let supervisor: DeviceSupervisor | undefined;
      let unsupervised: TsbuildError | undefined;
      const listen = (fd: number): void => {
        try {
          supervisor = superviseDevices(firstProcess(child), fd, asked(devices));
        } catch (error) {
          const { message, code } = error as NodeJS.ErrnoException;
          unsupervised = setupFailed('watch for device nodes', message, code ?? null);
          abort();
        }
      };
      signal.addEventListener('abort', abort, { once: true });
      try {
        if (signal.aborted) abort();
        output.on('data', onOutput);
        reports.listen((report) => {
          if (report.kind === 'executing') started();
          if (report.kind === 'listening') listen(report.fd);
        });
        tell(JSON.stringify(spec));
        // The pipe of the reports stays open as long as unshare lives.
        const [status, said] = await Promise.all([exit, messages, outputEnded, reports.ended]);
        signal.throwIfAborted();
        if (unsupervised !== undefined) throw unsupervised;
        return withHint(outcome(status, reports.all(), said), { spec, devices, supervised: supervisor !== undefined });
      } finally {
        supervisor?.stop();
        signal.removeEventListener('abort', abort);
      }
    },
    async cancel() {
      // Init takes an empty spec as its leave; one that is born only now is not met by the kill.
      tell('');
      killTree(child);
      output.resume();
      await Promise.all([exit.catch(ignore), outputEnded]);
    },
  };
}

/** Arguments of setpriv, up to options of unshare. */
export function namespaceArguments(unshare: string): string[] {
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child=KILL', '--ipc', '--uts'];
  return ['--pdeathsig=KILL', '--', unshare, ...namespaces];
}

function spawnTree({ setpriv, unshare, node, init }: SandboxPrograms, folder: string, writeEnd: number): ChildProcess {
  return spawn(setpriv, [...namespaceArguments(unshare), '--', node, init], {
    cwd: folder,
    env: nodeEnvironment(),
    // stdout is that of the command; stderr, until init joins it, takes the messages of everything before.
    stdio: ['ignore', writeEnd, 'pipe', 'pipe', 'pipe'],
    // Ctrl-C at the terminal reaches tsbuild alone, which then ends this tree.
    detached: true,
  });
}

/** `said`: the messages of setpriv, unshare and Node. */
function outcome(status: ExitStatus, reports: readonly InitReport[], said: string): ExitStatus {
  const ended = outcomeOf(status, reports.at(-1), said);
  return said.includes(UNSHARE_ON_SIGKILL) ? { kind: 'signal', signal: 'SIGKILL' } : ended;
}

interface Circumstances {
  readonly spec: InitSpec;
  readonly devices: DeviceMarks | undefined;
  readonly supervised: boolean;
}

/** The kernel gives no reason beyond "operation not permitted". */
function withHint(status: ExitStatus, { spec, devices, supervised }: Circumstances): ExitStatus {
  if (status.kind !== 'code' || status.code === 0 || devices === undefined || supervised) return status;
  return /\bmknod\b/.test(spec.argv.join(' ')) ? { ...status, hint: NO_DEVICES } : status;
}

const NO_DEVICES =
  'an ordinary user can make device nodes only since Linux 5.6, and in a container only where its seccomp profile allows pidfd_getfd: build as root otherwise';

/**
 * unshare ends by the signal that ended its child, but up to util-linux 2.39 it fails to do so for SIGKILL, which is what
 * the kernel sends when memory runs out; it says this then, and exits with 1. No language: its environment is empty.
 */
const UNSHARE_ON_SIGKILL = 'sigprocmask unblock failed';

/**
 * Kills pid 1 of the namespace rather than unshare: unshare then ends when the whole tree is dead. Before unshare has
 * forked it is killed itself, and an init born in that moment finds its pipe closed and leaves.
 */
function killTree(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const inside = childrenOf(child.pid);
  if (inside.length === 0) child.kill('SIGKILL');
  for (const pid of inside) kill(pid);
}

function asked(devices: DeviceMarks | undefined): DeviceMarks {
  if (devices === undefined) throw new Error('nobody asked for device nodes');
  return devices;
}

/** Pid 1 of the namespace, as it is called outside. */
function firstProcess(child: ChildProcess): number {
  const [pid] = child.pid === undefined ? [] : childrenOf(child.pid);
  if (pid === undefined) throw new Error('the process that reported has no pid');
  return pid;
}

function childrenOf(pid: number): number[] {
  const children = readProc(`${pid}/task/${pid}/children`);
  if (children !== undefined)
    return children
      .split(' ')
      .filter((text) => text !== '')
      .map(Number);
  // It has just ended, or this kernel lacks CONFIG_PROC_CHILDREN. The parent is the second field after the name in parentheses.
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (name) =>
        readProc(`${name}/stat`)
          ?.replace(/^.*\) /s, '')
          .split(' ')[1] === String(pid),
    )
    .map(Number);
}

/** undefined: the process is gone, or there is no such file. */
function readProc(file: string): string | undefined {
  try {
    return readFileSync(`/proc/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
