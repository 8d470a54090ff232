/**
 * Patterns of `${name#pattern}` and its kin: `*`, `?` and escaped characters; brackets are literal, as in BuildKit.
 * Matching follows all possibilities at once, so its time is at most value length times pattern length, and what would
 * take long nevertheless is refused.
 */
import { TsbuildError } from '../errors.ts';
import { shown } from './visible.ts';

type Token = { readonly kind: 'one' } | { readonly kind: 'many' } | { readonly kind: 'char'; readonly char: string };

export type Pattern = readonly Token[];
export type Reach = 'shortest' | 'longest';

/** What an escape character may stand before; `}` and `/` would else end the pattern. */
const ESCAPABLE = '*?}/';

/** Value length times pattern length: about a second. */
const MOST_WORK = 2 ** 25;
/** Of a result, in UTF-16 units. */
const LONGEST_RESULT = 2 ** 20;

/** Throws TsbuildError (DOCKERFILE_SEMANTICS) for an escape that means nothing, as BuildKit does, and one at the end. */
export function compilePattern(text: string, escapeChar: string): Pattern {
  const tokens: Token[] = [];
  const chars = Array.from(text);
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*') tokens.push({ kind: 'many' });
    else if (char === '?') tokens.push({ kind: 'one' });
    else if (char !== escapeChar) tokens.push({ kind: 'char', char });
    else {
      at++;
      const escaped = chars[at];
      if (escaped === undefined) throw new TsbuildError('DOCKERFILE_SEMANTICS', `the pattern ${shown(text)} ends with an escape character`);
      if (escaped !== escapeChar && !ESCAPABLE.includes(escaped)) {
        const hint = `Only * ? } / and ${escapeChar} itself are escaped there.`;
        throw new TsbuildError('DOCKERFILE_SEMANTICS', `the pattern ${shown(text)} escapes ${shown(escaped)}`, { hint });
      }
      tokens.push({ kind: 'char', char: escaped });
    }
  }
  return tokens;
}

/** As the other two throws TsbuildError (DOCKERFILE_SEMANTICS) for what would take too long. */
export function withoutPrefix(value: string, pattern: Pattern, reach: Reach): string {
  const chars = charsOf(value, pattern);
  const end = matchEnd(chars, 0, pattern, reach);
  return end === undefined ? value : chars.slice(end).join('');
}

export function withoutSuffix(value: string, pattern: Pattern, reach: Reach): string {
  const backwards = charsOf(value, pattern).reverse();
  const end = matchEnd(backwards, 0, pattern.toReversed(), reach);
  return end === undefined ? value : backwards.slice(end).reverse().join('');
}

/**
 * Replaces the leftmost longest match, or all of them. An empty match counts, but not right after another match, as in
 * Go's regexp. The replacement is literal.
 */
export function replacePattern(value: string, pattern: Pattern, replacement: string, which: 'first' | 'all'): string {
  const chars = charsOf(value, pattern);
  let result = '';
  let at = 0;
  let lastEnd = -1;
  while (at <= chars.length) {
    const end = matchEnd(chars, at, pattern, 'longest');
    if (end !== undefined && (end > at || end !== lastEnd)) {
      result += replacement;
      if (result.length > LONGEST_RESULT) throw tooLong('what its replacement makes of it has more than 1 MiB');
      if (which === 'first') return result + chars.slice(end).join('');
      lastEnd = end;
      if (end > at) {
        at = end;
        continue;
      }
    }
    // What the part from the first * on cannot match behind this place, it cannot match further on.
    if (end === undefined && fixedPartMatches(chars, at, pattern)) return result + chars.slice(at).join('');
    result += chars[at] ?? '';
    at++;
  }
  return result;
}

function charsOf(value: string, pattern: Pattern): string[] {
  if (value.length * pattern.length > MOST_WORK) throw tooLong(`its pattern has ${pattern.length} characters`);
  return Array.from(value);
}

function tooLong(why: string): TsbuildError {
  return new TsbuildError('DOCKERFILE_SEMANTICS', `a variable's value is too long: ${why}`);
}

/** False for a pattern without `*`. */
function fixedPartMatches(chars: readonly string[], start: number, pattern: Pattern): boolean {
  const star = pattern.findIndex(({ kind }) => kind === 'many');
  if (star < 0 || start + star > chars.length) return false;
  return pattern
    .slice(0, star)
    .every((token, index) => token.kind === 'one' || (token.kind === 'char' && token.char === chars[start + index]));
}

/** The end of a match that begins at `start`. */
function matchEnd(chars: readonly string[], start: number, pattern: Pattern, reach: Reach): number | undefined {
  let states = closure([0], pattern);
  let end = states.includes(pattern.length) ? start : undefined;
  for (let at = start; at < chars.length && states.length > 0; at++) {
    if (end !== undefined && reach === 'shortest') return end;
    const next: number[] = [];
    for (const state of states) {
      const token = pattern[state];
      if (token === undefined) continue;
      if (token.kind === 'many') next.push(state);
      else if (token.kind === 'one' || token.char === chars[at]) next.push(state + 1);
    }
    states = closure(next, pattern);
    if (states.includes(pattern.length)) end = at + 1;
  }
  return end;
}

/** All states that are reached without reading a character: a `*` may match nothing. Ascending, each once. */
function closure(states: readonly number[], pattern: Pattern): readonly number[] {
  const reached: number[] = [];
  for (const state of states) {
    if (state <= (reached.at(-1) ?? -1)) continue;
    reached.push(state);
    for (let at = state; pattern[at]?.kind === 'many'; at++) reached.push(at + 1);
  }
  return reached;
}
