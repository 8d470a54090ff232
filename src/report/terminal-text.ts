/**
 * Text that is safe to show: colors, control sequences of commands taken out, and cut to a width. Widths are those of
 * common terminals; what a terminal draws wider than told here is cut by the terminal itself.
 */
import type { ReportOptions } from './reporter.ts';

export interface Palette {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

const SGR = /\x1b\[[0-9;:]*m/g;
/** CSI, OSC and other escape sequences, and control characters but tab. */
const CONTROLS = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0a-\x1f\x7f]/g;

export function palette(color: ReportOptions['color']): Palette {
  const paint = (code: number) => (text: string) => (color === 'color' && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text);
  return { bold: paint(1), dim: paint(2), red: paint(31), green: paint(32), yellow: paint(33), cyan: paint(36) };
}

/** Without control sequences: one line that moves no cursor. */
export function withoutControls(text: string): string {
  return text.replace(CONTROLS, '');
}

/** A command's line: its colors stay where colors are wanted and end with the line; all other control sequences go. */
export function commandLine(text: string, color: ReportOptions['color']): string {
  if (!/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) return text;
  if (color === 'no-color') return withoutControls(text);
  let colored = false;
  let out = '';
  let from = 0;
  for (const match of text.matchAll(SGR)) {
    out += withoutControls(text.slice(from, match.index)) + match[0];
    from = match.index + match[0].length;
    colored = true;
  }
  out += withoutControls(text.slice(from));
  return colored ? `${out}\x1b[0m` : out;
}

/** Columns that a text without control sequences takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** At most `columns` wide, with `…` where something was cut. `text` has no control sequences. */
export function fitWidth(text: string, columns: number): string {
  if (columns <= 0) return '';
  if (widthOf(text) <= columns) return text;
  let out = '';
  let width = 0;
  for (const char of text) {
    const next = charWidth(char);
    if (width + next > columns - 1) break;
    out += char;
    width += next;
  }
  return `${out}…`;
}

function charWidth(char: string): number {
  const point = char.codePointAt(0) ?? 0;
  if (point === 9) return 8;
  // Combining marks, joiners, variation selectors.
  if ((point >= 0x300 && point <= 0x36f) || (point >= 0x200b && point <= 0x200f) || (point >= 0xfe00 && point <= 0xfe0f)) return 0;
  const wide =
    (point >= 0x1100 && point <= 0x115f) ||
    (point >= 0x2e80 && point <= 0xa4cf) ||
    (point >= 0xac00 && point <= 0xd7a3) ||
    (point >= 0xf900 && point <= 0xfaff) ||
    (point >= 0xfe30 && point <= 0xfe6f) ||
    (point >= 0xff00 && point <= 0xff60) ||
    (point >= 0x1f300 && point <= 0x1faff) ||
    (point >= 0x20000 && point <= 0x3fffd);
  return wide ? 2 : 1;
}
