/**
 * Heredocs: which words of an instruction open one, and their bodies. Knows neither instructions nor expansion.
 * Reference: BuildKit parser/parser.go (behaviour). Two deliberate differences, both where BuildKit ends in an error:
 * `<<- EOF` with a blank is a heredoc, as in sh, and what `${...}` holds or a quote left open later in the line cannot
 * hide one.
 */
import type { Heredoc, Instruction } from './instruction.ts';
import type { DockerfileText } from './lines.ts';
import { isBlank, isSpace, skipSpaces } from './whitespace.ts';

export interface HeredocStart {
  /** The delimiter, quotes and escapes off. */
  readonly name: string;
  /** False when some of the delimiter was quoted. */
  readonly expand: boolean;
  /** `<<-` takes leading tabs off the body and off the terminator. */
  readonly tabs: 'kept' | 'stripped';
  readonly fd: string;
  readonly word: string;
  /** Of the word in the text given. */
  readonly offset: number;
  /** It stands within `((`...`))`, where sh sees a shift to the left. */
  readonly arithmetic: boolean;
}

/** The heredocs that a line of words opens, in order. A word opens one when it is `<<NAME`, with digits before and `-` after the `<<`. */
export function findHeredocs(text: string): readonly HeredocStart[] {
  if (!text.includes('<<')) return [];
  const found: HeredocStart[] = [];
  let depth = 0;
  let at = skipSpaces(text, 0);
  while (at < text.length) {
    const word = scanWord(text, at);
    if (word === undefined) break;
    const start = startOf(word.raw, at, depth > 0);
    if (start !== undefined) found.push(start);
    depth = Math.max(0, depth + word.arithmetic);
    at = skipSpaces(text, at + word.raw.length);
  }
  return found;
}

/** One word as written, and by how many `((` it opens more than it closes. Undefined when a quote in it has no end. */
function scanWord(text: string, from: number): { readonly raw: string; readonly arithmetic: number } | undefined {
  let at = from;
  // Blanks after `<<` belong to the word: `<< EOF` is `<<EOF`.
  const opening = /^\d*<<-?/.exec(text.slice(from, from + 24));
  if (opening !== null) at = skipSpaces(text, from + opening[0].length);
  let arithmetic = 0;
  while (at < text.length && !isSpace(text.charAt(at))) {
    const char = text.charAt(at);
    if (char === '\\') at += 2;
    else if (char === '"' || char === "'") {
      const end = quoteEnd(text, at);
      if (end === undefined) return undefined;
      at = end;
    } else if (text.startsWith('((', at) || text.startsWith('))', at)) {
      arithmetic += char === '(' ? 1 : -1;
      at += 2;
    } else at++;
  }
  return { raw: text.slice(from, Math.min(at, text.length)), arithmetic };
}

/** The index after the closing quote. */
function quoteEnd(text: string, from: number): number | undefined {
  const quote = text.charAt(from);
  for (let at = from + 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === quote) return at + 1;
    if (char === '\\' && quote === '"') at++;
  }
  return undefined;
}

function startOf(word: string, offset: number, arithmetic: boolean): HeredocStart | undefined {
  const match = /^(\d*)<<(-?)([^<]*)$/.exec(word);
  if (match === null) return undefined;
  const [, fd = '', dash = '', rest = ''] = match;
  const delimiter = unquote(rest.slice(skipSpaces(rest, 0)));
  if (delimiter.name === '') return undefined;
  return { name: delimiter.name, expand: !delimiter.quoted, tabs: dash === '-' ? 'stripped' : 'kept', fd, word, offset, arithmetic };
}

function unquote(raw: string): { readonly name: string; readonly quoted: boolean } {
  let name = '';
  let quote = '';
  let quoted = false;
  for (let at = 0; at < raw.length; at++) {
    const char = raw.charAt(at);
    const next = raw.charAt(at + 1);
    if (char === '\\' && (quote === '' || (quote === '"' && /["$\\]/.test(next)))) {
      name += next;
      at++;
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      quoted = true;
    } else if (char === quote) quote = '';
    else name += char;
  }
  return { name, quoted };
}

/**
 * Reads the body that begins with line `index` (from 0). `next` is the index after the terminator.
 * Undefined when no line is the terminator: that line has nothing but the name, before it tabs for `<<-`, after it nothing.
 */
export function readHeredoc(
  { rawLines, find }: DockerfileText,
  index: number,
  start: HeredocStart,
): { readonly heredoc: Heredoc; readonly next: number } | undefined {
  const end = find(start.name, index, start.tabs);
  if (end === undefined) return undefined;
  const lines = rawLines.slice(index, end);
  const { name, expand, fd, word } = start;
  const body = lines.map((line) => bodyLine(line, start)).join('');
  return { heredoc: { name, expand, fd, word, body, raw: lines.join('') }, next: end + 1 };
}

function bodyLine(line: string, { tabs }: HeredocStart): string {
  return tabs === 'stripped' ? line.replace(/^\t+/, '') : line;
}

/** A source or the destination of COPY and ADD. */
export type CopyWord = { readonly kind: 'path'; readonly text: string } | { readonly kind: 'heredoc'; readonly heredoc: Heredoc };

/**
 * The words of COPY or ADD: the JSON strings, or the plain form split at blanks without quote handling, with heredoc
 * words in their places.
 */
export function copyWords({ args, json, heredocs }: Pick<Instruction, 'args' | 'json' | 'heredocs'>): readonly CopyWord[] {
  if (json !== null) return json.map((text) => ({ kind: 'path', text }));
  const words: CopyWord[] = [];
  let used = 0;
  let at = 0;
  while (at < args.length) {
    if (isBlank(args.charAt(at))) {
      at++;
      continue;
    }
    const heredoc = heredocs[used];
    const after = at + (heredoc?.word.length ?? 0);
    if (heredoc !== undefined && args.startsWith(heredoc.word, at) && (after === args.length || isSpace(args.charAt(after)))) {
      words.push({ kind: 'heredoc', heredoc });
      used++;
      at = after;
      continue;
    }
    const start = at;
    while (at < args.length && !isBlank(args.charAt(at))) at++;
    words.push({ kind: 'path', text: args.slice(start, at) });
  }
  return words;
}

/** The text that ONBUILD stores in the image: the trigger on one line, then the heredocs' bodies and terminators. */
export function triggerText({ args, heredocs }: Pick<Instruction, 'args' | 'heredocs'>): string {
  return args + heredocs.map((heredoc) => `\n${heredoc.raw}${heredoc.name}`).join('');
}
