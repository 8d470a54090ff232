/** `tsbuild warm` with this machine's environment: beside wire.ts, because it makes the same parts of a cache folder. */
import { availableParallelism } from 'node:os';
import { registrySource } from '../base-image/registry-source.ts';
import { refetchingStore } from '../blob/refetching-store.ts';
import { type Warmed, warmImages } from '../build/warm.ts';
import { hostPlatform } from '../image/platform.ts';
import { openCacheAt } from '../unpacked/cache-folder.ts';
import { openWorkFolder } from '../unpacked/work-folder.ts';
import { cachePlaces } from './cache-place.ts';
import type { RunContext } from './command-world.ts';
import { openLayers } from './open-layers.ts';
import type { WarmOptions } from './options.ts';
import { registryClient } from './registry-client.ts';
import { tellResolving } from './tell-waiting.ts';

export async function runWarm(options: WarmOptions, { report, signal }: Pick<RunContext, 'report' | 'signal'>): Promise<readonly Warmed[]> {
  const warn = (message: string): void => report({ type: 'warning', message });
  const { path: cacheFolder, folders } = openCacheAt(cachePlaces(options.cacheDir, process.env, process.geteuid?.() ?? 0), warn);
  await using work = await openWorkFolder(folders.work, warn);
  const place = { cacheFolder, folders, work };
  const { store, layers, style } = options.fetch === 'again' ? openLayers(place, refetchingStore) : openLayers(place);
  if (options.layers === 'unpacked' && style === 'none')
    warn('layers stay packed: who builds here mounts no overlays, so nobody would look at unpacked ones');
  const buildPlatform = hostPlatform(process.arch);
  const { dockerfile } = options;
  const client = registryClient(options.registry, report);
  try {
    return await warmImages(
      {
        images: options.images,
        platforms: options.platforms.length === 0 ? [buildPlatform] : options.platforms,
        dockerfile: dockerfile && {
          file: dockerfile.label,
          bytes: dockerfile.bytes,
          inputs: { target: dockerfile.target, buildArgs: dockerfile.buildArgs, labels: new Map(), contexts: new Map(), buildPlatform },
        },
        need: options.layers === 'unpacked' && style !== 'none' ? 'folder' : 'index',
      },
      {
        images: tellResolving(registrySource({ client, store }), { report }),
        layers,
        has: (digest, own) => store.has(digest, own),
        parallelLayers: 2 * availableParallelism(),
        report,
      },
      signal,
    );
  } finally {
    client.close();
  }
}
