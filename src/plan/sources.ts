/** What a source of ADD is: a path, a URL, or a git repository. Reference: BuildKit dfgitutil.ParseGitRef, isHTTPSource. */

export type SourceKind = 'path' | 'url' | 'git';

/** A shorthand such as `github.com/owner/repo` is a path, since a folder may have that name. */
export function sourceKind(source: string): SourceKind {
  if (/^(?:git|ssh):\/\//.test(source)) return 'git';
  if (/^[\w-]+@[\w.-]+:/.test(source)) return 'git';
  if (!/^https?:\/\//.test(source)) return 'path';
  const path = source.replace(/^https?:\/\/[^/?#]*/, '').replace(/[?#].*$/s, '');
  return path.endsWith('.git') ? 'git' : 'url';
}
