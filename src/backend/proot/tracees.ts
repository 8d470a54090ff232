/**
 * The processes of a command under proot: all that proot traces. proot kills them when the command ends, but not when it is itself
 * killed, nor what was forked in that very moment; and who ends without a parent has to be collected, where tsbuild is pid 1 of a
 * container or takes over orphans. proc_pid_status(5), proc_pid_stat(5).
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { adoptOrphans, collectIfDead } from '../../sys/process-family.ts';

export interface Tracees {
  /** Kills what this proot traces, so that it ends, too. */
  kill(proot: ChildProcess): Promise<void>;
  /** Ends when nothing is left of the command of a proot that has ended. Nothing of other proots is touched. */
  sweep(): Promise<void>;
  /** proot lives from here on. */
  add(proot: ChildProcess): void;
}

/** From now on this process takes over orphans. To be called once, by the process that starts proots. */
export function watchTracees(): Tracees {
  adoptOrphans();
  const before = new Set(processes().flatMap(({ pid, parent }) => (parent === process.pid ? [pid] : [])));
  const started = new Set<ChildProcess>();
  const proots = new Set<ChildProcess>();
  subscribe('child_process', (message) => {
    const { process: child } = message as { readonly process: ChildProcess };
    started.add(child);
    for (const end of ['exit', 'error']) child.once(end, () => started.delete(child));
  });

  /** Orphans that no living proot traces. */
  function strays(): Process[] {
    const own = new Set([...before, ...[...started].flatMap(({ pid }) => pid ?? [])]);
    const tracers = new Set([...proots].flatMap(({ pid }) => pid ?? []));
    const children = new Map<number, Process[]>();
    for (const one of processes()) children.set(one.parent, [...(children.get(one.parent) ?? []), one]);
    const found: Process[] = [];
    const add = (one: Process): void => {
      if (tracers.has(tracerOf(one.pid))) return;
      found.push(one);
      for (const child of children.get(one.pid) ?? []) add(child);
    };
    for (const one of children.get(process.pid) ?? []) if (!own.has(one.pid)) add(one);
    return found;
  }

  return {
    add(proot) {
      proots.add(proot);
      proot.once('exit', () => proots.delete(proot));
    },
    async kill(proot) {
      while (proot.exitCode === null && proot.signalCode === null) {
        const tracees = processes().filter(({ pid }) => tracerOf(pid) === proot.pid);
        // It has none yet: it is not proot yet, or about to start the first.
        if (tracees.length === 0) proot.kill('SIGKILL');
        for (const { pid } of tracees) send(pid, 'SIGKILL');
        await pause(2);
      }
    },
    async sweep() {
      for (let waitMs = 1; ; waitMs = Math.min(2 * waitMs, 50)) {
        const left = strays();
        if (left.length === 0) return;
        for (const { pid, parent } of left) {
          send(pid, 'SIGKILL');
          if (parent === process.pid) collectIfDead(pid);
        }
        await pause(waitMs);
      }
    },
  };
}

/** Timers that are late come one after the other, and the end of a process would never be heard of in between. */
async function pause(ms: number): Promise<void> {
  await setTimeout(ms);
  await setImmediate();
}

interface Process {
  readonly pid: number;
  readonly parent: number;
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    // The name in parentheses may itself hold some.
    const [, parent] = read(`/proc/${name}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ', 2);
    return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }];
  });
}

/** 0: nobody traces it, or it has ended. */
function tracerOf(pid: number): number {
  return Number(/^TracerPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has just ended.
    return '';
  }
}

function send(pid: number, signal: 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
