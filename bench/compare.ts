/**
 * Compares tsbuild with other builders on one machine: whole processes, cold, from the start of the program to the image being in
 * the registry. Builders run by turns, each with a new state folder; the registry and the bases are the same for all.
 *
 *   npm run bench -- [--rounds N] [--scenario NAME]... [--builder 'NAME=COMMAND']... [--write docs/BENCHMARKS.md]
 *
 * A COMMAND is for sh -c; {context}, {dockerfile}, {destination}, {registry}, {state} (an empty folder of this run) are filled in.
 * Wall time is from spawn to exit. Memory is the highest sum of the resident sets of the process tree, sampled from /proc every
 * 50 ms: pages that processes share count once for each, and RUN's own processes count too.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pushBase } from '../test/helpers/debian-base.ts';
import { startDockerRegistry } from '../test/helpers/docker-registry.ts';
import { missing } from '../test/helpers/tools.ts';
import { SCENARIOS } from './scenarios.ts';

interface Builder {
  readonly name: string;
  readonly command: string;
}

interface Measure {
  readonly seconds: number;
  readonly peakRssMiB: number;
}

const TSBUILD: Builder = {
  name: 'tsbuild',
  command:
    `exec '${process.execPath}' bin/tsbuild.js --context {context} --dockerfile {dockerfile} --destination {destination}` +
    ' --insecure-registry {registry} --registry-mirror {registry} --cache-dir {state}/cache --progress plain',
};

const BUILDAH: Builder = {
  name: 'buildah',
  command: [
    `printf '[[registry]]\\nprefix = "docker.io"\\nlocation = "{registry}"\\ninsecure = true\\n' > {state}/registries.conf`,
    'export STORAGE_DRIVER=overlay TMPDIR={state} CONTAINERS_REGISTRIES_CONF={state}/registries.conf',
    "B='buildah --root {state}/root --runroot {state}/run'",
    '$B bud -q --isolation=chroot --tls-verify=false --layers=false -f {dockerfile} -t {destination} {context}',
    'exec $B push -q --tls-verify=false {destination}',
  ].join(' && '),
};

/** pid to parent, for every process. */
function parents(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The name in parentheses may hold anything.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      found.set(Number(name), Number(fields[1]));
    } catch {
      // It ended while the list was read.
    }
  }
  return found;
}

/** Adds up resident sets below a process, again and again; remembers members, so that adopted orphans stay counted. */
function rssSampler(root: number): () => number {
  const members = new Set([root]);
  let peakPages = 0;
  const sample = (): void => {
    const parentOf = parents();
    for (let grown = true; grown; ) {
      grown = false;
      for (const [pid, parent] of parentOf) {
        if (members.has(parent) && !members.has(pid)) {
          members.add(pid);
          grown = true;
        }
      }
    }
    let pages = 0;
    for (const pid of members) {
      if (!parentOf.has(pid)) {
        members.delete(pid);
        continue;
      }
      try {
        pages += Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]);
      } catch {
        members.delete(pid);
      }
    }
    peakPages = Math.max(peakPages, pages);
  };
  const timer = setInterval(sample, 50);
  return () => {
    clearInterval(timer);
    return (peakPages * 4096) / 2 ** 20;
  };
}

async function measure(builder: Builder, values: Readonly<Record<string, string>>): Promise<Measure> {
  const command = builder.command.replace(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole);
  const log: Buffer[] = [];
  const begun = process.hrtime.bigint();
  const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = rssSampler(child.pid ?? 0);
  child.stdout.on('data', (chunk: Buffer) => log.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk));
  const code = await new Promise<number | null>((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const peakRssMiB = stop();
  if (code !== 0) throw new Error(`${builder.name} exited with ${code}:\n${Buffer.concat(log).toString().slice(-4000)}`);
  return { seconds, peakRssMiB };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

type Results = ReadonlyMap<string, ReadonlyMap<string, readonly Measure[]>>;

function table(builders: readonly Builder[], results: Results): string {
  const [first, ...others] = builders.map((builder) => builder.name);
  const head = [
    'scenario',
    ...builders.map((b) => `${b.name}, s`),
    ...others.map((o) => `${o} ÷ ${first}`),
    ...builders.map((b) => `${b.name}, MiB`),
  ];
  const lines = [
    `| ${head.join(' | ')} |`,
    `|---|${head
      .slice(1)
      .map(() => '--:')
      .join('|')}|`,
  ];
  for (const [scenario, measures] of results) {
    const of = (name: string, what: keyof Measure): number => median((measures.get(name) ?? []).map((m) => m[what]));
    const cells = [
      ...builders.map((b) => of(b.name, 'seconds').toFixed(2)),
      ...others.map((o) => (of(o, 'seconds') / of(first ?? '', 'seconds')).toFixed(2)),
      ...builders.map((b) => of(b.name, 'peakRssMiB').toFixed(0)),
    ];
    lines.push(`| ${scenario} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function builderOf(text: string): Builder {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`--builder ${text}: expected NAME=COMMAND`);
  return { name: text.slice(0, at), command: text.slice(at + 1) };
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    scenario: { type: 'string', multiple: true },
    builder: { type: 'string', multiple: true },
    write: { type: 'string' },
  },
});
const lacking = missing(['docker-registry', ...(options.builder === undefined ? ['buildah'] : [])]);
if (lacking !== undefined) throw new Error(`The benchmark ${lacking}.`);
const builders = [TSBUILD, ...(options.builder?.map(builderOf) ?? [BUILDAH])];
const wanted = Object.entries(SCENARIOS).filter(([name]) => options.scenario?.includes(name) ?? true);
if (wanted.length === 0) throw new Error(`There is no such scenario; there are: ${Object.keys(SCENARIOS).join(', ')}.`);
const rounds = Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1.');

const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-bench-'));
await using registry = await startDockerRegistry();
try {
  for (const base of ['busybox', 'debian'] as const) await pushBase(registry.host, base);
  const results = new Map<string, Map<string, Measure[]>>();
  for (const [name, scenario] of wanted) {
    const context = join(scratch, name);
    mkdirSync(context);
    scenario.prepare(context);
    const dockerfile = join(scratch, `${name}.Dockerfile`);
    writeFileSync(dockerfile, scenario.dockerfile);
    const measures = new Map<string, Measure[]>(builders.map((builder) => [builder.name, []]));
    results.set(scenario.title, measures);
    for (let round = 0; round < rounds; round++) {
      // The order turns with each round, so that nobody always runs on what the other left in the page cache.
      for (const builder of round % 2 === 0 ? builders : builders.toReversed()) {
        const state = mkdtempSync(join(scratch, 'state-'));
        const destination = `${registry.host}/bench/${name}-${builder.name}-${round}:t`;
        const measured = await measure(builder, { context, dockerfile, destination, registry: registry.host, state });
        measures.get(builder.name)?.push(measured);
        process.stderr.write(`${name} ${builder.name} ${measured.seconds.toFixed(2)} s ${measured.peakRssMiB.toFixed(0)} MiB\n`);
        rmSync(state, { recursive: true, force: true });
      }
    }
    rmSync(context, { recursive: true, force: true });
  }
  const text = table(builders, results);
  process.stdout.write(`${text}\n`);
  if (options.write !== undefined) {
    const file = resolve(options.write);
    const memory = (totalmem() / 2 ** 30).toFixed(0);
    const where = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${memory} GiB, Node ${process.version}, ${rounds} alternating rounds, medians.`;
    const text0 = readFileSync(file, 'utf8');
    const replaced = text0.replace(
      /<!-- results -->[\s\S]*<!-- end of results -->/,
      `<!-- results -->\n${where}\n\n${text}\n<!-- end of results -->`,
    );
    if (replaced === text0) throw new Error(`${file} has no place for results.`);
    writeFileSync(file, replaced);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
