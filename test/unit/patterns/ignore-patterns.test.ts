import { describe, expect, test } from 'vitest';
import { bytesOf, parentOf } from '../../../src/bytes/byte-path.ts';
import { type IgnoreVerdict, ignorePatterns, parseIgnoreFile } from '../../../src/patterns/ignore-patterns.ts';

const read = (text: string) => parseIgnoreFile(Buffer.from(text), '.dockerignore');
const ignores = (text: string, path: string): boolean => read(text).judgePath(bytesOf(path)).ignored;

describe('one pattern', () => {
  test.each<[string, string, boolean]>([
    ['foo', 'foo', true],
    ['foo', 'a/foo', false],
    ['foo', 'foo/a/b', true],
    ['foo', 'foobar', false],
    ['/foo', 'foo', true],
    ['./foo/', 'foo', true],
    ['a//b/../c', 'a/c', true],
    ['../foo', 'foo', false],
    ['/../foo', 'foo', true],
    ['.', 'a', false],
    ['/', 'a', false],
    ['*', 'a', true],
    ['*', '.a', true],
    ['*.txt', 'a.txt', true],
    ['*.txt', 'd/a.txt', false],
    ['*/*.txt', 'd/a.txt', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[!b]x', 'bx', true],
    ['[!b]x', '!x', true],
    ['FOO', 'foo', false],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a.c', 'abc', false],
    ['a$', 'a$', true],
    ['a^*', 'a^b', true],
    ['x y', 'x y', true],
    ['é?', 'éé', true],
  ])('%j on %j: %j', (pattern, path, wanted) => expect(ignores(pattern, path)).toBe(wanted));
});

describe('a pattern', () => {
  const seen = (text: string, ...paths: string[]): boolean[] => paths.map((path) => ignores(text, path));

  test('is cleaned: a leading slash, dots and a slash at its end make no difference', () => {
    for (const text of ['a', '/a', './a', 'a/', './a/', '//a', 'x/../a'])
      expect(seen(text, 'a', 'a/b', 'x/a')).toEqual([true, true, false]);
  });

  test('is anchored at the root of the context, unlike in .gitignore', () => {
    expect(seen('foo', 'foo', 'a/foo')).toEqual([true, false]);
    expect(seen('**/foo', 'foo', 'a/foo', 'a/b/foo')).toEqual([true, true, true]);
  });

  test('has * and ? that stop at a slash and take leading dots', () => {
    expect(seen('*', 'a', '.a')).toEqual([true, true]);
    expect(seen('*.x', 'a.x', 'd/a.x')).toEqual([true, false]);
    expect(seen('a?c', 'abc', 'a/c')).toEqual([true, false]);
  });

  test('may have ** for any number of folders, or glued to other characters', () => {
    expect(seen('a/**/b', 'a/b', 'a/x/y/b', 'a/xb')).toEqual([true, true, false]);
    expect(seen('**.pyc', 'x.pyc', 'd/e/x.pyc')).toEqual([true, true]);
    expect(seen('a**', 'a', 'abc', 'ab/c', 'ba')).toEqual([true, true, true, false]);
    expect(seen('foo**bar', 'foobar', 'foox/y/bar')).toEqual([true, true]);
  });

  test('that matches a folder holds for all below it, until a later one takes something back', () => {
    expect(seen('d', 'd/a', 'd/e/f')).toEqual([true, true]);
    expect(seen('d\n!d/e', 'd/a', 'd/e', 'd/e/f')).toEqual([true, false, false]);
  });

  test('decides when it is the last one that matches', () => {
    expect(seen('*.md\n!R*.md\nRx.md', 'a.md', 'R.md', 'Rx.md')).toEqual([true, false, true]);
    expect(seen('!a\na', 'a')).toEqual([true]);
  });

  test('may have blanks behind its exclamation mark', () => expect(seen('*\n!  a ', 'a', 'b')).toEqual([false, true]));

  test('that is a dot matches nothing below the root', () => expect(seen('.\n./', 'a', '.a', 'a/b')).toEqual([false, false, false]));

  test('tells capitals from small letters', () => expect(seen('Foo', 'Foo', 'foo')).toEqual([true, false]));

  test('has no special characters but * ? [ and the backslash', () => {
    expect(seen('{a,b}*', '{a,b}c', 'ac')).toEqual([true, false]);
    expect(seen('a|b*', 'a|bc', 'a', 'bc')).toEqual([true, false, false]);
    expect(seen('a.^$()+*', 'a.^$()+x', 'ax')).toEqual([true, false]);
  });
});

describe('two stars', () => {
  test.each<[string, string, boolean]>([
    ['**', 'a/b/c', true],
    ['**/', 'a', true],
    ['**/foo', 'foo', true],
    ['**/foo', 'a/b/foo', true],
    ['**/foo', 'a/xfoo', false],
    ['**/foo/bar', 'x/foo/bar', true],
    ['foo/**', 'foo/a', true],
    ['foo/**', 'foo/a/b', true],
    ['foo/**', 'foo', false],
    ['foo/**/bar', 'foo/bar', true],
    ['foo/**/bar', 'foo/a/b/bar', true],
    ['foo/**/bar', 'foo/xbar', false],
    ['**/*.go', 'x.go', true],
    ['**/*.go', 'a/b/x.go', true],
    ['**.pyc', 'x.pyc', true],
    ['**.pyc', 'd/x.pyc', true],
    ['**foo', 'a/xfoo', true],
    ['**]', 'x]', false],
    ['**]', 'x/]', true],
    ['a**', 'a', true],
    ['a**', 'abc/d', true],
    ['a**', 'ba', false],
    ['foo**bar', 'foobar', true],
    ['foo**bar', 'foox/y/bar', true],
    ['foo**bar', 'fooxbar', false],
    ['**/a/**', 'x/a/b', true],
    ['**/a/**', 'x/a', false],
    ['a/**/b/**/c', 'a/b/c', true],
    ['a/**/b/**/c', 'a/x/b/y/z/c', true],
    ['***', 'a', true],
  ])('%j on %j: %j', (pattern, path, wanted) => expect(ignores(pattern, path)).toBe(wanted));
});

describe('several patterns', () => {
  test.each<[string[], string, boolean]>([
    [['*', '!a'], 'a', false],
    [['*', '!a'], 'a/b', false],
    [['!a', '*'], 'a', true],
    [['a', '!a/keep'], 'a/keep', false],
    [['a', '!a/keep'], 'a/other', true],
    [['a', '!a/keep', 'a/keep/x'], 'a/keep/x', true],
    [['*', '!src', 'src/*.in'], 'src/a.in', true],
    [['*', '!src', 'src/*.in'], 'src/a.c', false],
    [['**', '! a/b '], 'a/b', false],
    [['*.md', '!README*.md', 'README-secret.md'], 'README.md', false],
    [['*.md', '!README*.md', 'README-secret.md'], 'README-secret.md', true],
    [['*.md', 'README-secret.md', '!README*.md'], 'README-secret.md', false],
    [['ignore/**', '!ignore/foo'], 'ignore/foo', false],
    [['ignore/**', '!ignore/foo'], 'ignore/bar', true],
  ])('%j on %j: %j', (patterns, path, wanted) => expect(ignores(patterns.join('\n'), path)).toBe(wanted));
});

describe('the file', () => {
  test('loses a byte order mark, carriage returns, blanks at both ends and empty lines', () => {
    expect(ignores('\ufefffoo\r\n\r\n \t bar \r\n', 'foo')).toBe(true);
    expect(ignores('\ufefffoo\r\n\r\n \t bar \r\n', 'bar')).toBe(true);
  });

  test('has comments only in column 0', () => {
    expect(ignores('# x', '# x')).toBe(false);
    expect(ignores(' # x', '# x')).toBe(true);
    expect(ignores('a # x', 'a')).toBe(false);
  });

  test.each(['!', ' ! ', 'ok\n!'])('with a lone exclamation mark is refused: %j', (text) => {
    expect(() => read(text)).toThrowError(
      expect.objectContaining({ code: 'DOCKERIGNORE_SYNTAX', message: expect.stringContaining('illegal exclusion pattern') }),
    );
  });

  test.each(['a\n[b', 'a\nb\\', 'a\n[]'])('with a malformed pattern is refused and its line named: %j', (text) => {
    expect(() => read(text)).toThrowError(
      expect.objectContaining({ code: 'DOCKERIGNORE_SYNTAX', message: expect.stringMatching(/^\.dockerignore:2: /) }),
    );
  });

  test('tells which line decided', () => {
    const patterns = read('# c\n*.log\n\n!keep.log\nkeep.log');
    expect(patterns.judgePath('a.log').by).toMatchObject({ line: 2, text: '*.log' });
    expect(patterns.judgePath('keep.log').by).toMatchObject({ line: 5, text: 'keep.log' });
    expect(patterns.judgePath('x').by).toBeNull();
  });

  test('matches names that are not UTF-8 by their bytes', () => {
    const patterns = parseIgnoreFile(Buffer.from('x\xff*', 'latin1'), '.dockerignore');
    expect(patterns.judgePath('x\xffy').ignored).toBe(true);
    expect(patterns.judgePath('x\xfey').ignored).toBe(false);
  });

  test('that is empty ignores nothing', () => {
    expect(read('\n# only\n').isEmpty).toBe(true);
    expect(read('').judgePath('a/b').ignored).toBe(false);
  });
});

describe('pruning', () => {
  const prunes = (text: string, folder: string): boolean => {
    const patterns = read(text);
    return patterns.canPrune(folder, patterns.judgePath(folder));
  };

  test.each<[string, string, boolean]>([
    ['node_modules', 'node_modules', true],
    ['node_modules', 'src', false],
    ['*\n!*.md', 'node_modules', true],
    ['*\n!a/b', 'a', false],
    ['*\n!a/b', 'c', true],
    ['*\n!a/b', 'a/c', true],
    ['*\n!*/b', 'c', false],
    ['*\n!**/keep', 'c/d', false],
    ['*\n!a/**', 'a', false],
    ['*\n!a/**', 'b', true],
    ['*\n![ab]/x', 'c', false],
    ['*\n!a', 'a', false],
  ])('%j lets %j be passed over: %j', (text, folder, wanted) => expect(prunes(text, folder)).toBe(wanted));

  test('never passes over a folder below which a pattern takes something back', () => {
    const random = seeded(7);
    const parts = ['a', 'b', '*', '**', '?', '[ab]', '**a', 'a*'];
    const names = ['a', 'b', 'ab', 'c'];
    for (let round = 0; round < 3000; round++) {
      const text = Array.from(
        { length: 1 + random(4) },
        () => `${random(2) === 0 ? '' : '!'}${Array.from({ length: 1 + random(3) }, () => parts[random(parts.length)]).join('/')}`,
      ).join('\n');
      const patterns = read(text);
      const path = Array.from({ length: 3 }, () => names[random(names.length)]).join('/');
      if (patterns.judgePath(path).ignored) continue;
      for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) {
        const verdict: IgnoreVerdict = patterns.judgePath(folder);
        expect(`${text} | ${folder} | ${patterns.canPrune(folder, verdict)}`).toBe(`${text} | ${folder} | false`);
      }
    }
  });
});

test('--exclude patterns are read like lines, without comments', () => {
  const patterns = ignorePatterns(['#a', '/b', '!b/c'], '--exclude');
  expect(['#a', 'b/x', 'b/c'].map((path) => patterns.judgePath(path).ignored)).toEqual([true, true, false]);
  expect(() => ignorePatterns(['[x'], '--exclude')).toThrowError(
    expect.objectContaining({ message: expect.stringMatching(/^--exclude: malformed/) }),
  );
});

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
