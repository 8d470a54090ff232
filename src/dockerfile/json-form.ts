/**
 * The JSON (exec) form of arguments: an array of strings, else it is the shell form. Decides only; what the strings mean
 * is the planner's. Reference: BuildKit parser/line_parsers.go (behaviour), whose JSON is Go's encoding/json.
 */

export type ArgumentForm =
  | { readonly kind: 'strings'; readonly strings: readonly string[] }
  /** A valid array with something else in it; `found` says what: `a number`. */
  | { readonly kind: 'not-strings'; readonly found: string }
  /** `suspect`: it is no JSON, but was probably meant to be. */
  | { readonly kind: 'shell'; readonly suspect: boolean };

/** Go writes U+FFFD for an escaped half of a surrogate pair. */
const LONE_SURROGATES = /[\ud800-\udfff]/gu;

export function readArgumentForm(args: string): ArgumentForm {
  if (!args.startsWith('[')) return { kind: 'shell', suspect: false };
  const array = parseArray(args);
  if (array === undefined) return { kind: 'shell', suspect: looksLikeJson(args) };
  const strings: string[] = [];
  for (const element of array) {
    if (typeof element !== 'string') return { kind: 'not-strings', found: describe(element) };
    strings.push(element.replace(LONE_SURROGATES, '\ufffd'));
  }
  return { kind: 'strings', strings };
}

function describe(element: unknown): string {
  if (element === null) return 'null';
  if (Array.isArray(element)) return 'an array';
  return typeof element === 'object' ? 'an object' : `a ${typeof element}`;
}

function parseArray(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // Not JSON: Docker then reads the shell form.
    return undefined;
  }
}

/**
 * `["a",]`, `['a']`, `[nginx]` and `[ "a", 'b' ]` do; `[ -d /x ] && y`, `[ "$a" = b ]` and `[a-z]* /dest` do not.
 * The patterns have no nested repetition: lines may be long.
 */
function looksLikeJson(text: string): boolean {
  return /^\[["'“”‘’]/.test(text) || /^\[[\w./, -]*\w\]$/.test(text) || /^\[ *(?:"[^"]*"|'[^']*'|[“”][^“”]*[“”]) *,/.test(text);
}
