/** A proot for tests: that of this machine, or the one that .ci/fetch-proot has put beside what tests keep between runs. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './tools.ts';

export function testProot(): string | undefined {
  const given = process.env['TSBUILD_TEST_PROOT'];
  if (given !== undefined) return given;
  const cache = process.env['TSBUILD_TEST_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tsbuild-tests');
  const fetched = join(cache, 'proot/bin/proot');
  return existsSync(fetched) ? fetched : findProgram('proot');
}
