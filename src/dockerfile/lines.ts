/**
 * From bytes to lines: physical lines as the file has them, and logical lines with comments gone and continuations
 * joined, which know where each of their characters stands in the file. Does not look at what the lines say.
 * Reference: BuildKit frontend/dockerfile/parser; there is no limit to the length of a line.
 */
import { type SourceRange, TsbuildError, TsbuildErrors } from '../errors.ts';
import type { ParserDirectives, SourceText } from './instruction.ts';
import { skipSpaces, trimEnd } from './whitespace.ts';

export interface DockerfileText {
  readonly source: SourceText;
  /** Each line with its line end as written; same count and order as `source.lines`. */
  readonly rawLines: readonly string[];
  /** The first line at or after index `from` that is `text`, for `stripped` when its leading tabs are off; undefined: there is none. */
  find(text: string, from: number, tabs: 'kept' | 'stripped'): number | undefined;
}

export interface LogicalLine {
  /** Continuations joined, comments gone, no space at either end. Empty when a lone escape character continues nothing. */
  readonly text: string;
  /** From 1. */
  readonly startLine: number;
  /** From 1, inclusive. */
  readonly endLine: number;
  /** Blank lines within the continuations, from 1. */
  readonly blankLines: readonly number[];
  /** Index in `source.lines` of what follows. */
  readonly next: number;
  /** Where a stretch of `text` stands; it ends with its physical line. */
  place(offset: number, width: number): SourceRange;
}

/** Far below what a JavaScript string can hold. */
const LARGEST_FILE = 128 * 2 ** 20;

interface Segment {
  /** In the joined text. */
  readonly offset: number;
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/**
 * Decodes a Dockerfile.
 * Throws TsbuildErrors (DOCKERFILE_SYNTAX) for a file in UTF-16, as some editors on Windows write it, and for one so large
 * that it was certainly not written as a Dockerfile.
 */
export function readText(bytes: Uint8Array, file: string): DockerfileText {
  const [first, second] = bytes;
  const at = { file, startLine: 1, endLine: 1 };
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new TsbuildErrors([new TsbuildError('DOCKERFILE_SYNTAX', 'the file is UTF-16', { hint: 'Save it as UTF-8.', at })]);
  }
  if (bytes.length > LARGEST_FILE) {
    const message = `the file has ${Math.ceil(bytes.length / 2 ** 20)} MiB: that is no Dockerfile`;
    throw new TsbuildErrors([new TsbuildError('DOCKERFILE_SYNTAX', message, { hint: 'Content that large belongs into the context.', at })]);
  }
  return splitText(decode(bytes), file);
}

/** The lines that errors quote, also of a file that does not parse; of one that is too large its beginning. Throws nothing. */
export function readSource(bytes: Uint8Array, file: string): SourceText {
  return splitText(decode(bytes.subarray(0, LARGEST_FILE)), file).source;
}

/** A BOM is dropped, invalid UTF-8 becomes U+FFFD. */
function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes);
}

export function splitText(text: string, file: string): DockerfileText {
  const rawLines = text.split('\n').map((line, index, all) => (index < all.length - 1 ? `${line}\n` : line));
  if (rawLines.at(-1) === '') rawLines.pop();
  const lines = rawLines.map(withoutLineEnd);
  return { source: { file, lines }, rawLines, find: lineFinder(lines) };
}

/** Files may hold thousands of heredocs and thousands of lines: looking at each line for each of them would take minutes. */
function lineFinder(lines: readonly string[]): DockerfileText['find'] {
  const indexes: Partial<Record<'kept' | 'stripped', ReadonlyMap<string, readonly number[]>>> = {};
  return (text, from, tabs) => {
    indexes[tabs] ??= indexOf(tabs === 'kept' ? lines : lines.map((line) => line.replace(/^\t+/, '')));
    const places = indexes[tabs].get(text) ?? [];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((places[middle] ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return places[low];
  };
}

/** Where each text stands, ascending. */
function indexOf(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [index, line] of lines.entries()) {
    const found = places.get(line);
    if (found === undefined) places.set(line, [index]);
    else found.push(index);
  }
  return places;
}

/** BuildKit takes off every trailing CR and LF. */
function withoutLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && (line.charAt(end - 1) === '\n' || line.charAt(end - 1) === '\r')) end--;
  return line.slice(0, end);
}

/** The first logical line at or after `index` (in `source.lines`); undefined at the end of the file. */
export function readLogicalLine(source: SourceText, index: number, escapeChar: ParserDirectives['escape']): LogicalLine | undefined {
  let at = index;
  while (at < source.lines.length && isSkipped(lineAt(source, at))) at++;
  if (at >= source.lines.length) return undefined;

  const startLine = at + 1;
  const segments: Segment[] = [];
  const blankLines: number[] = [];
  let text = '';
  let goesOn = true;
  for (let first = true; goesOn && at < source.lines.length; at++, first = false) {
    const line = lineAt(source, at);
    if (!first && isComment(line)) continue;
    if (!first && isSkipped(line)) {
      blankLines.push(at + 1);
      continue;
    }
    // Only the first line loses its indent; BuildKit keeps that of the lines that continue it.
    const column = first ? skipSpaces(line, 0) : 0;
    const end = continuationAt(line, escapeChar);
    goesOn = end !== undefined;
    const piece = line.slice(column, end);
    segments.push({ offset: text.length, line: at + 1, column, length: piece.length });
    text += piece;
  }

  const start = skipSpaces(text, 0);
  return {
    text: trimEnd(text.slice(start)),
    startLine,
    endLine: at,
    blankLines,
    next: at,
    place: (offset, width) => place(source.file, segments, offset + start, width),
  };
}

/** Where the line's continuation begins: its last character but blanks is the escape character, and only one of them. */
function continuationAt(line: string, escapeChar: string): number | undefined {
  let end = line.length;
  while (end > 0 && (line.charAt(end - 1) === ' ' || line.charAt(end - 1) === '\t')) end--;
  if (end === 0 || line.charAt(end - 1) !== escapeChar) return undefined;
  return end > 1 && line.charAt(end - 2) === escapeChar ? undefined : end - 1;
}

function isSkipped(line: string): boolean {
  return skipSpaces(line, 0) === line.length || isComment(line);
}

function isComment(line: string): boolean {
  return line.charAt(skipSpaces(line, 0)) === '#';
}

function lineAt(source: SourceText, index: number): string {
  return source.lines[index] ?? '';
}

function place(file: string, segments: readonly Segment[], offset: number, width: number): SourceRange {
  // The last one that begins at or before the offset: where two meet, the character belongs to the later.
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle]?.offset ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const segment = segments[low];
  if (segment === undefined) throw new Error('a logical line without a physical one');
  const within = Math.min(offset - segment.offset, segment.length);
  return {
    file,
    startLine: segment.line,
    endLine: segment.line,
    column: segment.column + within,
    width: Math.max(1, Math.min(width, segment.length - within)),
  };
}
