/** Section 1 of Docker's lexical rules: bytes, lines, comments, continuations, keywords. */
import { describe, expect, test } from 'vitest';
import { faults, instruction, outline, parse } from './dockerfiles.ts';

describe('the lines of a Dockerfile', () => {
  test('lose a byte order mark', () => {
    const { source, instructions } = parse(Buffer.from([0xef, 0xbb, 0xbf, ...Buffer.from('FROM x')]));
    expect(instructions[0]?.keyword).toBe('FROM');
    expect(source.lines).toEqual(['FROM x']);
  });

  test('may end in CR LF, which is nowhere in instructions and source', () => {
    const { source, instructions } = parse('FROM x\r\nRUN a \\\r\n  b\r\n');
    expect(source.lines).toEqual(['FROM x', 'RUN a \\', '  b']);
    expect(instructions[1]?.args).toBe('a   b');
  });

  test('may be longer than 64 KiB', () => {
    const long = 'x'.repeat(200_000);
    expect(instruction(`RUN echo ${long}`).args).toBe(`echo ${long}`);
  });

  test('may hold NUL and invalid UTF-8, which becomes U+FFFD', () => {
    const { instructions } = parse(Buffer.from([...Buffer.from('FROM x\nRUN a'), 0, 0xff, 0x62]));
    expect(instructions[1]?.args).toBe('a\0\ufffdb');
  });

  test.each([
    ['indent is trimmed on the first line of an instruction', '   RUN a', 'RUN a'],
    ['indent is kept on continuation lines', 'RUN a\\\n   b', 'RUN a   b'],
    ['a comment within a continuation is removed', 'RUN a \\\n# note\n  b', 'RUN a   b'],
    ['an indented comment within a continuation is removed', 'RUN a \\\n   # note\n  b', 'RUN a   b'],
    ['a comment that ends in a continuation continues nothing', 'RUN a \\\n# note \\\nb', 'RUN a b'],
    ['a # later in a line is literal', 'RUN echo # not a comment', 'RUN echo # not a comment'],
    ['a blank line within a continuation is skipped', 'RUN a \\\n\n  b', 'RUN a   b'],
    ['blanks may follow the escape character', 'RUN a \\ \t \nb', 'RUN a b'],
    ['the continuation may cut a keyword', 'RU\\\nN true', 'RUN true'],
    ['a lone escape character continues too', '\\\nRUN true', 'RUN true'],
    ['a continuation at the end of the file ends there', 'RUN a \\', 'RUN a'],
    ['form feed, vertical tab and tab separate the keyword', 'RUN\f\v\t a', 'RUN a'],
    ['blanks at the end are trimmed', 'RUN a \t ', 'RUN a'],
    ['keywords match in any case', 'rUn a', 'RUN a'],
  ])('%s', (_, text, expected) => {
    const { keyword, args } = instruction(text);
    expect(`${keyword} ${args}`).toBe(expected);
  });

  test('end an instruction when two or three escape characters stand there', () => {
    expect(outline('FROM x\nRUN echo \\\\\nRUN b')).toEqual(['FROM x', 'RUN echo \\\\', 'RUN b']);
    expect(outline('FROM x\nRUN echo \\\\\\\nRUN b')).toEqual(['FROM x', 'RUN echo \\\\\\', 'RUN b']);
  });

  test('continue with a backtick when that is the escape character, and then not with a backslash', () => {
    expect(outline('# escape=`\nFROM x\nRUN a `\n b\nRUN c:\\\nRUN d')).toEqual(['FROM x', 'RUN a  b', 'RUN c:\\', 'RUN d']);
  });

  test('are known that are blank within a continuation', () => {
    expect(instruction('RUN a \\\n\n# note\n\n  b').blankLines).toEqual([3, 5]);
    expect(instruction('RUN a \\\n# note\n  b\n\n').blankLines).toEqual([]);
  });

  test('match only ASCII keywords', () => {
    expect(faults('FROM x\nU\u017fER me')).toEqual(['2: unknown instruction U\u017fER']);
  });

  test('give each instruction its range, from the first line to the last of its heredocs', () => {
    const ranges = parse('# c\n\nFROM x\nRUN a \\\n# c\n  b\n\nCOPY <<A <<B /x/\n1\nA\n2\nB\nUSER u').instructions.map(({ at }) => [
      at.startLine,
      at.endLine,
    ]);
    expect(ranges).toEqual([
      [3, 3],
      [4, 6],
      [8, 12],
      [13, 13],
    ]);
  });

  test('keep the keyword as written in the text of an instruction', () => {
    expect(instruction('  run --network=none \\\n  # c\n  a  ')).toMatchObject({
      keyword: 'RUN',
      text: 'run --network=none   a',
      args: 'a',
    });
  });
});

describe('arguments that are one string', () => {
  test('are the whole rest of the line for WORKDIR, USER, STOPSIGNAL and MAINTAINER, blanks and quotes too', () => {
    for (const keyword of ['WORKDIR', 'USER', 'STOPSIGNAL', 'MAINTAINER']) {
      expect(instruction(`${keyword}  a "b  c"\t'd' `).args).toBe('a "b  c"\t\'d\'');
    }
  });

  test.each(['WORKDIR', 'USER', 'STOPSIGNAL', 'MAINTAINER'])('%s takes the whole rest of the line', (keyword) => {
    expect(instruction(`${keyword} a "b  c" `).args).toBe('a "b  c"');
  });
});
