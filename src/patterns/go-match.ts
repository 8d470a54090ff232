/**
 * Go's filepath.Match over byte strings: what COPY and ADD wildcards mean. `*` and `?` do not cross `/` but match a
 * leading dot; `**` is `*` twice. Reference: https://pkg.go.dev/path/filepath#Match.
 */
import type { ByteString } from '../bytes/byte-path.ts';
import { globTokens } from './glob-tokens.ts';
import { partMatcher } from './part-matcher.ts';
import { runesOf } from './runes.ts';

export type GoMatcher = (name: ByteString) => boolean;

/** A test of whole names; null when the pattern is malformed (`[a`, a trailing `\`), which Go calls ErrBadPattern. */
export function goMatcher(pattern: ByteString): GoMatcher | null {
  const tokens = globTokens(runesOf(pattern));
  if (tokens === null) return null;
  const matches = partMatcher(tokens);
  return (name) => matches(runesOf(name));
}

/** Whether a class of the pattern takes `/`, as Go's do: then a match may have more components than the pattern. */
export function crossesFolders(pattern: ByteString): boolean {
  return (globTokens(runesOf(pattern)) ?? []).some((token) => token.kind === 'class' && new RegExp(token.source, 'u').test('/'));
}

/** Whether a pattern can match anything but itself; an escaped `*`, `?` or `[` does not count. */
export function hasWildcard(pattern: ByteString): boolean {
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    if (character === '*' || character === '?' || character === '[') return true;
    if (character === '\\') at++;
  }
  return false;
}

/** The name that a pattern without wildcards stands for: its escapes removed. */
export function unescapeGlob(pattern: ByteString): ByteString {
  return pattern.replace(/\\(.)/gs, '$1');
}
