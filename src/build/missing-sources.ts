/**
 * What the steps of a plan ask of contexts and of the given secrets, looked up before the first of them runs: a step far
 * down need not be reached to know that its file is not there. Wildcards are left to their steps. Where a path leads, the
 * steps' own functions say; what they read here stays read.
 */
import { bytesOf, cleanPath } from '../bytes/byte-path.ts';
import { findParentsSources, findSources } from '../copy/find-sources.ts';
import type { TsbuildError } from '../errors.ts';
import { hasWildcard } from '../patterns/go-match.ts';
import { createFaults, type Faults } from '../plan/faults.ts';
import type { BuildPlan, CopyStep, RunStep } from '../plan/plan.ts';
import { type Contexts, contextOf, isContext } from './contexts.ts';
import { contextInput } from './copy-step.ts';
import type { Ports } from './ports.ts';
import { mountedPath, secretNotGiven } from './run-mounts.ts';

/** What other origins hold is not known yet. */
interface Surroundings extends Pick<Ports, 'secret'> {
  readonly contexts: Contexts;
}

/** In the order of lines. */
export async function missingSources(plan: BuildPlan, around: Surroundings): Promise<readonly TsbuildError[]> {
  const faults = createFaults();
  for (const step of plan.stages.flatMap(({ steps }) => steps)) {
    if (step.kind === 'copy') ofCopy(step, around, faults);
    if (step.kind === 'run') await ofMounts(step, around, faults);
  }
  return faults.all();
}

function ofCopy({ at, origin, sources, parents }: CopyStep, around: Surroundings, faults: Faults): void {
  if (!isContext(origin)) return;
  const files = contextOf(origin, around.contexts);
  for (const source of sources) {
    if (source.kind !== 'path' || hasWildcard(cleanPath(bytesOf(source.pattern)))) continue;
    const input = contextInput(files, source.pattern);
    faults.collect(at, () => (parents ? findParentsSources(input) : findSources(input, source.pattern)));
  }
}

async function ofMounts({ at, mounts }: RunStep, around: Surroundings, faults: Faults): Promise<void> {
  for (const mount of mounts) {
    const taken = mount.type === 'bind' ? mount : mount.type === 'cache' ? mount.seed : null;
    if (taken !== null && isContext(taken.origin)) {
      const input = contextInput(contextOf(taken.origin, around.contexts), '');
      faults.collect(at, () => mountedPath(input, taken.source));
    }
    if (mount.type === 'secret' && mount.required && (await around.secret(mount.id)) === undefined)
      faults.add(secretNotGiven(mount.id), at);
  }
}
