/** Excerpts: the golden errors show most of them; here is what they do not. */
import { describe, expect, test } from 'vitest';
import { excerpt } from '../../../src/dockerfile/excerpt.ts';

const source = { file: 'Dockerfile', lines: ['one', 'two', 'three', 'four', 'five', 'six', 'seven'] };

describe('an excerpt', () => {
  test('marks the faulty lines and shows two around them', () => {
    expect(excerpt(source, { file: 'Dockerfile', startLine: 4, endLine: 5 })).toBe(
      ['Dockerfile:4', '  2 | two', '  3 | three', '> 4 | four', '> 5 | five', '  6 | six', '  7 | seven'].join('\n'),
    );
  });

  test('puts the caret below the fault', () => {
    expect(excerpt(source, { file: 'Dockerfile', startLine: 1, endLine: 1, column: 1, width: 2 })).toBe(
      ['Dockerfile:1:2', '> 1 | one', '    |  ^^', '  2 | two', '  3 | three'].join('\n'),
    );
  });

  test('never underlines more than the line has, and always something', () => {
    const caret = (column: number, width: number): string | undefined =>
      excerpt(source, { file: 'Dockerfile', startLine: 7, endLine: 7, column, width }).split('\n').at(-1);
    expect(caret(3, 99)).toBe('    |    ^^');
    expect(caret(5, 0)).toBe('    |      ^');
  });

  test('leaves out the middle of a long range', () => {
    const long = { file: 'f', lines: Array.from({ length: 100 }, (_, index) => `line ${index + 1}`) };
    const text = excerpt(long, { file: 'f', startLine: 10, endLine: 90 });
    expect(text.split('\n').length).toBeLessThan(15);
    expect(text).toContain('>    | …');
    expect(text).toContain('> 90 | line 90');
  });

  test('shows control characters as pictures', () => {
    expect(excerpt({ file: 'f', lines: ['a\x1b[31m\0\x7f\x9b'] }, { file: 'f', startLine: 1, endLine: 1 })).toBe(
      'f:1\n> 1 | a␛[31m␀␡\ufffd',
    );
  });

  test('hides the user and the password of a URL, and leaves the caret in its place', () => {
    const line = 'ADD https://me:secret@host/x.git#a..b $HOME@x ssh://git@host/x /y';
    const at = { file: 'f', startLine: 1, endLine: 1, column: line.indexOf('a..b'), width: 4 };
    expect(
      excerpt({ file: 'f', lines: [line] }, at)
        .split('\n')
        .slice(1),
    ).toEqual(['> 1 | ADD https://*********@host/x.git#a..b $HOME@x ssh://git@host/x /y', `    | ${' '.repeat(at.column)}^^^^`]);
  });

  test('hides the password of ssh, and one with an @ in it', () => {
    const line = 'ADD ssh://me:secret@host/x.git https://me:p@ss@host/x.git /y';
    expect(excerpt({ file: 'f', lines: [line] }, { file: 'f', startLine: 1, endLine: 1 })).toBe(
      'f:1\n> 1 | ADD ssh://me:******@host/x.git https://*******@host/x.git /y',
    );
  });

  test('is empty for another file or a line that is not there', () => {
    expect(excerpt(source, { file: 'other', startLine: 1, endLine: 1 })).toBe('');
    expect(excerpt(source, { file: 'Dockerfile', startLine: 8, endLine: 8 })).toBe('');
    expect(excerpt(source, { file: 'Dockerfile', startLine: 0, endLine: 0 })).toBe('');
  });
});
