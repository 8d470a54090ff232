/** Where the cache is when nobody says, and where what only a build needs goes: builds and doctor ask here. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** `asked`: --cache-dir, absolute. `uid`: of this process. */
export function cachePlaces(asked: string | null, env: NodeJS.ProcessEnv, uid: number): CachePlaces {
  const base = env['XDG_CACHE_HOME'];
  const usual = join(base === undefined || base === '' ? join(homeFolder(), '.cache') : base, 'tsbuild');
  return { asked, usual, instead: join(temporaryFolderOf(env) ?? '/tmp', `tsbuild-cache-${uid}`) };
}

export interface CachePlaces {
  readonly asked: string | null;
  readonly usual: string;
  /** Where `usual` cannot be written. */
  readonly instead: string;
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
