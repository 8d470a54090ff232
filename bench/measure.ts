/**
 * Runs a command line and measures its whole process tree. Memory is the highest sum of proportional set sizes (a page that n
 * processes share counts 1/n in each), looked at every 50 ms; processes of a RUN count, too.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Measure {
  /** From spawn to exit. */
  readonly seconds: number;
  /** User and system time of all processes that were waited for. */
  readonly cpuSeconds: number;
  /** Megabytes of 1,000,000 bytes. */
  readonly peakMB: number;
}

const SAMPLE_MS = 50;
const PAGE_BYTES = 4096;

/** `what`: for the error where it fails, which has the end of its output. */
export async function measure(what: string, command: string): Promise<Measure> {
  const log: Buffer[] = [];
  const times: Buffer[] = [];
  const begun = process.hrtime.bigint();
  // The shell's "times" knows of every descendant that was waited for.
  const child = spawn('sh', ['-c', `( ${command}\n) 3>&-; code=$?; times >&3; exit $code`], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const stop = memorySampler(child.pid ?? 0);
  child.stdout?.on('data', (chunk: Buffer) => log.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => log.push(chunk));
  child.stdio[3]?.on('data', (chunk: Buffer) => times.push(chunk));
  const code = await new Promise<number | null>((done, failed) => {
    child.once('error', failed);
    child.once('close', done);
  });
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  const peakMB = stop() / 1e6;
  if (code !== 0) throw new Error(`${what} exited with ${code}:\n${Buffer.concat(log).toString().slice(-4000)}`);
  return { seconds, cpuSeconds: cpuSecondsOf(Buffer.concat(times).toString()), peakMB };
}

/** POSIX "times": the shell's own user and system time in one line, that of its children in the next, each as 1m2.3s. */
function cpuSecondsOf(times: string): number {
  const found = [...times.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds));
  if (found.length !== 4) throw new Error(`the shell's times are not understood: ${times}`);
  return (found[2] ?? 0) + (found[3] ?? 0);
}

/** Bytes. Remembers members of the tree, so that adopted orphans stay counted. */
function memorySampler(root: number): () => number {
  const members = new Set([root]);
  let peak = 0;
  const timer = setInterval(() => {
    addDescendants(members);
    // To read proportional sizes takes the kernel a walk through all pages, and they never exceed the resident ones.
    if (sum(members, residentBytes) <= peak) return;
    peak = Math.max(peak, sum(members, proportionalBytes));
  }, SAMPLE_MS);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

function addDescendants(members: Set<number>): void {
  const parentOf = parents();
  for (const pid of members) if (!parentOf.has(pid)) members.delete(pid);
  for (let grown = true; grown; ) {
    grown = false;
    for (const [pid, parent] of parentOf) {
      if (!members.has(parent) || members.has(pid)) continue;
      members.add(pid);
      grown = true;
    }
  }
}

/** pid to parent, for every process. */
function parents(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProc(`${name}/stat`);
    if (stat === undefined) continue;
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    found.set(Number(name), Number(fields[1]));
  }
  return found;
}

function sum(members: ReadonlySet<number>, bytesOf: (pid: number) => number): number {
  let total = 0;
  for (const pid of members) total += bytesOf(pid);
  return total;
}

function residentBytes(pid: number): number {
  return Number(readProc(`${pid}/statm`)?.split(' ')[1] ?? 0) * PAGE_BYTES;
}

function proportionalBytes(pid: number): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(readProc(`${pid}/smaps_rollup`) ?? '')?.[1] ?? 0) * 1024;
}

/** undefined: it ended while the list was read. */
function readProc(file: string): string | undefined {
  try {
    return readFileSync(`/proc/${file}`, 'latin1');
  } catch {
    return undefined;
  }
}
