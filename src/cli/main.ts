/**
 * Where the process begins and ends. Bundled as dist/cli/main.cjs, which bin/tsbuild.js starts. Everything but the version is
 * loaded on demand, because scripts ask for `--version` often and every build pays for what is loaded before it.
 */
import { join } from 'node:path';
import { VERSION } from './version.ts';

/** `argv` without node and script. Sets the exit code; `built`: a build ended well in this process. Never rejects. */
export async function main(argv: readonly string[]): Promise<'built' | 'other'> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${VERSION}\n`);
    return 'other';
  }
  const { runProcess } = await import('./run-process.ts');
  const backend = join(import.meta.dirname, '..', 'backend');
  const programs = {
    init: join(backend, 'namespaces', 'init.cjs'),
    run: join(backend, 'command', 'run.cjs'),
    runProot: join(backend, 'proot', 'run-proot.cjs'),
  };
  const { code, ended } = await runProcess(argv, programs);
  process.exitCode = code;
  return ended;
}
