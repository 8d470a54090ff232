/**
 * The processes of a command where no pid namespace holds them. tsbuild takes over the orphans of its descendants, so a daemon
 * that left its parents and its session is tsbuild's own child in the end: whatever tsbuild has as a child without having
 * started it is the command's. For rungs that run one command at a time. prctl(2) PR_SET_CHILD_SUBREAPER, proc_pid_stat(5).
 */
import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { adoptOrphans, collectIfDead } from '../../sys/process-family.ts';

export interface ProcessTree {
  /** Ends when nothing is left of the command whose first process is or was this one. */
  kill(first: ChildProcess): Promise<void>;
}

/** From now on this process takes over orphans. To be called once, before the first command, by the process that starts them. */
export function watchProcessTree(): ProcessTree {
  adoptOrphans();
  const before = new Set(processes().flatMap(({ pid, parent }) => (parent === process.pid ? [pid] : [])));
  const started = new Set<ChildProcess>();
  subscribe('child_process', (message) => {
    const { process: child } = message as { readonly process: ChildProcess };
    started.add(child);
    child.once('exit', () => started.delete(child));
    child.once('error', () => started.delete(child));
  });

  /** All that descends from the command's first process, and from orphans. The dead that are not collected yet are among them. */
  function family(first: ChildProcess): Member[] {
    const children = new Map<number, Member[]>();
    for (const member of processes()) children.set(member.parent, [...(children.get(member.parent) ?? []), member]);
    const own = new Set([...before, ...[...started].flatMap(({ pid }) => pid ?? [])]);
    const found: Member[] = [];
    const add = (member: Member): void => {
      found.push(member);
      for (const child of children.get(member.pid) ?? []) add(child);
    };
    for (const member of children.get(process.pid) ?? []) {
      if (member.pid === first.pid ? member.state !== 'Z' : !own.has(member.pid)) add(member);
    }
    return found;
  }

  return {
    async kill(first) {
      // Stopped ones start no others while the list is made, and still count where their number is limited.
      const stopped = new Set<number>();
      for (let waitMs = 1; ; ) {
        const members = family(first);
        if (members.length === 0) return;
        const running = members.filter(({ pid, state }) => state !== 'Z' && !stopped.has(pid));
        for (const { pid } of running) {
          stopped.add(pid);
          send(pid, 'SIGSTOP');
        }
        if (running.length > 0) continue;
        for (const { pid, parent } of members) {
          send(pid, 'SIGKILL');
          if (parent === process.pid && pid !== first.pid) collectIfDead(pid);
        }
        await setTimeout(waitMs);
        // Where timers are late, they alone would have their turn, and the exits that this waits for none.
        await setImmediate();
        waitMs = Math.min(2 * waitMs, 50);
      }
    },
  };
}

interface Member {
  readonly pid: number;
  readonly parent: number;
  /** `Z`: dead, but not collected. */
  readonly state: string;
}

function processes(): Member[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    // The name in parentheses may itself hold some.
    const [state = '', parent = ''] = statOf(name)
      .replace(/^.*\) /s, '')
      .split(' ', 2);
    return state === '' ? [] : [{ pid: Number(name), parent: Number(parent), state }];
  });
}

function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // It has just ended.
    return '';
  }
}

function send(pid: number, signal: 'SIGSTOP' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
