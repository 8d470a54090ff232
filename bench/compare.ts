/**
 * Compares tsbuild with other builders on one machine: whole processes, from the start of the program to the image being in a
 * registry on loopback. Builders run by turns; the registry and the bases are the same for all.
 *
 *   npm run bench -- [--rounds N] [--scenario NAME]... [--builder NAME[:START]=COMMAND]... [--without NAME]... [--write FILE]
 *
 * builders.ts says what a COMMAND may hold, scenarios.ts what is built, measure.ts how it is measured. --write puts the table
 * between two marks of a Markdown file.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pushBase } from '../test/helpers/debian-base.ts';
import { startDockerRegistry } from '../test/helpers/docker-registry.ts';
import { missing } from '../test/helpers/tools.ts';
import { BUILDAH, buildersOf, tsbuild } from './builders.ts';
import { writeBetweenMarks } from './marks.ts';
import { runScenario } from './run-scenario.ts';
import { SCENARIOS } from './scenarios.ts';
import { memoryVerdict, type Result, table } from './table.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scenario: { type: 'string', multiple: true, default: Object.keys(SCENARIOS) },
    builder: { type: 'string', multiple: true, default: [] },
    without: { type: 'string', multiple: true, default: [] },
    write: { type: 'string' },
  },
});
const rounds = Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.');
const wanted = options.scenario.map((name) => {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`There is no scenario ${name}; there are: ${Object.keys(SCENARIOS).join(', ')}.`);
  return { name, scenario };
});
const builders = [tsbuild(), BUILDAH, ...buildersOf(options.builder)].filter(({ name }) => !options.without.includes(name));
const lacking = missing(['docker-registry', ...(builders.includes(BUILDAH) ? ['buildah'] : [])]);
if (lacking !== undefined) throw new Error(`The benchmark ${lacking}.`);

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-bench-'));
await using registry = await startDockerRegistry();
try {
  for (const base of ['busybox', 'debian'] as const) await pushBase(registry.host, base);
  const results: Result[] = [];
  for (const { name, scenario } of wanted) {
    const tell = (line: string): void => void process.stderr.write(`${line}\n`);
    const measures = await runScenario(name, scenario, builders, { registry: registry.host, scratch, rounds, tell });
    results.push({ scenario, measures });
  }
  const names = builders.map(({ name }) => name);
  const text = `${table(names, results)}\n\n${memoryVerdict(results)}`;
  process.stdout.write(`${text}\n`);
  if (options.write !== undefined) writeBetweenMarks(resolve(options.write), 'results', `${circumstances()}\n\n${text}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

function circumstances(): string {
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const processors = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;
  return `${processors}, ${memory} GiB, Node ${process.version}, ${rounds} alternating rounds, medians.`;
}
