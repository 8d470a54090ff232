/**
 * Where tsbuild's time goes: runs scenarios of the benchmark under V8's profiler and adds up self time by area.
 *
 *   npm run bench:profile -- [--scenario NAME]... [--write FILE]
 *
 * What the main thread does is the profile's; hashing and compression on other threads and the processes of RUNs are in "other
 * threads and processes", which is the processor time of the whole tree less that. The profiler itself costs some percent.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pushBase } from '../test/helpers/debian-base.ts';
import { startDockerRegistry } from '../test/helpers/docker-registry.ts';
import { tsbuild } from './builders.ts';
import { writeBetweenMarks } from './marks.ts';
import { areaReader, type CpuProfile, selfTimes } from './profile-areas.ts';
import { runScenario } from './run-scenario.ts';
import { SCENARIOS } from './scenarios.ts';

const { values: options } = parseArgs({
  options: { scenario: { type: 'string', multiple: true, default: Object.keys(SCENARIOS) }, write: { type: 'string' } },
});
const SHOWN_AREAS = 6;

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-profile-'));
await using registry = await startDockerRegistry();
try {
  for (const base of ['busybox', 'debian'] as const) await pushBase(registry.host, base);
  const rows: string[] = [];
  for (const name of options.scenario) {
    const scenario = SCENARIOS[name];
    if (scenario === undefined) throw new Error(`There is no scenario ${name}; there are: ${Object.keys(SCENARIOS).join(', ')}.`);
    const profiles = mkdtempSync(join(scratch, 'profiles-'));
    const builder = tsbuild(['--cpu-prof', `--cpu-prof-dir=${profiles}`]);
    const tell = (line: string): void => void process.stderr.write(`${line}\n`);
    const measures = await runScenario(name, scenario, [builder], { registry: registry.host, scratch, rounds: 1, tell });
    const [measured] = measures.get(builder.name) ?? [];
    if (measured === undefined) throw new Error(`tsbuild has no command for ${name}`);
    const areas = selfTimes(lastProfile(profiles), areaReader(readFileSync('dist/cli/main.cjs', 'latin1')));
    const main = [...areas.values()].reduce((sum, seconds) => sum + seconds, 0);
    const shown = [...areas].sort(([, a], [, b]) => b - a).slice(0, SHOWN_AREAS);
    const elsewhere = Math.max(0, measured.cpuSeconds - main).toFixed(2);
    rows.push(
      `| ${name} | ${measured.seconds.toFixed(2)} | ${main.toFixed(2)} | ${elsewhere} | ${shown.map(([area, s]) => `${area} ${s.toFixed(2)}`).join(', ')} |`,
    );
  }
  const head = [
    '| scenario | wall, s | main thread, s | other threads and processes, s | of the main thread, s |',
    '|---|--:|--:|--:|---|',
  ];
  const text = [...head, ...rows].join('\n');
  process.stdout.write(`${text}\n`);
  if (options.write !== undefined) writeBetweenMarks(resolve(options.write), 'profile', text);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Of the measured build: a priming one comes before it, and times are in the names. */
function lastProfile(folder: string): CpuProfile {
  const last = readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .sort()
    .at(-1);
  if (last === undefined) throw new Error('Node wrote no profile');
  return JSON.parse(readFileSync(join(folder, last), 'utf8')) as CpuProfile;
}
