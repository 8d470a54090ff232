/**
 * The words of Go's filepath.Match patterns, as pieces that go-match.ts and ignore-patterns.ts turn into regular
 * expressions. Syntax: https://pkg.go.dev/path/filepath#Match. Braces have no meaning; `[!a]` is a literal set.
 */

export type GlobToken =
  | { readonly kind: 'literal'; readonly character: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'star' }
  /** `source`: a character class of a regular expression with the flag `u`. Go lets it match `/`. */
  | { readonly kind: 'class'; readonly source: string };

/** `pattern`: runes. null: malformed (Go's ErrBadPattern). */
export function globTokens(pattern: string): readonly GlobToken[] | null {
  const characters = [...pattern];
  const tokens: GlobToken[] = [];
  let at = 0;
  while (at < characters.length) {
    const character = characters[at++] ?? '';
    switch (character) {
      case '*':
        tokens.push({ kind: 'star' });
        break;
      case '?':
        tokens.push({ kind: 'any' });
        break;
      case '\\': {
        const escaped = characters[at++];
        if (escaped === undefined) return null;
        tokens.push({ kind: 'literal', character: escaped });
        break;
      }
      case '[': {
        const read = readClass(characters, at);
        if (read === null) return null;
        tokens.push({ kind: 'class', source: read.source });
        at = read.end;
        break;
      }
      default:
        tokens.push({ kind: 'literal', character });
    }
  }
  return tokens;
}

/** From behind the `[` to behind the `]`. A `]` or `-` that is meant has to be escaped, and a class is never empty. */
function readClass(characters: readonly string[], start: number): { source: string; end: number } | null {
  let at = start;
  const negated = characters[at] === '^';
  if (negated) at++;
  let ranges = '';
  for (let count = 0; ; count++) {
    if (characters[at] === ']' && count > 0) break;
    const low = readMember(characters, at);
    if (low === null) return null;
    at = low.end;
    let high = low;
    if (characters[at] === '-') {
      const read = readMember(characters, at + 1);
      if (read === null) return null;
      high = read;
      at = high.end;
    }
    if (low.point <= high.point) ranges += `${point(low.point)}-${point(high.point)}`;
  }
  // A reversed range matches nothing, which a regular expression would refuse.
  return { source: negated ? `[^${ranges}]` : ranges === '' ? '(?!)' : `[${ranges}]`, end: at + 1 };
}

function readMember(characters: readonly string[], start: number): { point: number; end: number } | null {
  let at = start;
  let character = characters[at++];
  if (character === undefined || character === '-' || character === ']') return null;
  if (character === '\\') character = characters[at++];
  // The class still has to be closed.
  if (character === undefined || at >= characters.length) return null;
  return { point: character.codePointAt(0) ?? 0, end: at };
}

function point(code: number): string {
  return `\\u{${code.toString(16)}}`;
}

/** One character as regular expression source (flag `u`). */
export function literalSource(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
