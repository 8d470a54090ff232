/** RUN --mount: from the plan's words to things that a rootfs can show. Semantics: BuildKit's Dockerfile reference. */
import { renameSync } from 'node:fs';
import { type Cleanup, cleanup } from '../async/cleanup.ts';
import type { RunMount } from '../backend/backend.ts';
import { type BytePath, bytesOf, cleanPath } from '../bytes/byte-path.ts';
import type { CacheMount } from '../cache-mounts/cache-mounts.ts';
import { sourceNotFound, type TreeInput } from '../copy/find-sources.ts';
import { resolvePath } from '../copy/resolve.ts';
import { TsbuildError } from '../errors.ts';
import type { FileTree } from '../layer/tree.ts';
import type { Mount, Origin, RunStep } from '../plan/plan.ts';
import { contextInput } from './copy-step.ts';
import type { OriginFiles, StageContext } from './stage-context.ts';
import { folderEntries } from './tree-entries.ts';

export interface OpenedMounts extends AsyncDisposable {
  readonly mounts: readonly RunMount[];
  /** Secrets that the step wants as variables, `NAME=value`. */
  readonly env: readonly string[];
}

/** Opens the mounts; cache folders stay locked until disposed. Throws SECRET_NOT_FOUND, COPY_SOURCE_NOT_FOUND, STORE_FAILED. */
export async function openMounts(step: RunStep, context: StageContext): Promise<OpenedMounts> {
  const held = cleanup();
  const mounts: RunMount[] = [];
  const env: string[] = [];
  try {
    const caches = await openCaches(step, context, held);
    for (const mount of step.mounts) {
      if (mount.type === 'secret') {
        const secret = await openSecret(mount, context);
        mounts.push(...secret.mounts);
        env.push(...secret.env);
      } else {
        mounts.push(await openMount(mount, context, caches));
      }
    }
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
  return { mounts, env, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

/** Waits until everything that the step's mounts take files from is there. */
export async function filesOfMounts(step: RunStep, context: StageContext): Promise<void> {
  const origins = step.mounts.flatMap((mount) =>
    mount.type === 'bind' ? [mount.origin] : mount.type === 'cache' && mount.seed !== null ? [mount.seed.origin] : [],
  );
  await Promise.all(origins.map((origin) => context.files(origin, context.runNeed)));
}

type SecretMount = Extract<Mount, { type: 'secret' }>;
type CacheMountSpec = Extract<Mount, { type: 'cache' }>;
type BindMount = Extract<Mount, { type: 'bind' }>;

async function openMount(mount: Exclude<Mount, SecretMount>, context: StageContext, caches: OpenCaches): Promise<RunMount> {
  switch (mount.type) {
    case 'tmpfs':
      return { type: 'tmpfs', target: mount.target, sizeBytes: mount.sizeBytes, mode: 0o1777 };
    case 'bind':
      return openBind(mount, context);
    case 'cache': {
      const cache = caches.get(mount);
      if (cache === undefined) throw new Error(`the cache of ${mount.target} was not opened`);
      return { type: 'folder', target: mount.target, hostPath: cache.hostPath, readonly: mount.readonly };
    }
  }
}

async function openSecret(mount: SecretMount, context: StageContext): Promise<{ mounts: RunMount[]; env: string[] }> {
  const bytes = await context.ports.secret(mount.id);
  if (bytes === undefined) {
    if (!mount.required) return { mounts: [], env: [] };
    throw secretNotGiven(mount.id);
  }
  const { target, mode, uid, gid } = mount;
  return {
    mounts: target === null ? [] : [{ type: 'file', target, bytes, mode, uid, gid }],
    env: mount.env === null ? [] : [`${mount.env}=${Buffer.from(bytes).toString('utf8')}`],
  };
}

async function openBind(mount: BindMount, context: StageContext): Promise<RunMount> {
  const files = await context.files(mount.origin, context.runNeed);
  const tree = treeIn(files);
  const path = mountedPath(inputOf(files), mount.source);
  const shown = { type: 'layers', target: mount.target, path: `/${path}`, writable: mount.writable } as const;
  if (files.kind === 'layers') return { ...shown, layers: files.materials, tree };
  // The context's owners become 0:0 and its ignored files vanish, so a RUN sees a copy, not the folder itself.
  return { ...shown, layers: [await files.place(path)], tree };
}

type OpenCaches = ReadonlyMap<CacheMountSpec, CacheMount>;

/** From what shuts others out to what does not. */
const STRICTEST_FIRST = ['locked', 'private', 'shared'] as const;

/**
 * One cache that a step mounts twice is opened once, or it would wait for itself; and all steps of all builds open theirs
 * in the same order, or two steps could wait for each other.
 */
async function openCaches(step: RunStep, context: StageContext, held: Cleanup): Promise<OpenCaches> {
  const wanted = new Map<string, CacheMountSpec[]>();
  for (const mount of step.mounts) {
    if (mount.type !== 'cache') continue;
    const { id, mode, uid, gid, seed } = mount;
    const key = JSON.stringify([id, mode, uid, gid, seed === null ? null : await seedName(seed, context)]);
    wanted.set(key, [...(wanted.get(key) ?? []), mount]);
  }
  const opened = new Map<CacheMountSpec, CacheMount>();
  for (const [, same] of [...wanted].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [first] = same;
    if (first === undefined) continue;
    const sharing = STRICTEST_FIRST.find((kind) => same.some((mount) => mount.sharing === kind)) ?? first.sharing;
    const cache = await openCache({ ...first, sharing }, context);
    held.add(() => cache[Symbol.dispose]());
    for (const mount of same) opened.set(mount, cache);
  }
  return opened;
}

async function openCache(mount: CacheMountSpec, context: StageContext): Promise<CacheMount> {
  const { seed } = mount;
  const fill = seed === null ? null : (folder: string) => fillFrom(seed, folder, context);
  const name = seed === null ? null : await seedName(seed, context);
  const waiting = (): void =>
    context.ports.report({ type: 'warning', message: `waiting for the cache mount "${mount.id}", which another RUN holds` });
  return context.ports.cacheMounts.open({ ...mount, seed: name, waiting }, fill, context.signal);
}

/** By content: another project's stage 0, or the same stage after a change, is another seed. */
async function seedName({ origin, source }: { origin: Origin; source: string }, context: StageContext): Promise<string> {
  const files = await context.files(origin, context.runNeed);
  const path = mountedPath(inputOf(files), source);
  const materials = files.kind === 'layers' ? files.materials : [await files.place(path)];
  return JSON.stringify([await Promise.all(materials.map((material) => material.diffId())), path]);
}

/** `folder` is empty and lies in the cache, like what `place` makes: a rename moves the content there. */
async function fillFrom(seed: { origin: Origin; source: string }, folder: string, context: StageContext): Promise<void> {
  const files = await context.files(seed.origin, context.runNeed);
  const entries = folderEntries(treeIn(files), mountedPath(inputOf(files), seed.source));
  const placed = await context.ports.layers.place(entries, context.signal);
  renameSync(await placed.folder(context.signal), folder);
}

function treeIn(files: OriginFiles): FileTree {
  return files.kind === 'context' ? files.context.tree : files.tree;
}

function inputOf(files: OriginFiles): MountInput {
  return files.kind === 'context' ? contextInput(files, '') : { kind: 'tree', tree: files.tree, label: files.label };
}

type MountInput = Omit<TreeInput, 'pattern'>;

/** Where a mount's source leads. Throws COPY_SOURCE_NOT_FOUND. */
export function mountedPath(input: MountInput, source: string): BytePath {
  const written = cleanPath(bytesOf(source));
  const path = resolvePath(input.tree, written);
  if (input.tree.lstat(path) !== undefined) return path;
  const { code, message, hint } = sourceNotFound({ ...input, pattern: source }, written);
  throw new TsbuildError(code, `the mount's source ${message}`, { hint });
}

export function secretNotGiven(id: string): TsbuildError {
  return new TsbuildError('SECRET_NOT_FOUND', `the secret "${id}" is required and was not given`, {
    hint: `give it with --secret id=${id},src=FILE or --secret id=${id},env=NAME`,
  });
}
