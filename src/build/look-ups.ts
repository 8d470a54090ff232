/** Asks the cache for every step of a build at once, before any of them is reached. */
import type { FoundStep } from '../cache/step-cache.ts';
import { sourceDigest, treeDigest } from '../copy/source-digest.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import type { BuildPlan, CopyStep } from '../plan/plan.ts';
import { contextOf } from './contexts.ts';
import { contextInput, copyInput } from './copy-step.ts';
import type { PlannedStage } from './platform-stages.ts';
import type { BuildRequest, Ports } from './ports.ts';
import { mountedPath } from './run-mounts.ts';
import type { SharedSources } from './shared-sources.ts';
import { belowOf, isDeterminedByKey, keysOfSteps, type Origins, type StageKeys, type StepKey, standsAlone } from './step-keys.ts';

/** What is known of a step before it is reached. */
export interface Answer {
  /** Null: nothing that it makes can be kept. Made when it is asked for, where no answer depended on it. */
  key(): Promise<StepKey | null>;
  /** Null: it has to be run. */
  readonly found: FoundStep | null;
}

export interface LookUps {
  readonly request: Pick<BuildRequest, 'ignorePaths' | 'date'>;
  readonly ports: Ports;
  readonly sources: SharedSources;
  keyOf(plan: BuildPlan, index: number): string;
  /** Lives on for a while when a step has failed: what ran before it is kept. */
  readonly signal: AbortSignal;
}

/**
 * For each stage, by its key, an answer for each step. A step that was made on other layers than those that the steps below it are
 * answered with, or will make, has none. `stages`: each after those that it needs.
 */
export function lookUpSteps(stages: readonly PlannedStage[], run: LookUps): ReadonlyMap<string, readonly Promise<Answer>[]> {
  const keys = new Map<string, StageKeys>();
  const answers = new Map<string, readonly Promise<Answer>[]>();
  const ends = new Map<string, Below>();
  for (const { plan, stage, key } of stages) {
    const { base } = stage;
    let below: Below = base.kind === 'stage' ? (ends.get(run.keyOf(plan, base.index)) ?? []) : [];
    const ownKeys = keysOfSteps(stage, run.request, originsOf(plan, keys, run));
    const own: Promise<Answer>[] = [];
    for (const [i, step] of stage.steps.entries()) {
      const stepKey = ownKeys.steps[i] ?? (async () => null);
      const answer = step.kind === 'config' ? Promise.resolve({ key: stepKey, found: null }) : answerFor(step, stepKey, below, run);
      // A stage that turns out not to be needed asks for none of them.
      answer.catch(() => undefined);
      if (step.kind !== 'config' && !isDeterminedByKey(step)) below = [...below, answer];
      own.push(answer);
    }
    keys.set(key, ownKeys);
    answers.set(key, own);
    ends.set(key, below);
  }
  return answers;
}

/** Steps below whose layers keys do not determine. */
type Below = readonly Promise<Answer>[];

type LayerStep = Exclude<PlannedStage['stage']['steps'][number], { kind: 'config' }>;

async function answerFor(step: LayerStep, key: Answer['key'], below: Below, { ports, signal }: LookUps): Promise<Answer> {
  if (ports.earlierSteps === 'none') return { key, found: null };
  const made = await key();
  const found = made === null ? null : await ports.cache.find(made.key, step.kind, signal);
  if (found === null) return { key, found };
  const diffIds: Digest[] = [];
  for (const answer of standsAlone(step) ? [] : below) {
    const under = (await answer).found;
    // It runs again, and makes another layer.
    if (under === null) return { key, found: null };
    diffIds.push(under.layer.diffId);
  }
  return { key, found: found.below === belowOf(diffIds) ? found : null };
}

function originsOf(plan: BuildPlan, keys: ReadonlyMap<string, StageKeys>, run: LookUps): Origins {
  const { sources, ports, signal } = run;
  return {
    stageEnd: async (index) => keys.get(run.keyOf(plan, index))?.end() ?? null,
    layersOf: (origin) => unlessFaulty(async () => (await sources.image(origin)).layers.map(({ diffId }) => diffId), signal),
    contentOf: (step) => unlessFaulty(() => contentOf(step, run), signal),
    contextContent: (origin, path) =>
      unlessFaulty(async () => {
        const open = contextOf(origin, sources.contexts);
        const found = mountedPath(contextInput(open, ''), path);
        return treeDigest(open.context.tree, found, { xattrs: 'drop', signal }, ports.fileDigests.digestOf);
      }, signal),
  };
}

/** What is wrong with a source is told by the step that takes it, at its place. */
async function unlessFaulty<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TsbuildError) return null;
    throw error;
  }
}

/** Files of other stages and images are told by where they come from, the rest by what it holds. */
async function contentOf(step: CopyStep, { ports, sources, signal }: LookUps): Promise<Digest | null> {
  const ofContext = step.origin.kind === 'context' || step.origin.kind === 'folder';
  const inputs: Parameters<typeof sourceDigest>[0]['inputs'][number][] = [];
  const fetched: unknown[] = [];
  for (const source of step.sources) {
    if (source.kind === 'url' && step.checksum !== null) fetched.push([source.url, step.checksum]);
    else if (source.kind === 'url') {
      const { digest, name, lastModified } = await ports.download(source.url, signal);
      fetched.push([digest, name, lastModified?.getTime() ?? null]);
    } else if (source.kind !== 'path' || ofContext) {
      inputs.push(await copyInput(source, step, { ports, signal, files: async () => sources.contextFiles(step.origin) }));
    }
  }
  const { exclude, parents } = step;
  const content = await sourceDigest(
    { inputs, exclude, parents, xattrs: step.origin.kind === 'context' ? 'drop' : 'keep', signal },
    ports.fileDigests.digestOf,
  );
  return content === null ? null : digestOf(JSON.stringify([content, fetched, step.sources.map(({ kind }) => kind)]));
}
