/** Ties the command to this process: signals abort the build, broken pipes end nothing, and a second signal ends all. */
import { readFileSync } from 'node:fs';
import type { ReportWorld } from '../report/reporter.ts';
import { EXIT_CODE } from './exit-code.ts';
import { runCommand } from './run-command.ts';
import type { BundledPrograms } from './rungs.ts';

/** A terminal signals every process of the command, and a parent may hand the same signal on to its child. */
const SAME_SIGNAL_MS = 500;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface ProcessEnd {
  readonly code: number;
  /** `built`: by this process, not by another one that it started. */
  readonly ended: 'built' | 'other';
}

/** `argv` without node and script. */
export async function runProcess(argv: readonly string[], programs: BundledPrograms): Promise<ProcessEnd> {
  ignoreBrokenPipes();
  const abort = new AbortController();
  const received: { first: { readonly name: (typeof SIGNALS)[number]; readonly atMs: number } | null } = { first: null };
  for (const name of SIGNALS) {
    process.on(name, () => {
      const atMs = performance.now();
      // The user asked twice: whatever does not end by itself is left behind.
      if (received.first !== null && atMs - received.first.atMs > SAME_SIGNAL_MS) process.exit(EXIT_CODE[received.first.name]);
      received.first ??= { name, atMs };
      abort.abort();
    });
  }
  const warn = (message: string): void => void process.stderr.write(`warning: ${message}\n`);
  const code = await runCommand(argv, {
    env: process.env,
    cwd: process.cwd(),
    signal: abort.signal,
    report: reportWorld(),
    stdout: process.stdout.isTTY ? 'terminal' : 'pipe',
    stderr: process.stderr.isTTY ? 'terminal' : 'pipe',
    columns: process.stdout.columns ?? 80,
    writeResult: (text) => process.stdout.write(text),
    runElsewhere: async () => (await import('./user-namespace.ts')).runInUserNamespace(process.argv.slice(1)),
    runBuild: async (options, context) => (await import('./wire.ts')).runBuild(options, { ...context, programs }),
    openCache: async (cacheDir) => (await import('./cache-upkeep.ts')).openUpkeep(cacheDir, warn, abort.signal),
    runWarm: async (options, context) => (await import('./wire-warm.ts')).runWarm(options, context),
    examine: async (request) => (await import('./doctor-examine.ts')).examine({ ...request, programs }),
  });
  if (typeof code === 'number') return { code, ended: 'other' };
  if (code === 'cancelled') return { code: EXIT_CODE[received.first?.name ?? 'SIGINT'], ended: 'other' };
  return { code: EXIT_CODE[code], ended: code === 'built' ? 'built' : 'other' };
}

function reportWorld(): ReportWorld {
  return {
    write: (text) => process.stderr.write(text),
    size: () => (process.stderr.isTTY ? { columns: process.stderr.columns || 80, rows: process.stderr.rows || 24 } : null),
    now: () => new Date(),
    clock: () => performance.now() / 1000,
    readSource(file) {
      try {
        const text = readFileSync(file, 'utf8').replace(/^\ufeff/, '');
        return { file, lines: text.replace(/\r?\n$/, '').split(/\r?\n/) };
      } catch {
        // The place is shown without its lines: the error itself matters more than why its file is gone.
        return null;
      }
    },
  };
}

/** `tsbuild ... | head -1` closes our stdout early; the build goes on and its exit code stays its own. */
function ignoreBrokenPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
