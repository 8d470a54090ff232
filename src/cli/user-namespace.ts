/**
 * The step from an ordinary user's command into its user namespace. Beside wire.ts, because this process builds nothing then and
 * need not load what does.
 */
import { constants } from 'node:os';
import { reexecInUserNamespace } from '../backend/namespaces/userns.ts';

/**
 * An ordinary user's build runs as a second process inside a user namespace, where it is root. The exit code of that
 * process; null when this one is root already or no user namespace can be had: then the build goes on here, and fails
 * with the reason if it has to run a command.
 */
export async function runInUserNamespace(argv: readonly string[]): Promise<number | null> {
  if (process.geteuid?.() === 0) return null;
  const ended = await reexecInUserNamespace({ argv: [process.execPath, ...process.execArgv, ...argv], env: process.env });
  if (ended.kind === 'unavailable') return null;
  const { status } = ended;
  return status.kind === 'code' ? status.code : 128 + (constants.signals[status.signal as NodeJS.Signals] ?? 0);
}
