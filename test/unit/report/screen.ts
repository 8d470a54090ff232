/** A terminal of so many columns and rows that understands what the reporters send, and fails on anything else. */
export interface Screen {
  write(text: string): void;
  /** Everything that is seen and has scrolled away, without trailing blanks. */
  lines(): readonly string[];
}

export function screen(columns: number, rows: number): Screen {
  let cells: string[][] = [[]];
  let [row, column, wrap] = [0, 0, true];
  /** The first row that is still on the screen: the cursor cannot go above it. */
  const top = (): number => Math.max(0, cells.length - rows);
  const put = (char: string): void => {
    if (column >= columns) {
      if (!wrap) column = columns - 1;
      else newline();
    }
    const line = cells[row] ?? [];
    line[column++] = char;
    cells[row] = line;
  };
  const newline = (): void => {
    row++;
    column = 0;
    cells[row] ??= [];
  };
  const sequence = (text: string): void => {
    const up = /^\x1b\[(\d+)A$/.exec(text);
    if (up !== null) row = Math.max(top(), row - Number(up[1]));
    else if (text === '\x1b[J') {
      cells = cells.slice(0, row + 1);
      cells[row] = (cells[row] ?? []).slice(0, column);
    } else if (text === '\x1b[?7l') wrap = false;
    else if (text === '\x1b[?7h') wrap = true;
    else if (!/^\x1b\[\d*m$/.test(text)) throw new Error(`unknown sequence ${JSON.stringify(text)}`);
  };
  return {
    write(text) {
      for (const [part = ''] of text.matchAll(/\x1b\[[0-9;?]*[A-Za-z]|[\s\S]/gu)) {
        if (part.length > 1 && part.startsWith('\x1b')) sequence(part);
        else if (part === '\n') newline();
        else if (part === '\r') column = 0;
        else if (part < ' ') throw new Error(`unknown character ${JSON.stringify(part)}`);
        else put(part);
      }
    },
    lines: () =>
      cells.map((line) =>
        Array.from(line, (char) => char ?? ' ')
          .join('')
          .trimEnd(),
      ),
  };
}
