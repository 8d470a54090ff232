/**
 * Go's filepath.Match over byte strings: what COPY and ADD wildcards mean. `*` and `?` do not cross `/` but match a
 * leading dot; `**` is `*` twice. Reference: https://pkg.go.dev/path/filepath#Match.
 */
import type { ByteString } from '../bytes/byte-path.ts';
import { type GlobToken, globTokens, literalSource } from './glob-tokens.ts';
import { runesOf } from './runes.ts';

export type GoMatcher = (name: ByteString) => boolean;

/** A test of whole names; null when the pattern is malformed (`[a`, a trailing `\`), which Go calls ErrBadPattern. */
export function goMatcher(pattern: ByteString): GoMatcher | null {
  const tokens = globTokens(runesOf(pattern));
  if (tokens === null) return null;
  const regexp = new RegExp(`^${tokens.map(tokenSource).join('')}$`, 'su');
  return (name) => regexp.test(runesOf(name));
}

/** Whether a class of the pattern takes `/`, as Go's do: then a match may have more components than the pattern. */
export function crossesFolders(pattern: ByteString): boolean {
  return (globTokens(runesOf(pattern)) ?? []).some((token) => token.kind === 'class' && new RegExp(token.source, 'u').test('/'));
}

/** Whether a pattern can match anything but itself; an escaped `*`, `?` or `[` does not count. */
export function hasWildcard(pattern: ByteString): boolean {
  return /^(?:\\.|[^\\*?[])*[*?[]/s.test(pattern);
}

/** The name that a pattern without wildcards stands for: its escapes removed. */
export function unescapeGlob(pattern: ByteString): ByteString {
  return pattern.replace(/\\(.)/gs, '$1');
}

export function tokenSource(token: GlobToken): string {
  switch (token.kind) {
    case 'literal':
      return literalSource(token.character);
    case 'any':
      return '[^/]';
    case 'star':
      return '[^/]*';
    case 'class':
      return token.source;
  }
}
