/** Section 2: every form of expansion, with the values that BuildKit gives. */
import { describe, expect, test } from 'vitest';
import { expandHeredoc, expandWord, expandWords, traceWord } from '../../../src/dockerfile/expand.ts';
import type { Scope } from '../../../src/dockerfile/instruction.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { cpuStopwatch } from '../../helpers/cpu-time.ts';

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
    ["'hello", 'a single quote has no end'],
    ['"hello', 'a double quote has no end'],
    ["'a\\'b'", 'a single quote has no end'],
    ['${U:-"a}', 'a double quote has no end'],
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
    const cpuMs = cpuStopwatch();
    expect(expandWord('${X//*a*a*a*a*a*a*b/}', scope('\\', values))).toHaveLength(20_000);
    expect(expandWord('${X//a*b/}', scope('\\', values))).toHaveLength(20_000);
    expect(cpuMs()).toBeLessThan(2000);
  });
});

/** The results of several words. */
function results(...words: string[]): string[] {
  return words.map((word) => expandWord(word, scope()));
}

function messages(...words: string[]): string[] {
  return words.map((word) => messageOf(() => expandWord(word, scope())));
}

describe('the forms of an expansion', () => {
  test('without a modifier: the value, and nothing for an unset variable', () => {
    expect(results('$A', '${A}', '$U', '${U}', 'x$A.y', 'x${A}y')).toEqual(['val', 'val', '', '', 'xval.y', 'xvaly']);
  });

  test(':- and - give a default, and only the colon counts empty as unset', () => {
    expect(results('${U:-d}', '${E:-d}', '${A:-d}', '${U-d}', '${E-d}', '${A-d}')).toEqual(['d', 'd', 'val', 'd', '', 'val']);
  });

  test(':+ and + give an alternative, and only the colon counts empty as unset', () => {
    expect(results('${U:+s}', '${E:+s}', '${A:+s}', '${U+s}', '${E+s}', '${A+s}')).toEqual(['', '', 's', '', 's', 's']);
  });

  test(':? and ? fail with the message given, or with one of their own', () => {
    expect(messages('${U:?no $A}', '${U?}', '${E:?gone}')).toEqual([
      'DOCKERFILE_SEMANTICS U: no val',
      'DOCKERFILE_SEMANTICS U: is not allowed to be unset',
      'DOCKERFILE_SEMANTICS E: gone',
    ]);
    expect(results('${E?x}', '${A:?x}', '${A?}')).toEqual(['', 'val', 'val']);
  });

  test('nest, and the word behind a modifier loses its quotes', () => {
    expect(results('${U:-${X:-z}}', '${U:-"a b"}', "${U:-'$A'}", '${A:+<${A}>}', '${U:-\\${A}y}')).toEqual([
      'z',
      'a b',
      '$A',
      '<val>',
      '${Ay}',
    ]);
  });

  test('a default that holds a brace ends at the first one', () => {
    expect(results('${U:-b {A}', '${U:-b}}', '${U}}')).toEqual(['b {A', 'b}', '}']);
  });

  test('# ## % %% trim the shortest and the longest match', () => {
    expect(results('${P#f*b}', '${P##f*b}', '${P%b*}', '${P%%b*}')).toEqual(['arbaz', 'az', 'foobar', 'foo']);
  });

  test('the second # or % may come out of quotes or of a variable', () => {
    const values = new Map([
      ['P', 'foobarbaz'],
      ['H', '#f*b'],
    ]);
    expect(expandWord('${P#"#f*b"} ${P#$H} ${P#\\\\#f}', scope('\\', values))).toBe('az az foobarbaz');
  });

  test('/ replaces the first match and // all of them', () => {
    expect(results('${P/ba/fo}', '${P//ba/fo}', '${P/ba/}', '${P//a/$A}')).toEqual(['fooforbaz', 'fooforfoz', 'foorbaz', 'foobvalrbvalz']);
  });

  test('# and % at the head of a replacement are literal, not anchors', () => {
    expect(results('${P/#foo/X}', '${P/%baz/X}')).toEqual(['foobarbaz', 'foobarbaz']);
    expect(expandWord('${V/#a/X}${V/%b/Y}', scope('\\', new Map([['V', '#a%b']])))).toBe('X%b#aY');
  });

  test('* and ? are wildcards, a backslash makes them literal, and brackets are literal', () => {
    expect(results('${P#?oo}', '${P##*b}', '${STARS#a\\*}', '${STARS//\\*/-}', '${P#[f]}')).toEqual([
      'barbaz',
      'az',
      'b*c',
      'a-b-c',
      'foobarbaz',
    ]);
    expect(expandWord('${V#[ab]}', scope('\\', new Map([['V', '[ab]c']])))).toBe('c');
  });

  test('a slash in a pattern is escaped, and one in a variable is not', () => {
    const values = new Map([
      ['D', 'a/b/c'],
      ['S', '/'],
    ]);
    expect(expandWord('${D//\\//-} ${D//$S/-}', scope('\\', values))).toBe('a-b-c a-b-c');
  });

  test('a replacement keeps its backslashes and is no pattern', () => {
    expect(results('${P/foo/\\/}', '${P/foo/*}', '${D//\\//\\/}')).toEqual(['\\/barbaz', '*barbaz', 'a\\/b\\/c']);
  });

  test('a dollar sign in a replaced text stays one, where Go would read a group', () => {
    expect(expandWord('${P//o/$R}', scope('\\', new Map([...VALUES, ['R', '$0']])))).toBe('f$0$0barbaz');
  });

  test('a replacement without its second slash is an error', () => {
    expect(messages('${P/o}', '${P//o}').every((message) => message.includes('the second / of'))).toBe(true);
  });

  test('an escape that means nothing in a pattern is an error', () => {
    expect(messages('${P#\\f}', '${P/\\o/x}', '${P%"\\$z"}')).toEqual([
      'DOCKERFILE_SEMANTICS the pattern \\f escapes f',
      'DOCKERFILE_SEMANTICS the pattern \\o escapes o',
      'DOCKERFILE_SEMANTICS the pattern \\$z escapes $',
    ]);
  });

  test('what only bash knows is an unsupported modifier', () => {
    const words = [
      '${P^^}',
      '${P,,}',
      '${P:1:2}',
      '${#P}',
      '${!P}',
      '${P:#x}',
      '${P:%x}',
      '${P=x}',
      '${P:=x}',
      '${P@Q}',
      '${P[0]}',
      '${P.}',
    ];
    expect(messages(...words).filter((message) => !message.includes('unsupported modifier'))).toEqual([]);
  });

  test('a brace without a name is a bad substitution', () => {
    expect(messages('${}', '${:}', '${:-x}', '${{A}', 'a${}b').filter((message) => !message.includes('bad substitution'))).toEqual([]);
  });

  test('special parameters are empty, in braces too, and take defaults', () => {
    expect(results('$1', '$10', '$@', '$*', '$#', '$?', '$-', '$!', '$$A', '$0x', '${1}', '${#}', '${$}')).toEqual([
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      '',
      'A',
      'x',
      '',
      '',
      '',
    ]);
    expect(results('${1:-d}', '${@:-d}', '${?:-d}', '${0:+d}')).toEqual(['d', 'd', 'd', '']);
  });

  test('a dollar before anything else stands for itself', () => {
    expect(results('a$', '$.', '$ A', '$(date)', 'he$.x')).toEqual(['a$', '$.', '$ A', '$(date)', 'he$.x']);
  });

  test('a backslash escapes the next character, and within double quotes only a dollar, a quote and itself', () => {
    expect(results('\\$A', '\\\\$A', 'a\\b', '"a\\b"', '"\\$A"', '"\\\\$A"', '"\\""')).toEqual([
      '$A',
      '\\val',
      'ab',
      'a\\b',
      '$A',
      '\\val',
      '"',
    ]);
  });

  test('nothing is special within single quotes, not even a backslash', () => {
    expect(results("'$A'", "'a\\b'", "'a\\'", `'"$A"'`, "a'b'c")).toEqual(['$A', 'a\\b', 'a\\', '"$A"', 'abc']);
  });

  test('a quote without an end is an error', () => {
    expect(messages("'a", '"a', 'a"b', "it's", '"a\\"', "a\\\\'b").filter((message) => !message.includes('has no end'))).toEqual([]);
  });

  test('a lone escape character at the end is dropped', () => {
    expect(results('a\\', 'a\\\\', '\\')).toEqual(['a', 'a\\', '']);
  });

  test('with a backtick as the escape character a backslash is an ordinary one', () => {
    const words = ['`$A', '\\$A', 'c:\\x\\', '"`$A"', '"\\$A"', '``'];
    expect(words.map((word) => expandWord(word, scope('`')))).toEqual(['$A', '\\val', 'c:\\x\\', '$A', '\\val', '`']);
  });

  test('names may have letters of any language, and a value is never read again', () => {
    expect(expandWord('x${é}y$é.', scope())).toBe('xaccentyaccent.');
    expect(expandWord('$V', scope('\\', new Map([['V', '${A} \\$ "']])))).toBe('${A} \\$ "');
  });
});

describe('words', () => {
  test('split at the blanks of a value, but not at quoted ones', () => {
    const values = new Map([
      ['MID', 'a  b'],
      ['LEAD', '  a b'],
      ['TRAIL', 'a b  '],
    ]);
    const words = (text: string): readonly string[] => expandWords(text, scope('\\', values));
    expect(words('x${MID}y')).toEqual(['xa', 'by']);
    expect(words('x"${MID}"y')).toEqual(['xa  by']);
    expect(words('x "${MID}"y')).toEqual(['x', 'a  by']);
    expect(words('x${LEAD}y')).toEqual(['x', 'a', 'by']);
    expect(words('x"${LEAD}" y')).toEqual(['x  a b', 'y']);
    expect(words('x${TRAIL}y')).toEqual(['xa', 'b', 'y']);
    expect(words('x"y${TRAIL}"')).toEqual(['xya b  ']);
    expect(words('x" y  " z\\ z')).toEqual(['x y  ', 'z z']);
  });

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
