/** Where an image's config lists the steps that made its layers, for builds that take them from it. Meant for that very image alone. */
import type { ImageConfig } from './image.ts';

export const CACHE_FIELD = 'tsbuild.cache.v1';

/** A config as others may build on it: the list is of another image's layers. */
export function withoutInlineCache(config: ImageConfig): ImageConfig {
  const { [CACHE_FIELD]: _, ...rest } = config;
  return rest as ImageConfig;
}
