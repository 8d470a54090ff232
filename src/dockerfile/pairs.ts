/**
 * The words of ENV, LABEL and ARG, and plain words between blanks. Quotes and escapes stay in: `expandWord` takes them
 * off. Reference: BuildKit parser/line_parsers.go (behaviour).
 */
import { TsbuildError } from '../errors.ts';
import type { Fault } from './findings.ts';
import type { ParserDirectives } from './instruction.ts';
import { shown } from './visible.ts';
import { isBlank, isSpace } from './whitespace.ts';

export type PairKeyword = 'ENV' | 'LABEL' | 'ARG';

/** Both unexpanded, quotes and escapes as written. */
export interface Pair {
  readonly name: string;
  /** Null for an ARG without `=`. */
  readonly value: string | null;
}

export interface PlacedWord {
  readonly text: string;
  readonly offset: number;
}

export type Pairs = { readonly pairs: readonly Pair[] } | { readonly fault: Fault; readonly offset: number; readonly width: number };

/**
 * The pairs of ENV, LABEL or ARG in order. When the first word of ENV or LABEL has no `=`, the rest of the line is its
 * value. Throws TsbuildError (DOCKERFILE_SYNTAX) without place; `parseDockerfile` has reported the same with one.
 */
export function splitPairs(keyword: PairKeyword, args: string, escapeChar: ParserDirectives['escape']): readonly Pair[] {
  const result = readPairs(keyword, args, escapeChar);
  if ('pairs' in result) return result.pairs;
  throw new TsbuildError('DOCKERFILE_SYNTAX', result.fault.message, { hint: result.fault.hint });
}

/** As `splitPairs`; a fault comes back with its place in `args`. */
export function readPairs(keyword: PairKeyword, args: string, escapeChar: ParserDirectives['escape']): Pairs {
  const words = shellWords(args, escapeChar);
  const [first] = words;
  if (first === undefined) return { fault: { message: `${keyword} needs at least one argument` }, offset: 0, width: args.length };
  if (keyword !== 'ARG' && isLegacyPair(args, escapeChar)) return legacyPair(keyword, args);
  const pairs: Pair[] = [];
  for (const { text, offset } of words) {
    const equals = text.indexOf('=');
    if (equals > 0) pairs.push({ name: text.slice(0, equals), value: text.slice(equals + 1) });
    else if (equals === 0)
      return { fault: { message: `${keyword} has a value without a name: ${shown(text)}` }, offset, width: text.length };
    else if (keyword === 'ARG') pairs.push({ name: text, value: null });
    else {
      const hint = 'Every word is NAME=VALUE; put quotes around a value that has blanks.';
      return { fault: { message: `${keyword} has no = in ${shown(text)}`, hint }, offset, width: text.length };
    }
  }
  return { pairs };
}

/** `ENV NAME VALUE` and `LABEL NAME VALUE`. */
export function isLegacyPair(args: string, escapeChar: ParserDirectives['escape']): boolean {
  return shellWords(args, escapeChar)[0]?.text.includes('=') === false;
}

function legacyPair(keyword: PairKeyword, args: string): Pairs {
  let end = 0;
  while (end < args.length && !isBlank(args.charAt(end))) end++;
  let value = end;
  while (value < args.length && isBlank(args.charAt(value))) value++;
  const name = args.slice(0, end);
  if (value < args.length) return { pairs: [{ name, value: args.slice(value) }] };
  const hint = `Write ${keyword} ${shown(name)}=VALUE.`;
  return { fault: { message: `${keyword} ${shown(name)} has no value`, hint }, offset: 0, width: end };
}

/** Words with their quotes and escapes left in. A lone escape character at the end of the text is dropped, an open quote ends there. */
function shellWords(text: string, escapeChar: string): readonly PlacedWord[] {
  const words: PlacedWord[] = [];
  let word = '';
  let start = -1;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === '' && isSpace(char)) {
      if (word !== '') words.push({ text: word, offset: start });
      word = '';
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (char === escapeChar && quote !== "'") {
      at++;
      if (at < text.length) word += char + text.charAt(at);
      continue;
    }
    if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === quote) quote = '';
    word += char;
  }
  if (word !== '') words.push({ text: word, offset: start });
  return words;
}

/** What is between blanks, without quote handling: COPY and ADD in plain form, EXPOSE, VOLUME, FROM. */
export function splitFields(args: string): readonly string[] {
  return placedFields(args).map((field) => field.text);
}

/** As `splitFields`, with each word's place in `args`. */
export function placedFields(args: string): readonly PlacedWord[] {
  const fields: PlacedWord[] = [];
  let at = 0;
  while (at < args.length) {
    const start = at;
    while (at < args.length && !isBlank(args.charAt(at))) at++;
    if (at > start) fields.push({ text: args.slice(start, at), offset: start });
    while (at < args.length && isBlank(args.charAt(at))) at++;
  }
  return fields;
}
