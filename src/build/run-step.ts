/** One RUN: its rootfs brought up to date, its user, environment and mounts resolved, its command run. */
import type { ExitStatus, Rootfs, RunMount } from '../backend/backend.ts';
import { resolveUser } from '../copy/users.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';
import type { RunStep } from '../plan/plan.ts';
import { openMounts } from './run-mounts.ts';
import type { StageContext } from './stage-context.ts';
import { readAccounts } from './tree-files.ts';

/** Runs the step in `rootfs`, which holds all layers of `tree`. Throws RUN_FAILED unless the command ends with 0. */
export async function executeRunStep(
  step: RunStep,
  place: { readonly rootfs: Rootfs; readonly tree: FileTree; readonly next: 'run' | 'none'; output(chunk: Uint8Array): void },
  context: StageContext,
): Promise<void> {
  const { signal } = context;
  const user = resolveUser(step.user, await readAccounts(place.tree, signal));
  await using opened = await openMounts(step, context);
  const env = lastOfEach([`HOME=${user.home}`, ...step.env, ...step.proxyEnv, ...opened.env]);
  const status = await place.rootfs.run(
    {
      argv: step.argv,
      env,
      cwd: step.cwd,
      user: { uid: user.uid, gid: user.gid, groups: user.groups },
      mounts: [...scriptMounts(step), ...opened.mounts],
      network: step.network,
      hostname: step.hostname,
      next: place.next,
      output: place.output,
    },
    signal,
  );
  if (status.kind === 'code' && status.code === 0) return;
  // Asked while what the command wrote is still there.
  throw runFailed(step, status, context.ports.fullDisk());
}

/** A secret replaces a variable of its name: what a program sees of two equal names is anybody's guess. */
function lastOfEach(pairs: readonly string[]): readonly string[] {
  const byName = new Map(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair]));
  return [...byName.values()];
}

/** Heredocs that begin with `#!` run as files that exist only while the step runs. */
function scriptMounts(step: RunStep): RunMount[] {
  return step.scripts.map(({ name, body }) => ({
    type: 'file',
    target: `/dev/pipes/${name}`,
    bytes: Buffer.from(body),
    mode: 0o755,
    uid: 0,
    gid: 0,
  }));
}

function runFailed(step: RunStep, status: ExitStatus, fullDisk: string | null): TsbuildError {
  const command = step.argv.join(' ').replaceAll('\n', ' ⏎ ');
  const shown = command.length > 200 ? `${command.slice(0, 200)}...` : command;
  const how = status.kind === 'code' ? `exit code ${status.code}` : `killed by ${status.signal}`;
  const full =
    fullDisk === null ? undefined : `the disk of ${fullDisk} is full: free disk space, or choose another folder with --cache-dir`;
  const hint = status.kind === 'code' ? (status.hint ?? full ?? hintFor(status.code, how)) : (full ?? hintFor(null, how));
  return new TsbuildError('RUN_FAILED', `the command "${shown}" failed: ${how}`, { hint });
}

function hintFor(code: number | null, how: string): string | undefined {
  if (code === 127) return 'the shell did not find a command: is it installed in this image, and is its folder in PATH?';
  if (code === 126) return 'the shell found the command but could not execute it: check its mode (chmod +x) and its first line';
  if (how.includes('SIGKILL') || code === 137)
    return 'SIGKILL often means that memory ran out: look at the memory limit of this machine or container';
  return undefined;
}
