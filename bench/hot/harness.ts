/**
 * One hot path beside its floor: what we do, in this process, against the program that does nothing else. All take turns, and
 * processor time counts (all threads, and children once they have ended), so that a busy machine matters little.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { missing } from '../../test/helpers/tools.ts';

export interface Contender {
  readonly name: string;
  /** Programs that it needs; without them it is left out, and that is said. */
  readonly needs?: readonly string[];
  /** Once, whole. Resolves to how many bytes came out, where that says something. */
  run(): Promise<number | undefined>;
}

export interface Race {
  readonly title: string;
  /** What one run gets through, for the rates. */
  readonly bytes: number;
  readonly rounds: number;
  /** The others are compared with the first. */
  readonly contenders: readonly Contender[];
}

interface Lap {
  readonly wall: number;
  readonly processor: number;
  readonly out: number | undefined;
}

/** Prints a table: medians, and the processor time of each in terms of the first. */
export async function race({ title, bytes, rounds, contenders }: Race): Promise<void> {
  const ready = contenders.filter(({ name, needs }) => {
    const why = missing(needs ?? []);
    if (why !== undefined) console.log(`without ${name}: ${why}`);
    return why === undefined;
  });
  const laps = new Map<Contender, Lap[]>(ready.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++) for (const [contender, own] of laps) own.push(await lap(contender));
  const megabytes = bytes / 1e6;
  const first = laps.get(ready[0] as Contender) ?? [];
  console.log(`\n${title}: ${megabytes.toFixed(1)} MB, ${rounds} rounds\n`);
  console.log('| | wall, s | processor, s | processor, s per 100 MB | ÷ first | bytes out |\n|---|--:|--:|--:|--:|--:|');
  for (const [{ name }, own] of laps) {
    const [wall, processor] = [median(own.map((l) => l.wall)), median(own.map((l) => l.processor))];
    const ratio = processor / median(first.map((l) => l.processor));
    const cells = [wall.toFixed(2), processor.toFixed(2), ((processor / megabytes) * 100).toFixed(2), ratio.toFixed(2), own[0]?.out ?? ''];
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}

async function lap(contender: Contender): Promise<Lap> {
  const [cpu, children, begun] = [process.cpuUsage(), childrensTime(), process.hrtime.bigint()];
  const out = await contender.run();
  const wall = Number(process.hrtime.bigint() - begun) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, processor: (user + system) / 1e6 + childrensTime() - children, out };
}

/** Seconds of all children that have ended, in steps of a hundredth. */
function childrensTime(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  // Behind the name in parentheses, which may hold anything: fields 3 and on; 16 and 17 are the children's.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Runs a program from a file (else nothing) into a file (else nowhere). Rejects when it does not exit with 0. */
export async function program(
  argv: readonly [string, ...string[]],
  io: { readonly input?: string; readonly output?: string } = {},
): Promise<void> {
  const [command, ...args] = argv;
  const files = [
    io.input === undefined ? undefined : openSync(io.input, 'r'),
    io.output === undefined ? undefined : openSync(io.output, 'w'),
  ] as const;
  try {
    const child = spawn(command, args, { stdio: [files[0] ?? 'ignore', files[1] ?? 'ignore', 'inherit'] });
    const code = await new Promise<number | null>((done, failed) => {
      child.once('error', failed);
      child.once('close', done);
    });
    if (code !== 0) throw new Error(`${argv.join(' ')} exited with ${code}`);
  } finally {
    for (const fd of files) if (fd !== undefined) closeSync(fd);
  }
}

/** Whatever `work` leaves in the folder is gone afterwards. */
export async function inTemporaryFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-hot-'));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
