/** Where the cache is when nobody says: builds and doctor ask here. */
import { join } from 'node:path';

export function defaultCacheFolder(env: NodeJS.ProcessEnv, homeFolder: string): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homeFolder, '.cache') : base, 'tsbuild');
}
