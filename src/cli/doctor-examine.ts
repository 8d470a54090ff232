/**
 * Finds out what doctor tells. Beside wire.ts, because it opens the folders of a build and tries the ladder on them, as a build
 * would; nothing stays but the folders of an empty cache.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { overlayObstacle } from '../backend/namespaces/probe.ts';
import { TsbuildError } from '../errors.ts';
import { credentialHosts } from '../registry/credential-hosts.ts';
import { dockerConfigFiles, SECRET_KEY } from '../registry/credentials.ts';
import type { CredentialFacts, DoctorFacts, Obstacle, RungFacts, StorageFacts } from '../report/doctor-facts.ts';
import { removeTree } from '../sys/remove-tree.ts';
import { openCacheAt } from '../unpacked/cache-folder.ts';
import { openWorkFolder } from '../unpacked/work-folder.ts';
import { type CachePlaces, cachePlaces, homeFolder } from './cache-place.ts';
import { readMounts, storageFacts } from './doctor-storage.ts';
import { systemFacts } from './doctor-system.ts';
import { type BundledPrograms, LADDER, type RungPlace } from './rungs.ts';

export interface ExamineRequest {
  /** Absolute; null: where a build keeps its cache by default. */
  readonly cacheDir: string | null;
  readonly programs: BundledPrograms;
}

export async function examine({ cacheDir, programs }: ExamineRequest): Promise<DoctorFacts> {
  const system = systemFacts();
  await using work = await scratchOf(cachePlaces(cacheDir, process.env, process.geteuid?.() ?? 0));
  const rungs = await climb({ workFolder: join(work.path, 'rootfs'), programs, devices: undefined });
  const places: readonly Pick<StorageFacts, 'use' | 'folder'>[] = [
    ...(work.fault === null
      ? [
          { use: 'cache' as const, folder: work.cacheFolder },
          { use: 'work' as const, folder: join(work.cacheFolder, 'work') },
        ]
      : []),
    { use: 'temporary', folder: tmpdir() },
  ];
  const mounts = readMounts();
  const storage: StorageFacts[] = [];
  for (const { use, folder } of places) {
    const overlay = await tryOverlay(use === 'temporary' ? folder : work.path);
    storage.push(storageFacts({ use, folder, overlay, mounts, inContainer: system.container !== null }));
  }
  return {
    isolation: rungs.find(({ works }) => works)?.name ?? null,
    rungs,
    cacheFault: work.fault,
    storage,
    credentials: await credentialFacts(dockerConfigFiles(process.env, homeFolder())),
    system,
  };
}

async function climb(place: RungPlace): Promise<readonly RungFacts[]> {
  const found: RungFacts[] = [];
  for (const rung of LADDER) {
    const probe = await rung.probe(place);
    found.push(probe.works ? { name: rung.name, works: true } : { name: rung.name, works: false, why: probe.why, hint: probe.hint });
  }
  return found;
}

interface Scratch extends AsyncDisposable {
  readonly path: string;
  /** Meaningless with a fault. */
  readonly cacheFolder: string;
  readonly fault: Obstacle | null;
}

/** A build's work folder; where the cache cannot be used, a temporary one, so that the rungs can be told all the same. */
async function scratchOf(places: CachePlaces): Promise<Scratch> {
  try {
    const { path: cacheFolder, folders } = openCacheAt(places, () => undefined);
    const work = await openWorkFolder(folders.work, () => undefined);
    return { path: work.path, cacheFolder, fault: null, [Symbol.asyncDispose]: () => work[Symbol.asyncDispose]() };
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const path = mkdtempSync(join(tmpdir(), 'tsbuild-doctor-'));
    const fault = { why: error.message, hint: error.hint ?? 'make room there, or choose another folder with --cache-dir' };
    return { path, cacheFolder: '', fault, [Symbol.asyncDispose]: () => removeTree(path) };
  }
}

async function tryOverlay(folder: string): Promise<StorageFacts['overlay']> {
  try {
    const obstacle = await overlayObstacle(folder);
    return obstacle === undefined ? { works: true } : { works: false, ...obstacle };
  } catch (error) {
    return { works: false, why: `nothing can be made there: ${(error as Error).message}`, hint: 'make the folder writable' };
  }
}

async function credentialFacts(files: readonly string[]): Promise<readonly CredentialFacts[]> {
  const found: CredentialFacts[] = [];
  for (const file of files) {
    const taken = found.some(({ state }) => state === 'used' || state === 'invalid');
    const none = { file, why: null, hosts: [], helpers: [] };
    try {
      const known = await credentialHosts(file);
      // A second name for what is mostly there under the first.
      if (known === null && basename(file) === SECRET_KEY) continue;
      found.push(known === null ? { ...none, state: 'missing' } : { ...none, ...known, state: taken ? 'shadowed' : 'used' });
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
      found.push({ ...none, state: 'invalid', why: error.message });
    }
  }
  return found;
}
