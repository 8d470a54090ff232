/**
 * White space as BuildKit's Go code sees it. JavaScript's own `trim` and `\s` differ (U+0085, U+FEFF), so they are not
 * used on Dockerfile text. Two notions exist: any Unicode space (trimming, shell words) and the blanks that separate a
 * keyword from its arguments and plain arguments from each other.
 */

/** The separators between keyword and arguments, and between plain arguments: BuildKit's `[\t\v\f\r ]+`. */
const BLANK = /[\t\v\f\r ]/;

/** Go's unicode.IsSpace. `char` is one UTF-16 unit; '' is no space. */
export function isSpace(char: string): boolean {
  const code = char === '' ? 0 : char.charCodeAt(0);
  if (code <= 0x20) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x85) return false;
  return (
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000
  );
}

export function isBlank(char: string): boolean {
  return BLANK.test(char);
}

/** The index of the first character at or after `from` that is no space; `text.length` when there is none. */
export function skipSpaces(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charAt(at))) at++;
  return at;
}

/** Go's strings.TrimRight with unicode.IsSpace. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}
