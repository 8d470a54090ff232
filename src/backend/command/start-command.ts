/** StartCommand by run.ts: each command is a process of this machine's own, in a root of its own or in this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { nodeEnvironment } from '../../sys/node-environment.ts';
import type { ExitStatus } from '../backend.ts';
import type { CommandConfinement } from '../confined/command-confinement.ts';
import type { Confinement } from '../confined/confinement.ts';
import type { CommandEvents, FolderCommand, StartCommand } from '../folder/parts.ts';
import type { Supervisor } from '../supervised/supervise.ts';
import type { CommandSpec, RunReport } from './command-spec.ts';
import { outcomeOf } from './outcome.ts';
import type { ProcessTree } from './process-tree.ts';
import { setupFailed } from './run-errors.ts';
import { ignore, startedProcess } from './started-process.ts';

export interface CommandPrograms {
  readonly node: string;
  /** The bundled run.ts. */
  readonly run: string;
}

export interface CommandPlace {
  readonly programs: CommandPrograms;
  readonly tree: ProcessTree;
  /** `chroot`: to the rootfs of the command. */
  readonly root: 'chroot' | 'as it is';
  /** The most that a command may have: bit n is capability n. */
  readonly capabilities: bigint;
  readonly confinement?: CommandConfinement | undefined;
}

export function startCommand({ programs, tree, root, capabilities, confinement }: CommandPlace): StartCommand {
  return () => {
    const process = startedProcess<RunReport>((stdout) => spawnProgram(programs, stdout));
    const { child, exit, output, outputEnded, messages, reports, tell } = process;
    return {
      async run(command, { output: onOutput, started, signal }: CommandEvents): Promise<ExitStatus> {
        const abort = (): void => void child.kill('SIGKILL');
        const confined = confinement?.next() ?? null;
        const helped = helper(child, confinement, confined);
        signal.addEventListener('abort', abort, { once: true });
        try {
          if (signal.aborted) abort();
          output.on('data', onOutput);
          reports.listen((report) => {
            if (report.kind === 'executing') started();
            if (report.kind === 'listening') helped.listen(report.fd);
          });
          tell(JSON.stringify({ ...specOf(command, root === 'chroot' ? command.root : null, capabilities), confinement: confined }));
          const status = await exit;
          await tree.kill(child);
          // Whoever held the pipes is dead.
          const [said] = await Promise.all([messages, outputEnded, reports.ended]);
          signal.throwIfAborted();
          helped.throwIfFailed();
          return outcomeOf(status, reports.all().at(-1), said);
        } finally {
          helped.stop();
          signal.removeEventListener('abort', abort);
        }
      },
      async cancel() {
        tell('');
        child.kill('SIGKILL');
        output.resume();
        await Promise.all([exit.catch(ignore), outputEnded]);
      },
    };
  };
}

interface Helper {
  listen(fd: number): void;
  /** Throws BACKEND_FAILED. */
  throwIfFailed(): void;
  stop(): void;
}

/** A command that is not helped any more would fail without a reason, so it is killed. */
function helper(child: ChildProcess, by: CommandConfinement | undefined, confined: Confinement | null): Helper {
  let supervisor: Supervisor | undefined;
  let failure: { readonly error: unknown } | undefined;
  const failed = (error: unknown): void => {
    failure = { error };
    child.kill('SIGKILL');
  };
  return {
    listen(fd) {
      try {
        if (by === undefined || confined === null) throw new Error('nobody is to help this command');
        supervisor = by.help({ pid: child.pid ?? 0, fd }, confined, failed);
      } catch (error) {
        failed(error);
      }
    },
    throwIfFailed() {
      if (failure === undefined) return;
      const { message, code } = failure.error as NodeJS.ErrnoException;
      throw setupFailed('help the command with new files beside those of tsbuild', message, code ?? null);
    },
    stop: () => supervisor?.stop(),
  };
}

function specOf(
  { argv, env, cwd, user, network }: FolderCommand,
  root: string | null,
  capabilities: bigint,
): Omit<CommandSpec, 'confinement'> {
  return { root, network, argv, env, cwd, user, capabilities: capabilities.toString(16) };
}

function spawnProgram({ node, run }: CommandPrograms, stdout: number): ReturnType<typeof spawn> {
  return spawn(node, [run], {
    cwd: '/',
    env: nodeEnvironment(),
    stdio: ['ignore', stdout, 'pipe', 'pipe', 'pipe'],
    // Ctrl-C at the terminal reaches tsbuild alone. As the leader of a session of its own it has no terminal either.
    detached: true,
  });
}
