/** Parser directives: where they are seen, which there are, what is wrong with them. */
import { describe, expect, test } from 'vitest';
import { faults, parse, warnings } from './dockerfiles.ts';

const NONE = { syntax: null, escape: '\\', check: null };

describe('parser directives', () => {
  test.each([
    [
      'syntax, escape and check',
      '# syntax=docker/dockerfile:1\n# escape=`\n# check=skip=A,B;error=true\nFROM x',
      { syntax: 'docker/dockerfile:1', escape: '`', check: 'skip=A,B;error=true' },
    ],
    ['keys in any case and blanks around =', '#EsCaPe   =   ` \nFROM x', { ...NONE, escape: '`' }],
    ['a backslash as the escape character', '# escape=\\\nFROM x', NONE],
    ['only the first word of syntax', '# syntax=x y\n# escape=`\nFROM x', { ...NONE, syntax: 'x', escape: '`' }],
    [
      'the next directive behind one with trailing blanks',
      '# check=skip=all;error=true \n# escape=`\nFROM x',
      { ...NONE, escape: '`', check: 'skip=all;error=true' },
    ],
    ['nothing after an ordinary comment', '# hello\n# escape=`\nFROM x', NONE],
    ['nothing after a blank line', '\n# escape=`\nFROM x', NONE],
    ['nothing after an unknown directive', '# foo=bar\n# escape=`\nFROM x', NONE],
    ['nothing after an instruction', 'FROM x\n# escape=`', NONE],
    ['a key without a value as a plain comment', '# escape=\n# syntax=x\nFROM x', NONE],
    ['syntax behind a shebang', '#!/usr/bin/env tsbuild\n# syntax=x\nFROM x', { ...NONE, syntax: 'x' }],
    ['no escape behind a shebang', '#!/usr/bin/env tsbuild\n# escape=`\nFROM x', NONE],
  ])('read %s', (_, text, expected) => {
    expect(parse(text).directives).toEqual(expected);
  });

  test('are errors when given twice, and the file is read on', () => {
    expect(faults('# escape=`\n# syntax=a\n# ESCAPE=`\nFROM x\nUSER')).toEqual([
      '3: the escape directive is given twice',
      '5: USER needs a user',
    ]);
  });

  test.each(['x', '\\\\', 'ab', '"'])('refuse %s as the escape character', (value) => {
    expect(faults(`# escape=${value}\nFROM x`)).toEqual([`1: the escape character cannot be ${value}`]);
  });

  test('warn of an escape directive that is only a comment', () => {
    expect(warnings('# hello\n# escape=`\nFROM x')).toEqual(['2: this escape directive is only a comment']);
    expect(warnings('#!/bin/x\n# escape=`\nFROM x')).toEqual(['2: this escape directive is only a comment']);
    expect(warnings('FROM x\n# escape=`\nRUN a')).toEqual([]);
  });
});
