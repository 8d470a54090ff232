/** Runs its arguments with Node inside a user namespace, as the CLI does for an ordinary user. */
import { constants } from 'node:os';
import { reexecInUserNamespace } from '../../src/backend/namespaces/userns.ts';

const result = await reexecInUserNamespace({ argv: [process.execPath, ...process.argv.slice(2)], env: process.env });
if (result.kind === 'unavailable') {
  process.stderr.write(`${result.why}; ${result.hint}\n`);
  process.exitCode = 99;
} else {
  const { status } = result;
  process.exitCode = status.kind === 'code' ? status.code : 128 + (constants.signals[status.signal as NodeJS.Signals] ?? 0);
}
