/**
 * The last lines of a terminal, drawn over and over, with lines that scroll up above them. Each drawn line must fit the
 * width; when the terminal became narrower since, the lines that it broke are counted in.
 */
import type { ReportWorld } from './reporter.ts';
import { widthOf, withoutControls } from './terminal-text.ts';

export interface LiveRegion {
  /** Puts a line above the region for good. */
  print(line: string): void;
  /** Replaces the region; no lines take it away. */
  draw(lines: readonly string[]): void;
}

const CLEAR_BELOW = '\x1b[J';
/** Autowrap off and on: a line that is wider than we think is cut and does not break the count. */
const NO_WRAP = '\x1b[?7l';
const WRAP = '\x1b[?7h';

export function liveRegion(world: Pick<ReportWorld, 'write' | 'size'>): LiveRegion {
  let drawn: readonly string[] = [];
  const erase = (): string => {
    if (drawn.length === 0) return '';
    const columns = world.size()?.columns ?? 80;
    const rows = drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(withoutControls(line)) / columns)), 0);
    return `\x1b[${rows}A\r${CLEAR_BELOW}`;
  };
  const body = (lines: readonly string[]): string =>
    lines.length === 0 ? '' : `${NO_WRAP}${lines.map((line) => `${line}\n`).join('')}${WRAP}`;
  return {
    print(line) {
      // One write, so that no half-drawn screen is seen.
      world.write(`${erase()}${line}\n${body(drawn)}`);
    },
    draw(lines) {
      if (lines.length === 0 && drawn.length === 0) return;
      world.write(`${erase()}${body(lines)}`);
      drawn = lines;
    },
  };
}
