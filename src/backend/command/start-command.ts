/** StartCommand by run.ts: each command is a process of this machine's own, in a root of its own or in this one. */
import { spawn } from 'node:child_process';
import type { ExitStatus } from '../backend.ts';
import type { CommandEvents, FolderCommand, StartCommand } from '../folder/parts.ts';
import type { CommandReport } from './command-report.ts';
import type { CommandSpec } from './command-spec.ts';
import { outcomeOf } from './outcome.ts';
import type { ProcessTree } from './process-tree.ts';
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
}

export function startCommand({ programs, tree, root, capabilities }: CommandPlace): StartCommand {
  return () => {
    const process = startedProcess<CommandReport>((stdout) => spawnProgram(programs, stdout));
    const { child, exit, output, outputEnded, messages, reports, tell } = process;
    return {
      async run(command, { output: onOutput, started, signal }: CommandEvents): Promise<ExitStatus> {
        const abort = (): void => void child.kill('SIGKILL');
        signal.addEventListener('abort', abort, { once: true });
        try {
          if (signal.aborted) abort();
          output.on('data', onOutput);
          reports.listen(({ kind }) => (kind === 'executing' ? started() : undefined));
          tell(JSON.stringify(specOf(command, root === 'chroot' ? command.root : null, capabilities)));
          const status = await exit;
          await tree.kill(child);
          // Whoever held the pipes is dead.
          const [said] = await Promise.all([messages, outputEnded, reports.ended]);
          signal.throwIfAborted();
          return outcomeOf(status, reports.all().at(-1), said);
        } finally {
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

function specOf({ argv, env, cwd, user, network }: FolderCommand, root: string | null, capabilities: bigint): CommandSpec {
  return { root, network, argv, env, cwd, user, capabilities: capabilities.toString(16) };
}

function spawnProgram({ node, run }: CommandPrograms, stdout: number): ReturnType<typeof spawn> {
  const libraries = process.env['LD_LIBRARY_PATH'];
  return spawn(node, [run], {
    cwd: '/',
    // What Node itself may need to start. The command gets exactly its own environment.
    env: libraries === undefined ? {} : { LD_LIBRARY_PATH: libraries },
    stdio: ['ignore', stdout, 'pipe', 'pipe', 'pipe'],
    // Ctrl-C at the terminal reaches tsbuild alone. As the leader of a session of its own it has no terminal either.
    detached: true,
  });
}
