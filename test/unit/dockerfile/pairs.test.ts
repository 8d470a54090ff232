/** ENV, LABEL and ARG words. */
import { describe, expect, test } from 'vitest';
import { type PairKeyword, splitFields, splitPairs } from '../../../src/dockerfile/pairs.ts';
import { TsbuildError } from '../../../src/errors.ts';

function pairs(keyword: PairKeyword, args: string, escapeChar: '\\' | '`' = '\\'): [string, string | null][] {
  return splitPairs(keyword, args, escapeChar).map(({ name, value }) => [name, value]);
}

describe('pairs', () => {
  test.each<[PairKeyword, string, [string, string | null][]]>([
    ['ENV', 'A=b', [['A', 'b']]],
    ['ENV', 'A b c', [['A', 'b c']]],
    ['ENV', 'A  \t b=c "d', [['A', 'b=c "d']]],
    ['LABEL', 'A b', [['A', 'b']]],
    [
      'ENV',
      `A="x y" B=a\\ b C='$n'`,
      [
        ['A', '"x y"'],
        ['B', 'a\\ b'],
        ['C', "'$n'"],
      ],
    ],
    [
      'ENV',
      'A= B=""',
      [
        ['A', ''],
        ['B', '""'],
      ],
    ],
    ['ENV', 'A=b=c', [['A', 'b=c']]],
    [
      'ENV',
      'A=\\"x y=2',
      [
        ['A', '\\"x'],
        ['y', '2'],
      ],
    ],
    [
      'ENV',
      `A="it's" B='say "x y"'`,
      [
        ['A', `"it's"`],
        ['B', `'say "x y"'`],
      ],
    ],
    [
      'ENV',
      'A="a\\"b c" D=e',
      [
        ['A', '"a\\"b c"'],
        ['D', 'e'],
      ],
    ],
    ['ENV', 'A=b\\', [['A', 'b']]],
    ['LABEL', '"a b"=c', [['"a b"', 'c']]],
    ['ENV', '$K=$V', [['$K', '$V']]],
    ['ARG', 'A', [['A', null]]],
    [
      'ARG',
      'A=1 B C="x y"',
      [
        ['A', '1'],
        ['B', null],
        ['C', '"x y"'],
      ],
    ],
    ['ARG', 'A=', [['A', '']]],
    ['ENV', 'A="open b=c', [['A', '"open b=c']]],
  ])('%s %s', (keyword, args, expected) => {
    expect(pairs(keyword, args)).toEqual(expected);
  });

  test('are one, and the rest of the line its value, when the first word of ENV or LABEL has no =', () => {
    expect(pairs('ENV', 'A b c=d "e')).toEqual([['A', 'b c=d "e']]);
    expect(pairs('LABEL', 'a.b\t c  d')).toEqual([['a.b', 'c  d']]);
    expect(() => pairs('ENV', 'A')).toThrow('ENV A has no value');
  });

  test('else all have an =, and the error names the word that has none', () => {
    expect(() => pairs('ENV', 'A=1 B')).toThrow('ENV has no = in B');
    expect(() => pairs('ENV', 'A= b')).toThrow('ENV has no = in b');
    expect(() => pairs('LABEL', 'a=1 "b c" d=2')).toThrow('LABEL has no = in "b c"');
  });

  test('join quoted and escaped stretches to one word', () => {
    expect(pairs('ENV', `A="x y"'z  z' B=a\\ b C='$n' D="\\" =" E=`)).toEqual([
      ['A', `"x y"'z  z'`],
      ['B', 'a\\ b'],
      ['C', "'$n'"],
      ['D', '"\\" ="'],
      ['E', ''],
    ]);
  });

  test('without a name are an error', () => {
    for (const keyword of ['ENV', 'LABEL', 'ARG'] as const) {
      expect(() => pairs(keyword, '=x')).toThrow(`${keyword} has a value without a name: =x`);
    }
  });

  test('of ARG are several to a line, with a value or without', () => {
    expect(pairs('ARG', 'A=1 B C="x y" D=')).toEqual([
      ['A', '1'],
      ['B', null],
      ['C', '"x y"'],
      ['D', ''],
    ]);
  });

  test('are escaped with a backtick when that is the escape character', () => {
    expect(pairs('ENV', 'A=a` b B=c:\\ C=d', '`')).toEqual([
      ['A', 'a` b'],
      ['B', 'c:\\'],
      ['C', 'd'],
    ]);
  });

  test.each<[PairKeyword, string, string]>([
    ['ENV', 'A=1 B', 'ENV has no = in B'],
    ['LABEL', 'a=1 b c=2', 'LABEL has no = in b'],
    ['ENV', 'PATH', 'ENV PATH has no value'],
    ['ENV', '=x', 'ENV has a value without a name: =x'],
    ['ARG', '=x', 'ARG has a value without a name: =x'],
    ['ENV', '', 'ENV needs at least one argument'],
    ['ARG', '  ', 'ARG needs at least one argument'],
  ])('of %s %j are an error', (keyword, args, message) => {
    expect(() => splitPairs(keyword, args, '\\')).toThrow(TsbuildError);
    expect(() => splitPairs(keyword, args, '\\')).toThrow(message);
  });
});

describe('fields', () => {
  test('are what stands between blanks, quotes and all', () => {
    expect(splitFields(' "a b"\tc\f\vd  ')).toEqual(['"a', 'b"', 'c', 'd']);
    expect(splitFields('')).toEqual([]);
    expect(splitFields('a\u00a0b')).toEqual(['a\u00a0b']);
  });
});
