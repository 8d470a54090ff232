/**
 * What a source of ADD is: a path, a URL, or a git repository; and a URL without the credentials in it, for all that is
 * kept or shown. Reference: BuildKit dfgitutil.ParseGitRef, isHTTPSource.
 */
import { isGitUrl } from './git-url.ts';

export type SourceKind = 'path' | 'url' | 'git';

/** A shorthand such as `github.com/owner/repo` is a path, since a folder may have that name. */
export function sourceKind(source: string): SourceKind {
  if (isGitUrl(source)) return 'git';
  return /^https?:\/\//.test(source) ? 'url' : 'path';
}

/**
 * Text with its URLs' user and password masked, as BuildKit masks them; the user of ssh, which is no secret, stays.
 * Takes whole lines too: what comes before a host can hold no blank and no slash.
 */
export function withoutCredentials(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)([^\s/?#]*)@/gi, (_, scheme: string, user: string) => {
    const [name = '', password] = user.split(/:(.*)/s);
    if (scheme.toLowerCase() === 'ssh://') return `${scheme}${name}${password === undefined ? '' : ':xxxxx'}@`;
    return `${scheme}${password === undefined ? 'xxxxx' : 'xxxxx:xxxxx'}@`;
  });
}
