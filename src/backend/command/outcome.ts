/** How the process that became a command ended, from its status and what it reported. */
import type { ExitStatus } from '../backend.ts';
import type { CommandReport } from './command-report.ts';
import { executionError, setupFailed } from './run-errors.ts';

/** Reports of other kinds do not count: after them the process is still at work. */
type Report = CommandReport | { readonly kind: 'listening' };

/** `said`: its messages. Throws BACKEND_FAILED and RUN_FAILED as Rootfs.run does. */
export function outcomeOf(status: ExitStatus, last: Report | undefined, said: string): ExitStatus {
  if (last?.kind === 'executing') return status;
  if (last?.kind === 'setup') throw setupFailed(last.what, last.why, last.code);
  if (last?.kind === 'exec') throw executionError(last);
  const how = status.kind === 'code' ? `exit code ${status.code}` : status.signal;
  throw setupFailed('start the sandbox', `${said.trim() === '' ? 'no message' : said.trim()} (${how})`, null);
}
