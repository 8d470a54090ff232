/**
 * The output of a command as lines. A carriage return ends a line too, so progress bars become lines of their own; bytes
 * that are not UTF-8 become U+FFFD. Nothing is dropped.
 */
import { StringDecoder } from 'node:string_decoder';

export interface OutputLines {
  /** The lines that `chunk` completes. */
  push(chunk: Uint8Array): readonly string[];
  /** What came after the last line end, if anything. */
  end(): readonly string[];
  /** The unfinished line. */
  readonly pending: string;
}

/** A "line" without an end is handed out in pieces of this many characters, so that memory stays bounded. */
const LONGEST_LINE = 65_536;

export function outputLines(): OutputLines {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  const cut = (text: string): readonly string[] => {
    const lines = (pending + text).split(/\r*\n|\r+(?=[^\r\n])/);
    pending = lines.pop() ?? '';
    while (pending.length > LONGEST_LINE) {
      lines.push(pending.slice(0, LONGEST_LINE));
      pending = pending.slice(LONGEST_LINE);
    }
    return lines;
  };
  return {
    push: (chunk) => cut(decoder.write(chunk as Buffer)),
    end() {
      const lines = [...cut(decoder.end()), pending.replace(/\r+$/, '')];
      pending = '';
      return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
    },
    get pending() {
      return pending;
    },
  };
}
