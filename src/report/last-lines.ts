/** The newest lines of a command's output, for reporters that do not show all of it while it comes. */
import { outputLines } from './output-lines.ts';

export interface LastLines {
  push(chunk: Uint8Array): void;
  /** The newest `n` lines so far, the unfinished one included. */
  newest(n: number): readonly string[];
  /** All that is kept, when the command has ended. Says how many lines are missing before them. */
  end(): readonly string[];
}

/** Enough for the error of a compiler, little enough for a screen. */
const KEPT_LINES = 60;

export function lastLines(): LastLines {
  const lines = outputLines();
  let kept: string[] = [];
  let dropped = 0;
  const keep = (more: readonly string[]): void => {
    kept.push(...more);
    if (kept.length <= KEPT_LINES) return;
    dropped += kept.length - KEPT_LINES;
    kept = kept.slice(-KEPT_LINES);
  };
  return {
    push: (chunk) => keep(lines.push(chunk)),
    newest(n) {
      const pending = lines.pending.replace(/\r+$/, '');
      return [...kept, ...(pending === '' ? [] : [pending])].slice(-n);
    },
    end() {
      keep(lines.end());
      return dropped === 0 ? kept : [`(${dropped} earlier lines; --progress plain shows all)`, ...kept];
    },
  };
}
