/**
 * Finds argv[0] and becomes it, as execvp(3) does, except that a file without `#!` is not given to a shell (runc does not
 * either). Where it cannot, says precisely why: a missing interpreter and a foreign architecture look like "not found" to execve(2).
 */
import { replaceProcess } from '../../sys/exec.ts';
import { systemError } from '../../sys/libc.ts';
import type { ExecFailure } from './command-report.ts';
import { AS_IT_IS, explainExecution, searchProgram } from './explain-execution.ts';

/** Runs in the rootfs, as the user and in the folder of the command. Returns only when no file could be executed. */
export function executeCommand(argv: readonly string[], env: readonly string[]): ExecFailure {
  return searchProgram(argv[0] ?? '', env, (path) => tryFile(path, argv, env));
}

/** undefined: there is no such file. */
function tryFile(path: string, argv: readonly string[], env: readonly string[]): ExecFailure | undefined {
  const errno = -replaceProcess(path, argv, env);
  return explainExecution(path, systemError(errno, 'execve').code ?? 'unknown error', AS_IT_IS);
}
