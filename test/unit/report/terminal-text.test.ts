import { describe, expect, test } from 'vitest';
import { commandLine, fitWidth, widthOf, withoutControls } from '../../../src/report/terminal-text.ts';
import { formatBytes, formatSeconds } from '../../../src/report/units.ts';

test.each([
  ['plain', 'plain'],
  ['a\tb', 'a\tb'],
  ['\x1b[31mred\x1b[0m', 'red'],
  ['\x1b[2J\x1b[1;1Hclear', 'clear'],
  ['\x1b]0;title\x07text', 'text'],
  ['\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\', 'link'],
  ['\x1b(Bcharset', 'charset'],
  ['bell\x07 back\x08space', 'bell backspace'],
  ['cut \x1b[', 'cut '],
  ['ünïcode ✓', 'ünïcode ✓'],
])('%j without control sequences is %j', (text, expected) => {
  expect(withoutControls(text)).toBe(expected);
});

test('a command keeps its colors where they are wanted, and nothing but its colors', () => {
  expect(commandLine('a\x1b[2K\x1b[1;32mb', 'color')).toBe('a\x1b[1;32mb\x1b[0m');
  expect(commandLine('a\x1b[2K\x1b[1;32mb', 'no-color')).toBe('ab');
  expect(commandLine('a\x07', 'color')).toBe('a');
});

test.each([
  ['abcdef', 6, 'abcdef'],
  ['abcdef', 5, 'abcd…'],
  ['日本語', 6, '日本語'],
  ['日本語', 5, '日本…'],
  ['日本語', 4, '日…'],
  ['👍👍', 3, '👍…'],
  ['abc', 0, ''],
])('%j cut to %i columns is %j', (text, columns, expected) => {
  expect(fitWidth(text, columns)).toBe(expected);
  expect(widthOf(expected)).toBeLessThanOrEqual(columns);
});

describe('numbers', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [28_231_466, '28.2 MB'],
    [1_500_000_000, '1.5 GB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  test.each([
    [0, '0.0 s'],
    [0.26, '0.3 s'],
    [59.94, '59.9 s'],
    [59.96, '1 min 00 s'],
    [185, '3 min 05 s'],
    [3599.6, '1 h 00 min'],
    [3720, '1 h 02 min'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatSeconds(seconds)).toBe(text);
  });
});
