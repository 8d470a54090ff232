/** One COPY, ADD or WORKDIR: gathers its sources and lets copy/ turn them into entries. No rootfs is made. */
import { bytesOf } from '../bytes/byte-path.ts';
import type { CopyInput, Owner } from '../copy/copy.ts';
import { copyEntries } from '../copy/copy-entries.ts';
import type { TreeInput } from '../copy/find-sources.ts';
import { modeChange } from '../copy/mode.ts';
import { folderOwner, resolveOwner } from '../copy/users.ts';
import { workdirEntries } from '../copy/workdir.ts';
import { TsbuildError } from '../errors.ts';
import type { LayerEntry } from '../layer/entry.ts';
import type { FileTree } from '../layer/tree.ts';
import type { CopySource, CopyStep, WorkdirStep } from '../plan/plan.ts';
import type { OpenContext } from './contexts.ts';
import type { StageContext } from './stage-context.ts';
import { readAccounts } from './tree-files.ts';

/** `into`: the stage's files so far. */
export async function copyStepEntries(step: CopyStep, into: FileTree, context: StageContext): Promise<readonly LayerEntry[]> {
  const { ports, signal } = context;
  const inputs: CopyInput[] = [];
  for (const source of step.sources) inputs.push(await copyInput(source, step, context));
  const result = await copyEntries({
    inputs,
    dest: step.dest,
    into,
    owner: step.chown === null ? null : await ownerOf(step.chown, into, signal),
    mode: step.chmod === null ? null : modeChange(step.chmod),
    exclude: step.exclude,
    parents: step.parents,
    link: step.link,
    xattrs: step.origin.kind === 'context' ? 'drop' : 'keep',
    archives: archivesOf(step),
    nowNs: nowNs(ports.now()),
    scratchFolder: ports.scratchFolder,
    signal,
  });
  for (const message of result.warnings) ports.report({ type: 'warning', message, at: step.at });
  return result.entries;
}

export async function workdirStepEntries(step: WorkdirStep, into: FileTree, context: StageContext): Promise<readonly LayerEntry[]> {
  const accounts = await readAccounts(into, context.signal);
  // Where there is no file at all BuildKit has nowhere to look, and fails for a name.
  if (into.list('').length === 0) resolveOwner(step.user, accounts);
  const { unknown, ...owner } = folderOwner(step.user, accounts);
  for (const what of unknown) {
    context.ports.report({ type: 'warning', message: `${what} of the image: WORKDIR takes 0 for it, and RUN would fail`, at: step.at });
  }
  return workdirEntries(step.path, owner, into, nowNs(context.ports.now()));
}

async function ownerOf(chown: string, into: FileTree, signal: AbortSignal): Promise<Owner> {
  return resolveOwner(chown, await readAccounts(into, signal));
}

function archivesOf(step: CopyStep): 'extract' | 'keep' | 'extract-all' {
  if (step.instruction === 'COPY' || step.unpack === false) return 'keep';
  return step.unpack === true ? 'extract-all' : 'extract';
}

export function contextInput({ context, label }: OpenContext, pattern: string): TreeInput {
  return { kind: 'tree', tree: context.tree, pattern, hiddenBy: (path) => context.hiddenBy(path), label };
}

/** Fetches what is to be fetched. */
export async function copyInput(
  source: CopySource,
  step: CopyStep,
  context: Pick<StageContext, 'ports' | 'signal' | 'files'>,
): Promise<CopyInput> {
  const { ports, signal } = context;
  switch (source.kind) {
    case 'path': {
      const files = await context.files(step.origin, 'index');
      if (files.kind === 'layers') return { kind: 'tree', tree: files.tree, pattern: source.pattern, label: files.label };
      return contextInput(files, source.pattern);
    }
    case 'inline': {
      const bytes = Buffer.from(source.body);
      const content = { at: 'memory', bytes } as const;
      return { kind: 'file', name: bytesOf(source.name), content, size: bytes.length, mode: 0o644, mtimeNs: nowNs(ports.now()) };
    }
    case 'git': {
      const { tree, label } = await ports.checkout(source.repository, signal);
      return { kind: 'tree', tree, pattern: '/', label };
    }
    case 'url': {
      const got = await ports.download(source.url, signal);
      if (step.checksum !== null && step.checksum !== got.digest) {
        throw new TsbuildError('ADD_FAILED', `the download has digest ${got.digest}, not ${step.checksum} as --checksum demands`, {
          hint: 'check that the URL still serves the file that you mean; if it does, update --checksum',
        });
      }
      return {
        kind: 'file',
        // BuildKit's name for a file that has none.
        name: bytesOf(got.name ?? '__unnamed__'),
        content: { at: 'host', path: got.path },
        size: got.size,
        mode: 0o600,
        // Not now: the same file makes the same layer.
        mtimeNs: nowNs(got.lastModified ?? new Date(0)),
      };
    }
  }
}

function nowNs(date: Date): bigint {
  return BigInt(date.getTime()) * 1_000_000n;
}
