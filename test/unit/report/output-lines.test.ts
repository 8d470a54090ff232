import { expect, test } from 'vitest';
import { lastLines } from '../../../src/report/last-lines.ts';
import { outputLines } from '../../../src/report/output-lines.ts';

function linesOf(...chunks: readonly (string | Uint8Array)[]): readonly string[] {
  const lines = outputLines();
  return [...chunks.flatMap((chunk) => lines.push(Buffer.from(chunk))), ...lines.end()];
}

test.each<[string, readonly (string | Uint8Array)[], readonly string[]]>([
  ['lines', ['a\nb\n'], ['a', 'b']],
  ['an end without newline', ['a\nb'], ['a', 'b']],
  ['empty lines', ['\n\na\n\n'], ['', '', 'a', '']],
  ['chunks that cut lines', ['a', 'b', '\nc'], ['ab', 'c']],
  ['CRLF', ['a\r\nb\r\n'], ['a', 'b']],
  ['CRLF cut in two', ['a\r', '\nb'], ['a', 'b']],
  ['a progress bar', ['1%\r2%\r3%\n'], ['1%', '2%', '3%']],
  ['a progress bar cut at its end', ['1%\r', '2%\r', 'x'], ['1%', '2%', 'x']],
  ['a bar at the very end', ['1%\r'], ['1%']],
  ['UTF-8 cut in two', [Buffer.from('ü').subarray(0, 1), Buffer.from('ü\n').subarray(1)], ['ü']],
  ['bytes that are no UTF-8', [Buffer.from([0xff, 0x41, 0x0a])], ['\ufffdA']],
  ['nothing', [''], []],
])('%s', (_, chunks, expected) => {
  expect(linesOf(...chunks)).toEqual(expected);
});

test('every byte of output without newlines comes out, in pieces', () => {
  const pieces = linesOf(...Array.from({ length: 300 }, () => 'x'.repeat(1000)));
  expect(pieces.join('')).toBe('x'.repeat(300_000));
  expect(pieces.length).toBeGreaterThan(1);
});

test('the last lines are the newest ones, the unfinished one included', () => {
  const last = lastLines();
  for (let i = 0; i < 100; i++) last.push(Buffer.from(`line ${i}\n`));
  last.push(Buffer.from('50%\r'));
  expect(last.newest(3)).toEqual(['line 98', 'line 99', '50%']);
  expect(last.end()[0]).toBe('(41 earlier lines; --progress plain shows all)');
  expect(last.end().at(-1)).toBe('50%');
});
