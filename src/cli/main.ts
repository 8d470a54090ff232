/**
 * Where the process begins and ends: exit code, signals, streams. Everything else is loaded on demand, because scripts ask
 * for `--version` often and every build pays for what is loaded before it.
 */
import { VERSION } from './version.ts';

const argv = process.argv.slice(2);
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${VERSION}\n`);
} else {
  const { fileURLToPath } = await import('node:url');
  const { runProcess } = await import('./run-process.ts');
  process.exitCode = await runProcess(argv, fileURLToPath(new URL('../backend/namespaces/init.js', import.meta.url)));
}
