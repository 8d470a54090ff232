import { expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes/byte-path.ts';
import { crossesFolders, goMatcher, hasWildcard, unescapeGlob } from '../../../src/patterns/go-match.ts';

/** The table of Go's own path/filepath tests (match_test.go), as facts about the function. `null`: ErrBadPattern. */
test.each<[string, string, boolean | null]>([
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*', 'abc', true],
  ['a*', 'ab/c', false],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['a*b?c*x', 'abxbbxdbxebxczzx', true],
  ['a*b?c*x', 'abxbbxdbxebxczzy', false],
  ['ab[c]', 'abc', true],
  ['ab[b-d]', 'abc', true],
  ['ab[e-g]', 'abc', false],
  ['ab[^c]', 'abc', false],
  ['ab[^b-d]', 'abc', false],
  ['ab[^e-g]', 'abc', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'ab', false],
  ['a?b', 'a☺b', true],
  ['a[^a]b', 'a☺b', true],
  ['a???b', 'a☺b', false],
  ['a[^a][^a][^a]b', 'a☺b', false],
  ['[a-ζ]*', 'α', true],
  ['*[a-ζ]', 'A', false],
  ['a?b', 'a/b', false],
  ['a*b', 'a/b', false],
  ['[\\]a]', ']', true],
  ['[\\-]', '-', true],
  ['[x\\-]', 'x', true],
  ['[x\\-]', '-', true],
  ['[x\\-]', 'z', false],
  ['[\\-x]', 'x', true],
  ['[\\-x]', '-', true],
  ['[\\-x]', 'a', false],
  ['[]a]', ']', null],
  ['[-]', '-', null],
  ['[x-]', 'x', null],
  ['[x-]', '-', null],
  ['[-x]', 'x', null],
  ['\\', 'a', null],
  ['[a-b-c]', 'a', null],
  ['[', 'a', null],
  ['[^', 'a', null],
  ['[^bc', 'a', null],
  ['a[', 'a', null],
  ['a[', 'ab', null],
  ['a[', 'x', null],
  ['a/b[', 'x', null],
  ['*x', 'xxx', true],
  // Beyond Go's table.
  ['*', '', true],
  ['*', '.hidden', true],
  ['?', 'é', true],
  ['[z-a]', 'm', false],
  ['[^z-a]', 'm', true],
  ['[!a]', '!', true],
  ['[!a]', 'b', false],
  ['{a,b}', 'a', false],
  ['{a,b}', '{a,b}', true],
  ['a**b', 'axxb', true],
  ['a**b', 'ax/xb', false],
  ['a.c', 'abc', false],
  ['a+$^|()', 'a+$^|()', true],
  ['[[]', '[', true],
  ['a\nb', 'a\nb', true],
  ['a*b', 'a\n\nb', true],
  ['[^x]', '/', true],
  ['😀?', '😀a', true],
  ['?', '😀', true],
])('Go matches %j with %j: %j', (pattern, name, wanted) => {
  const matcher = goMatcher(bytesOf(pattern));
  expect(matcher === null ? null : matcher(bytesOf(name))).toBe(wanted);
});

test('a byte that is not UTF-8 counts as one character and equals only itself', () => {
  expect(goMatcher('a?b')?.('a\xffb')).toBe(true);
  expect(goMatcher('a??b')?.('a\xffb')).toBe(false);
  expect(goMatcher('a\xffb')?.('a\xffb')).toBe(true);
  expect(goMatcher('a\xffb')?.('a\xfeb')).toBe(false);
  // Half of a character, and overlong forms, are two bytes.
  expect(goMatcher('??')?.('\xc3\x28')).toBe(true);
  expect(goMatcher('??')?.('\xc0\x80')).toBe(true);
});

test('an escaped wildcard is none', () => {
  expect(['a*', 'a?', '[a]', '\\\\*'].map(hasWildcard)).toEqual([true, true, true, true]);
  expect(['a', 'a\\*', '\\[a]', 'x\\y', 'a\\'].map(hasWildcard)).toEqual([false, false, false, false, false]);
  expect(unescapeGlob('a\\*\\\\b')).toBe('a*\\b');
});

test('only a class that holds the slash reaches into folders', () => {
  expect(['a[^b]c', 'a[+-9]c', 'a[a-z]c', 'a*?'].map(crossesFolders)).toEqual([true, true, false, false]);
});

test('agrees with a plain backtracking matcher on random patterns', () => {
  const random = seeded(42);
  const alphabet = ['a', 'b', '/', '.', '*', '?', '[ab]', '[^a]', '\\*'];
  for (let round = 0; round < 20_000; round++) {
    const tokens = Array.from({ length: random(7) }, () => alphabet[random(alphabet.length)] ?? '');
    const name = Array.from({ length: random(7) }, () => 'ab/.*'[random(5)] ?? '').join('');
    expect(`${tokens.join('')} ~ ${name}: ${goMatcher(tokens.join(''))?.(name)}`).toBe(
      `${tokens.join('')} ~ ${name}: ${naive(tokens, name)}`,
    );
  }
});

function naive(tokens: readonly string[], name: string): boolean {
  const [token, ...rest] = tokens;
  if (token === undefined) return name === '';
  if (token === '*') {
    for (let n = 0; n <= name.length; n++) {
      if (naive(rest, name.slice(n))) return true;
      if (name[n] === '/') return false;
    }
    return false;
  }
  const character = name[0];
  if (character === undefined) return false;
  const fits =
    token === '?'
      ? character !== '/'
      : token === '[ab]'
        ? 'ab'.includes(character)
        : token === '[^a]'
          ? character !== 'a'
          : character === token.slice(-1);
  return fits && naive(rest, name.slice(1));
}

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
