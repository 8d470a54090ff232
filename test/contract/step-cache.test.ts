import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheUse } from '../../src/blob/cache-use.ts';
import { diskStore } from '../../src/blob/disk-store.ts';
import type { CachePlace } from '../../src/cache/cache-place.ts';
import { exportedStepCache } from '../../src/cache/exported-step-cache.ts';
import { importedStepCache } from '../../src/cache/imported-step-cache.ts';
import { keyedStepCache } from '../../src/cache/keyed-step-cache.ts';
import { kindsStepCache } from '../../src/cache/kinds-step-cache.ts';
import { layoutPlace } from '../../src/cache/layout-place.ts';
import { localStepCache } from '../../src/cache/local-step-cache.ts';
import { places } from '../../src/cache/places.ts';
import { registryPlace } from '../../src/cache/registry-place.ts';
import { stackedStepCache } from '../../src/cache/stacked-step-cache.ts';
import type { StepCache } from '../../src/cache/step-cache.ts';
import { createRegistryClient } from '../../src/registry/create-client.ts';
import { openWorkFolder } from '../../src/unpacked/work-folder.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { registryOptions } from '../helpers/fault-registry.ts';
import { type StepCachePlace, stepCacheContract } from './step-cache-contract.ts';

const keyed = (place: CachePlace): StepCache =>
  keyedStepCache({ place, ttlMs: 3_600_000, access: 'read and write', now: () => new Date() });

/** As with `--cache-from X --cache-to X,mode=max`. */
const documents = (place: CachePlace): StepCache =>
  stackedStepCache([importedStepCache({ place, name: 'latest' }), exportedStepCache({ place, tag: 'latest', mode: 'max' })]);

/** Debian's registry; each build with a client and a store of its own. */
async function inRegistry(cache: (place: CachePlace) => StepCache): Promise<StepCachePlace> {
  const registry: DockerRegistry = await startDockerRegistry();
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-cache-'));
  const clients: { close(): void }[] = [];
  return {
    async open() {
      const client = createRegistryClient(registryOptions());
      clients.push(client);
      const store = await mkdtemp(join(folder, 'store-'));
      const repository = { registry: registry.host, repository: 'team/app/cache' };
      return cache(registryPlace({ client, store: diskStore(store, join(store, 'tmp')), repository }));
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.close();
      await registry[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

async function inFolder(cache: (place: CachePlace) => StepCache): Promise<StepCachePlace> {
  const folder = await mkdtemp(join(tmpdir(), 'tsbuild-cache-'));
  return {
    open: () => Promise.resolve(cache(layoutPlace(join(folder, 'made', 'by', 'it')))),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

stepCacheContract('a repository with a tag for each', () => inRegistry(keyed));
stepCacheContract('a layout with a name for each', () => inFolder(keyed));
stepCacheContract('one image in a registry', () => inRegistry(documents));
stepCacheContract('one image in a layout', () => inFolder(documents));
stepCacheContract('a registry behind an empty one, for some kinds', async () => {
  const empty = await inFolder(keyed);
  const place = await inRegistry(keyed);
  return {
    async open() {
      const stacked = stackedStepCache([await empty.open(), await place.open()]);
      return kindsStepCache(stacked, new Set(['run', 'copy', 'workdir']));
    },
    async [Symbol.asyncDispose]() {
      await empty[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
});
stepCacheContract('the cache folder', async () => {
  const cacheFolder = await mkdtemp(join(tmpdir(), 'tsbuild-cache-'));
  return {
    async open() {
      const work = await openWorkFolder(join(cacheFolder, 'work'), () => undefined);
      const use = cacheUse(cacheFolder, work.startedMs);
      const store = diskStore(cacheFolder, work.path, use);
      const cache = localStepCache({
        cacheFolder,
        workFolder: work.path,
        store,
        use,
        places: places({ cacheFolder, workFolder: work.path }),
      });
      return {
        ...cache,
        // A build's own layers are in the store before any cache is told of them.
        async keep(step, signal) {
          signal.throwIfAborted();
          const bytes = await step.layer.open(signal);
          const upload = await store.begin(signal);
          for await (const chunk of bytes) await upload.write(chunk as Buffer);
          await upload.commit(step.layer.descriptor);
          await cache.keep(step, signal);
        },
      };
    },
    [Symbol.asyncDispose]: () => rm(cacheFolder, { recursive: true }),
  };
});
