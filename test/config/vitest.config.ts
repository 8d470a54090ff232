/**
 * Two projects: `unit` is fast and needs nothing but Node and Debian's base tools; `integration` runs the built program with
 * real registries and other builders, one file at a time, and skips visibly what a machine lacks.
 */
import { mkdirSync } from 'node:fs';
import { availableParallelism, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { failedReporter } from './failed-reporter.ts';
import { skippedReporter } from './skipped-reporter.ts';

// Not in node_modules: the tests also run as a user who may not write there.
const ownFolder = join(tmpdir(), `tsbuild-vitest-${userInfo().uid}`);
mkdirSync(ownFolder, { recursive: true, mode: 0o700 });
// Without a login session there is no runtime folder, and skopeo then looks into one that belongs to root.
const runtimeFolder = userInfo().uid === 0 ? {} : { XDG_RUNTIME_DIR: process.env['XDG_RUNTIME_DIR'] ?? ownFolder };

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  cacheDir: ownFolder,
  test: {
    env: runtimeFolder,
    allowOnly: false,
    passWithNoTests: false,
    dangerouslyIgnoreUnhandledErrors: false,
    restoreMocks: true,
    setupFiles: ['test/config/umask.ts'],
    // Instead of one second, which processes may take to start on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    reporters: ['default', skippedReporter(), failedReporter()],
    // A log has a line for each file, not for each slow test: it may be cut to its end.
    slowTestThreshold: process.stdout.isTTY ? 300 : Number.POSITIVE_INFINITY,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
          // Two on a machine of two cores, where Vitest would leave one idle.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/config/build-first.ts'],
          // Builds share the machine's two cores, mounts and ports: one file, one test at a time.
          fileParallelism: false,
          maxConcurrency: 1,
          testTimeout: 300_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
