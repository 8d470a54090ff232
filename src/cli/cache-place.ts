/** Where the cache is when nobody says, and where what only a build needs goes: builds and doctor ask here. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

export function defaultCacheFolder(env: NodeJS.ProcessEnv, homeFolder: string): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homeFolder, '.cache') : base, 'tsbuild');
}

/** Where the cache is when that cannot be written. `uid`: of this process. */
export function cacheFolderInstead(env: NodeJS.ProcessEnv, uid: number): string {
  return join(temporaryFolderOf(env) ?? '/tmp', `tsbuild-cache-${uid}`);
}

/** TMPDIR; null when it says nothing. */
export function temporaryFolderOf(env: NodeJS.ProcessEnv): string | null {
  const folder = env['TMPDIR'] ?? '';
  return isAbsolute(folder) ? folder : null;
}

/** `/` for a user without a home, as container runtimes have it. */
export function homeFolder(): string {
  try {
    return homedir();
  } catch {
    // Neither HOME nor an entry in /etc/passwd.
    return '/';
  }
}
