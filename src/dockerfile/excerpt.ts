/**
 * The lines of a Dockerfile around a fault, for people: numbers, `>` at the faulty lines, `^` below the fault. Plain
 * text without colours; the message itself is the caller's.
 */
import type { SourceRange } from '../errors.ts';
import type { SourceText } from './instruction.ts';
import { visible } from './visible.ts';

const LINES_AROUND = 2;
/** A faulty range of more lines shows its first and last ones. */
const MOST_FAULTY_LINES = 8;
/** Longer lines are cut around the fault. In UTF-16 units. */
const WIDEST = 120;
const CUT = '…';

/**
 * Lines without a line end after the last; the first names file, line and column (both from 1). '' when the range is not
 * of this file or has no line in it.
 */
export function excerpt(source: SourceText, at: SourceRange): string {
  const last = source.lines.length;
  if (at.file !== source.file || at.startLine < 1 || at.startLine > last) return '';
  const end = Math.min(Math.max(at.endLine, at.startLine), last);
  const from = Math.max(1, at.startLine - LINES_AROUND);
  const to = Math.min(last, end + LINES_AROUND);
  const digits = String(to).length;
  const gutter = (mark: string, number: string): string => `${mark} ${number.padStart(digits)} |`;
  const result = [`${visible(at.file)}:${at.startLine}${at.column === undefined ? '' : `:${at.column + 1}`}`];
  const [hideFrom, hideTo] = hidden(at.startLine, end);
  for (let number = from; number <= to; number++) {
    if (number > hideFrom && number < hideTo) {
      if (number === hideFrom + 1) result.push(`${gutter('>', '')} ${CUT}`);
      continue;
    }
    const faulty = number >= at.startLine && number <= end;
    const focus = number === at.startLine ? (at.column ?? 0) : 0;
    const { text, column } = cut(visible(withoutPasswords(source.lines[number - 1] ?? '')), focus);
    result.push(`${gutter(faulty ? '>' : ' ', String(number))} ${text}`.trimEnd());
    if (number === at.startLine && at.column !== undefined) {
      result.push(`${gutter(' ', '')} ${underline(text, column, at.width ?? 1)}`);
    }
  }
  return result.join('\n');
}

/** The faulty lines strictly between these two are left out. */
function hidden(start: number, end: number): readonly [number, number] {
  if (end - start < MOST_FAULTY_LINES) return [end, end];
  return [start + MOST_FAULTY_LINES - 3, end - 1];
}

/** At most WIDEST characters around the focus, and where the focus is in them. */
function cut(line: string, focus: number): { readonly text: string; readonly column: number } {
  if (line.length <= WIDEST) return { text: line, column: focus };
  const from = focus < WIDEST - 20 ? 0 : focus - Math.floor(WIDEST / 2);
  const to = Math.min(line.length, from + WIDEST);
  const before = from > 0 ? CUT : '';
  const after = to < line.length ? CUT : '';
  return { text: `${before}${line.slice(from, to)}${after}`, column: focus - from + before.length };
}

/** Tabs stay tabs, so that the caret stands below its character whatever a tab's width is. */
function underline(text: string, column: number, width: number): string {
  const indent = text.slice(0, column).replace(/[^\t]/g, ' ').padEnd(column);
  return indent + '^'.repeat(Math.max(1, Math.min(width, text.length - column)));
}

/** Logs are read by more people than Dockerfiles. Of the same length, so that the caret stays in its place. */
function withoutPasswords(line: string): string {
  return line.replace(
    /\b((?:https?|ftp|git):\/\/|ssh:\/\/[^\s/?#@:]*:)([^\s/?#]+)@/gi,
    (_, before: string, secret: string) => `${before}${'*'.repeat(secret.length)}@`,
  );
}
