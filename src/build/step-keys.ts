/**
 * The keys by which caches know what a step makes. A key is made of all that the step's layer depends on: the state below it (a
 * chain of the keys before, down to the layers of the base), the instruction fully expanded, and the content of what it takes from
 * contexts; what it takes from other stages is told by their chains. So the keys of a whole build are known before any step has
 * run, and caches are asked for all of them at once. Pure, but for `Origins`.
 *
 * Not in a key: secrets' values, what cache mounts hold, proxy variables, times of files, texts that only history shows.
 */
import type { CacheKey, KeyParts } from '../cache/step-cache.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import { formatPlatform } from '../image/platform.ts';
import type { CopyStep, Mount, Origin, RunStep, Stage, WorkdirStep } from '../plan/plan.ts';

/** Raised whenever tsbuild makes another layer of the same step, or makes keys of other things. */
const VERSION = 1;

export interface StepKey {
  readonly key: CacheKey;
  readonly parts: KeyParts;
}

export interface StageKeys {
  /**
   * For each step, made when it is asked for; null: it has none, because it makes no layer, or because what it takes is not there,
   * which the step itself will tell.
   */
  readonly steps: readonly Lazy<StepKey | null>[];
  /** Names the stage's final files; null: no key can. */
  readonly end: Lazy<Digest | null>;
}

type Lazy<T> = () => Promise<T>;

type LayerStep = RunStep | CopyStep | WorkdirStep;

/** Whether two runs of the step on the same files make the same layer, but for times. What a stage has to give depends on its own RUNs. */
export function isDeterminedByKey(step: LayerStep): boolean {
  return step.kind === 'workdir' || (step.kind === 'copy' && step.origin.kind !== 'stage');
}

/** COPY --link: what is below it has no part in its layer, unless names of owners are looked up there. */
export function standsAlone(step: LayerStep): boolean {
  return step.kind === 'copy' && step.link && (step.chown === null || /^\d+(:\d+)?$/.test(step.chown));
}

/** See FoundStep. `diffIds`: of the layers below that keys do not determine, lowest first. */
export function belowOf(diffIds: readonly Digest[]): Digest {
  return digestOf(JSON.stringify(diffIds));
}

/** What keys need to know of the world. Null: it is not there or cannot be read. */
export interface Origins {
  /** What a stage of the same plan ends with. */
  stageEnd(index: number): Promise<Digest | null>;
  /** Of an image: its layers' diffIds. */
  layersOf(origin: Extract<Origin, { kind: 'image' }>): Promise<readonly Digest[] | null>;
  /** All that a COPY or ADD takes from contexts, heredocs, URLs and repositories: names, modes, contents. */
  contentOf(step: CopyStep): Promise<Digest | null>;
  /** A path of a context with all below it. */
  contextContent(origin: Extract<Origin, { kind: 'context' | 'folder' }>, path: string): Promise<Digest | null>;
}

/** What else of a request changes layers. */
export interface KeySettings {
  readonly ignorePaths: readonly string[];
  readonly date: Date | null;
}

export function keysOfSteps(stage: Stage, settings: KeySettings, origins: Origins): StageKeys {
  const steps: Lazy<StepKey | null>[] = [];
  let chain = lazy(() => startOf(stage, origins));
  for (const step of stage.steps) {
    if (step.kind === 'config') {
      steps.push(async () => null);
      continue;
    }
    const below = chain;
    const key = lazy(async (): Promise<StepKey | null> => {
      const [name, parts] = await Promise.all([below(), partsOf(step, origins)]);
      if (name === null || parts === null) return null;
      return keyOf({
        ...parts,
        ...(standsAlone(step) ? {} : { below: name }),
        version: VERSION,
        platform: formatPlatform(stage.platform),
        date: settings.date?.getTime() ?? null,
        ...(step.kind === 'run' ? { ignorePaths: settings.ignorePaths } : {}),
      });
    });
    steps.push(key);
    chain = lazy(async () => {
      const [name, own] = await Promise.all([below(), key()]);
      return name === null || own === null ? null : digestOf(JSON.stringify([name, own.key]));
    });
  }
  return { steps, end: chain };
}

function lazy<T>(make: () => Promise<T>): Lazy<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

type Parts = Readonly<Record<string, unknown>>;

/** By name, so that two keys can be compared part by part. */
function keyOf(values: Parts): StepKey {
  const parts = Object.fromEntries(
    Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, digestOf(JSON.stringify(value))]),
  );
  return { key: digestOf(JSON.stringify(Object.entries(parts))), parts };
}

async function startOf({ base, platform }: Stage, origins: Origins): Promise<Digest | null> {
  const named = (value: unknown): Digest => digestOf(JSON.stringify([VERSION, base.kind, value]));
  switch (base.kind) {
    case 'scratch':
      return named(formatPlatform(platform));
    case 'stage':
      return origins.stageEnd(base.index);
    case 'image': {
      const layers = await origins.layersOf(base);
      return layers === null ? null : named(layers);
    }
    case 'folder': {
      const content = await origins.contextContent(base, '');
      return content === null ? null : named(content);
    }
  }
}

/** Null: something that the step takes is not there. */
async function partsOf(step: RunStep | CopyStep | WorkdirStep, origins: Origins): Promise<Parts | null> {
  switch (step.kind) {
    case 'workdir':
      return { instruction: 'WORKDIR', path: step.path, user: step.user };
    case 'copy':
      return copyParts(step, origins);
    case 'run':
      return runParts(step, origins);
  }
}

async function copyParts(step: CopyStep, origins: Origins): Promise<Parts | null> {
  const { instruction, origin, dest, chown, chmod, link, parents, exclude, unpack } = step;
  const [from, content] = await Promise.all([originName(origin, origins), origins.contentOf(step)]);
  if (from === null || content === null) return null;
  const sources = step.sources.map((source) => (source.kind === 'path' ? source.pattern : source.kind));
  // The content of a context is known by the names that it takes there, so how they were asked for does not matter.
  const asked = origin.kind === 'context' || origin.kind === 'folder' ? {} : { sources };
  return { instruction, from, content, ...asked, dest, chown, chmod, link, parents, exclude, unpack };
}

async function runParts(step: RunStep, origins: Origins): Promise<Parts | null> {
  const { argv, env, cwd, user, network, hostname, scripts } = step;
  const mounts = await Promise.all(step.mounts.map((mount) => mountName(mount, origins)));
  if (mounts.includes(null)) return null;
  return { instruction: 'RUN', argv, env, cwd, user, network, hostname, scripts, mounts };
}

/** Where files come from, as far as a name can tell; contexts are told by their content. */
async function originName(origin: Origin, origins: Origins): Promise<unknown> {
  switch (origin.kind) {
    case 'context':
    case 'folder':
      return 'context';
    case 'stage':
      return origins.stageEnd(origin.index);
    case 'image': {
      const layers = await origins.layersOf(origin);
      return layers === null ? null : { layers };
    }
  }
}

async function mountName(mount: Mount, origins: Origins): Promise<unknown> {
  switch (mount.type) {
    case 'tmpfs':
      return mount;
    case 'secret': {
      const { type, id, target, env, mode, uid, gid } = mount;
      return { type, id, target, env, mode, uid, gid };
    }
    case 'bind': {
      const { type, target, source, writable } = mount;
      const from = await takenFrom(mount.origin, source, origins);
      return from === null ? null : { type, target, writable, from };
    }
    case 'cache': {
      const { type, target, id, sharing, readonly, mode, uid, gid, seed } = mount;
      const from = seed === null ? 'nothing' : await takenFrom(seed.origin, seed.source, origins);
      return from === null ? null : { type, target, id, sharing, readonly, mode, uid, gid, from };
    }
  }
}

async function takenFrom(origin: Origin, source: string, origins: Origins): Promise<unknown> {
  if (origin.kind === 'context' || origin.kind === 'folder') return origins.contextContent(origin, source);
  const name = await originName(origin, origins);
  return name === null ? null : { name, source };
}
