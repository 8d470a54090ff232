/** Section 2: every form of expansion, with the values that BuildKit gives. */
import { describe, expect, test } from 'vitest';
import { expandHeredoc, expandWord, expandWords, traceWord } from '../../../src/dockerfile/expand.ts';
import type { Scope } from '../../../src/dockerfile/instruction.ts';
import { TsbuildError } from '../../../src/errors.ts';

const VALUES = new Map([
  ['P', 'foobarbaz'],
  ['A', 'val'],
  ['E', ''],
  ['D', 'a/b/c'],
  ['SP', '1 2'],
  ['Q', `"q' x`],
  ['STARS', 'a*b*c'],
  ['é', 'accent'],
  ['EMOJI', '🖖🚀👽'],
]);

function scope(escapeChar: Scope['escape'] = '\\', values: ReadonlyMap<string, string> = VALUES): Scope {
  return { escape: escapeChar, lookup: (name) => values.get(name) };
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof TsbuildError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('a word', () => {
  test.each([
    // Plain, defaults and alternatives.
    ['$U', ''],
    ['$A', 'val'],
    ['${A}', 'val'],
    ['x$A-y', 'xval-y'],
    ['$A$P', 'valfoobarbaz'],
    ['${U:-d}', 'd'],
    ['${E:-d}', 'd'],
    ['${E-d}', ''],
    ['${U-d}', 'd'],
    ['${A:-d}', 'val'],
    ['${A:+s}', 's'],
    ['${E:+s}', ''],
    ['${E+s}', 's'],
    ['${U+s}', ''],
    ['${A?msg}', 'val'],
    ['${E?msg}', ''],
    ['${U:-}', ''],
    ['${U:-${X:-z}}', 'z'],
    ['${U:-"a b"}', 'a b'],
    ["${U:-'$A'}", '$A'],
    ['${U:-$A}', 'val'],
    ['${U:-a\\}b}', 'a}b'],
    ['${U:+-${U}}x', 'x'],
    ['"${U:-"in"}"', 'in'],
    // Prefixes and suffixes.
    ['${P#f*b}', 'arbaz'],
    ['${P##f*b}', 'az'],
    ['${P%b*}', 'foobar'],
    ['${P%%b*}', 'foo'],
    ['${P#}', 'foobarbaz'],
    ['${P##}', 'foobarbaz'],
    ['${P%nomatch}', 'foobarbaz'],
    ['${P#*}', 'foobarbaz'],
    ['${P##*}', ''],
    ['${P#[f]}', 'foobarbaz'],
    ['${P#?oo}', 'barbaz'],
    ['${STARS#a\\*}', 'b*c'],
    ['${STARS%\\*c}', 'a*b'],
    ['${STARS#a"*"}', '*b*c'],
    ['${D##*/}', 'c'],
    ['${D%/*}', 'a/b'],
    ['${U#x}', ''],
    ['${EMOJI#?}', '🚀👽'],
    ['${EMOJI%?}', '🖖🚀'],
    // Replacement.
    ['${P/ba/fo}', 'fooforbaz'],
    ['${P//ba/fo}', 'fooforfoz'],
    ['${P/#foo/X}', 'foobarbaz'],
    ['${P/%baz/X}', 'foobarbaz'],
    ['${D//\\//-}', 'a-b-c'],
    ['${D//\\//\\/}', 'a\\/b\\/c'],
    ['${P//b?/}', 'foorz'],
    ['${P/o*b/_}', 'f_az'],
    ['${P///x}', 'xfxoxoxbxaxrxbxaxzx'],
    ['${P///}', 'foobarbaz'],
    ['${P//*/x}', 'x'],
    ['${E//x/y}', ''],
    ['${P/foo/$A}', 'valbarbaz'],
    ['${P//o/$1&}', 'f&&barbaz'],
    // Special parameters and lone dollars.
    ['$1', ''],
    ['$10x', 'x'],
    ['$@', ''],
    ['$*', ''],
    ['$#', ''],
    ['$?', ''],
    ['$-', ''],
    ['$!', ''],
    ['$$A', 'A'],
    ['${1}', ''],
    ['${?}', ''],
    ['a$', 'a$'],
    ['$ a', '$ a'],
    ['$(date)', '$(date)'],
    ['$é', 'accent'],
    ['$A.b', 'val.b'],
    // Quotes and escapes.
    ['\\$A', '$A'],
    ['\\\\$A', '\\val'],
    ['a\\b', 'ab'],
    ['"a\\b"', 'a\\b'],
    ['"\\$A\\"\\\\"', '$A"\\'],
    ["'$A'", '$A'],
    ["'a\\b'", 'a\\b'],
    ['"$A"', 'val'],
    ['"\'$A\'"', "'val'"],
    ['a"b c"d', 'ab cd'],
    ['$Q', `"q' x`],
    ['a\\', 'a'],
    ['', ''],
    ['""', ''],
  ])('%s is %j', (word, expected) => {
    expect(expandWord(word, scope())).toBe(expected);
  });

  test.each([
    ['`$A', '$A'],
    ['\\$A', '\\val'],
    ['c:\\x', 'c:\\x'],
    ['"`$A`""', '$A"'],
    ['a`', 'a'],
    ['${D//`//-}', 'a-b-c'],
    ['${STARS#a`*}', 'b*c'],
  ])('%s with a backtick as the escape character is %j', (word, expected) => {
    expect(expandWord(word, scope('`'))).toBe(expected);
  });

  test.each([
    ['${U:?msg}', 'U: msg'],
    ['${U?msg $A}', 'U: msg val'],
    ['${U?}', 'U: is not allowed to be unset'],
    ['${E:?}', 'E: is not allowed to be empty'],
    ['${P/o}', 'the second / of ${name/pattern/replacement} is missing'],
    ['${P//o}', 'the second / of ${name/pattern/replacement} is missing'],
    ['${P^^}', 'unsupported modifier (^)'],
    ['${P:1:2}', 'unsupported modifier (:1)'],
    ['${#P}', 'unsupported modifier (P)'],
    ['${!P}', 'unsupported modifier (P)'],
    ['${P:#x}', 'unsupported modifier (:#)'],
    ['${P:=x}', 'unsupported modifier (:=)'],
    ['${P=x}', 'unsupported modifier (=)'],
    ['${}', 'bad substitution'],
    ['${{A}', 'bad substitution'],
    ['${:-x}', 'bad substitution'],
    ['${+x}', 'bad substitution'],
    ['${ A}', 'bad substitution'],
    ['${', 'the closing } of ${ is missing'],
    ['he${P', 'the closing } of ${ is missing'],
    ['${U:-x', 'the closing } of ${ is missing'],
    ['${U:', 'the closing } of ${ is missing'],
    ['${P/a/b', 'the closing } of ${ is missing'],
    ["'hello", "a ' has no end"],
    ['"hello', 'a " has no end'],
    ["'a\\'b'", "a ' has no end"],
    ['${U:-"a}', 'a " has no end'],
  ])('%s is an error', (word, expected) => {
    expect(messageOf(() => expandWord(word, scope()))).toContain(expected);
    expect(messageOf(() => expandWord(word, scope()))).toMatch(/^DOCKERFILE_SEMANTICS /);
  });

  test('does not expand what came out of a variable', () => {
    expect(expandWord('$X', scope('\\', new Map([['X', '$A\\"']])))).toBe('$A\\"');
  });

  test('takes the value of a variable as a pattern', () => {
    const values = new Map([
      ['V', '/foo*/*/*.txt'],
      ['N', '\\*/'],
    ]);
    expect(expandWord('${V/$N/.} - ${V//$N/.}', scope('\\', values))).toBe('/foo.*/*.txt - /foo..*.txt');
  });

  test('refuses a pattern that ends in a lone escape character', () => {
    expect(
      messageOf(() =>
        expandWord(
          '${P#$X}',
          scope(
            '\\',
            new Map([
              ['X', 'a\\'],
              ['P', 'a'],
            ]),
          ),
        ),
      ),
    ).toContain('ends with an escape');
  });

  test('refuses nesting so deep that the stack would overflow', () => {
    const deep = `${'${U:-'.repeat(100_000)}x${'}'.repeat(100_000)}`;
    expect(messageOf(() => expandWord(deep, scope()))).toContain('nested too deeply');
    expect(expandWord(`${'${U:-'.repeat(50)}x${'}'.repeat(50)}`, scope())).toBe('x');
  });

  test('with a long value and pattern takes no exponential time', () => {
    const values = new Map([['X', 'a'.repeat(20_000)]]);
    const started = performance.now();
    expect(expandWord('${X//*a*a*a*a*a*a*b/}', scope('\\', values))).toHaveLength(20_000);
    expect(expandWord('${X//a*b/}', scope('\\', values))).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('words', () => {
  test.each([
    ['$SP', ['1', '2']],
    ['"$SP"', ['1 2']],
    ['80 90/udp', ['80', '90/udp']],
    ['  a\t b ', ['a', 'b']],
    ['a\\ b c', ['a b', 'c']],
    ["'a b' c", ['a b', 'c']],
    ['x$SP"y"', ['x1', '2y']],
    ['$E', []],
    ['"" a', ['a']],
    ['${U:-a b}', ['a', 'b']],
  ])('of %j are %j', (text, expected) => {
    expect(expandWords(text, scope())).toEqual(expected);
  });
});

describe('the body of a heredoc', () => {
  test.each([
    ['"$A" \'$A\'\n', '"val" \'val\'\n'],
    ['it\'s "open', 'it\'s "open'],
    ['\\$A', '$A'],
    ['\\\\', '\\'],
    ['\\x', 'x'],
    ['a \\\nb', 'a \nb'],
    ['${U:-"d"}', '"d"'],
    ['${V:-d} ${E:-d} ${A:+p} ${A#va} ${A%ue} ${A/a/X} \\${V}', 'd d p l val vXl ${V}'],
    ['$(date) `x`', '$(date) `x`'],
  ])('%j is %j', (body, expected) => {
    expect(expandHeredoc(body, scope())).toBe(expected);
  });

  test('of a megabyte expands', () => {
    expect(expandHeredoc('x$A\n'.repeat(250_000), scope())).toHaveLength(1_250_000);
  });
});

describe('the trace of a word', () => {
  test('names the variables used while unset and without a default', () => {
    expect(traceWord('$U ${V} ${W:-d} ${X+s} $A $E ${Y#x} $1 $$ ${U}', scope()).unset).toEqual(['U', 'V', 'Y']);
  });
});
