/** Patterns against the shell as an independent witness, and where Docker's differ from it. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compilePattern, replacePattern, withoutPrefix, withoutSuffix } from '../../../src/dockerfile/pattern.ts';
import { TsbuildError } from '../../../src/errors.ts';

const VALUES = ['', 'a', 'abab', 'foobarbaz', 'a.b.c', 'aaa', '*a*', 'a\\b'];
const PATTERNS = [
  '',
  'a',
  '*',
  '?',
  '*a',
  'a*',
  'a*b',
  '*b*',
  '?a',
  'a?b',
  '*.',
  '.*',
  'a**a',
  '\\*',
  '\\?',
  '**',
  '*a*a',
  'ba*',
  'foo',
  '\\\\',
  '\\\\b',
];

function bash(script: string): string[] {
  const lines = VALUES.flatMap((value) => PATTERNS.map((pattern) => `V='${value}' P='${pattern}'; printf '%s\\0' ${script}`));
  return execFileSync('bash', ['-c', lines.join('\n')], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);
}

function ours(operation: (value: string, pattern: string) => string): string[] {
  return VALUES.flatMap((value) => PATTERNS.map((pattern) => operation(value, pattern)));
}

describe('patterns', () => {
  test.each([
    ['#', (value: string, pattern: string) => withoutPrefix(value, compilePattern(pattern, '\\'), 'shortest')],
    ['##', (value: string, pattern: string) => withoutPrefix(value, compilePattern(pattern, '\\'), 'longest')],
    ['%', (value: string, pattern: string) => withoutSuffix(value, compilePattern(pattern, '\\'), 'shortest')],
    ['%%', (value: string, pattern: string) => withoutSuffix(value, compilePattern(pattern, '\\'), 'longest')],
  ])('trim with %s what bash trims', (operator, operation) => {
    expect(ours(operation)).toEqual(bash(`"\${V${operator}$P}"`));
  });

  test.each(['first', 'all'] as const)('replace what bash replaces (%s), but for matches of nothing', (which) => {
    const skipped = (pattern: string): boolean => pattern === '' || pattern === '*' || pattern === '**';
    const keep = (results: string[]): string[] => results.filter((_, index) => !skipped(PATTERNS[index % PATTERNS.length] ?? ''));
    const mine = ours((value, pattern) => replacePattern(value, compilePattern(pattern, '\\'), '<&>', which));
    expect(keep(mine)).toEqual(keep(bash(which === 'first' ? '"${V/$P/<"&">}"' : '"${V//$P/<"&">}"')));
  });

  test('replace matches of nothing as Go does: not right after another match', () => {
    const all = (value: string, pattern: string): string => replacePattern(value, compilePattern(pattern, '\\'), '-', 'all');
    expect(all('abc', '')).toBe('-a-b-c-');
    expect(all('abc', '*')).toBe('-');
    expect(all('', '*')).toBe('-');
    expect(all('abc', 'c*')).toBe('ab-');
    expect(replacePattern('abc', compilePattern('', '\\'), '-', 'first')).toBe('-abc');
  });

  test('escape only * ? } / and the escape character itself, and never the end', () => {
    const trimmed = (value: string, pattern: string): string => withoutPrefix(value, compilePattern(pattern, '\\'), 'shortest');
    expect(['\\*', '\\?', '\\}', '\\/', '\\\\'].map((pattern) => trimmed('*?}/\\', pattern))).toEqual([
      '?}/\\',
      '*?}/\\',
      '*?}/\\',
      '*?}/\\',
      '*?}/\\',
    ]);
    expect(trimmed('?', '\\?')).toBe('');
    for (const pattern of ['\\x', '\\$', 'a\\"', '\\', '\\\\\\'])
      expect(() => compilePattern(pattern, '\\'), pattern).toThrow(TsbuildError);
  });

  test('take brackets literally', () => {
    expect(withoutPrefix('[ab]x', compilePattern('[ab]', '\\'), 'shortest')).toBe('x');
    expect(withoutPrefix('ax', compilePattern('[ab]', '\\'), 'shortest')).toBe('ax');
  });
});
