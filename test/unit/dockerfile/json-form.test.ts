/** The JSON form: what is one, what is not, and what only looks like one. */
import { describe, expect, test } from 'vitest';
import { copyWords } from '../../../src/dockerfile/heredoc.ts';
import { faults, instruction, parse, warnings } from './dockerfiles.ts';

describe('the JSON form', () => {
  test.each([
    ['CMD ["a","b c","\\u00e9\\n\\"\\\\"]', ['a', 'b c', 'é\n"\\']],
    ['CMD [ "a" , "b" ]', ['a', 'b']],
    ['CMD []', []],
    ['ENTRYPOINT []', []],
    ['CMD ["\\ud800x"]', ['\ufffdx']],
    ['RUN --network=none ["a"]', ['a']],
    ['RUN ["a", \\\n # comment\n "b"]', ['a', 'b']],
    ['SHELL ["/bin/bash", "-c"]', ['/bin/bash', '-c']],
    ['VOLUME ["/a b"]', ['/a b']],
    ['ADD ["a b", "/x"]', ['a b', '/x']],
    ['COPY ["<<EOF", "/x"]', ['<<EOF', '/x']],
    ['HEALTHCHECK CMD ["a", "b"]', ['a', 'b']],
    ['healthcheck cmd   ["a"]', ['a']],
  ])('is read from %s', (text, expected) => {
    expect(instruction(text).json).toEqual(expected);
  });

  test.each([
    ["CMD ['a']"],
    ['CMD ["a",]'],
    ['CMD ["a"] x'],
    ['CMD ["a\\x"]'],
    ['RUN [ -d /x ] && y'],
    ['RUN [ "$a" = "b" ] && y'],
    ['COPY [a-z]* /x'],
    ['CMD {"a": 1}'],
    ['CMD "a"'],
    ['CMD a ["b"]'],
    ['HEALTHCHECK CMD echo ["a"]'],
    ['EXPOSE ["80"]'],
    ['ENV A=["b"]'],
  ])('is not %s', (text) => {
    expect(instruction(text).json).toBeNull();
  });

  test.each([
    ["CMD ['a']"],
    ['CMD ["a",]'],
    ['CMD ["a"] x'],
    ['CMD ["C:\\x"]'],
    ['CMD [“a”]'],
    ['CMD [nginx]'],
    ['VOLUME [/data, /logs]'],
    ['RUN [ "a", \'b\' ]'],
    ['ENTRYPOINT ["a" "b"]'],
    ['HEALTHCHECK CMD ["a",]'],
  ])('is what %s was meant to be, which is a warning', (text) => {
    const { keyword } = instruction(text);
    expect(warnings(`FROM x\n${text}`)).toEqual([`2: this looks like JSON and is none, so ${keyword} reads it as plain text`]);
  });

  test.each([
    ['RUN [ -d /x ] && y'],
    ['RUN [ "$a" = "b" ] && y'],
    ['RUN [ \'\' = "$b" ]'],
    ['COPY [a-z]* /x'],
    ['RUN [[ a == b ]]'],
    ['CMD []'],
  ])('is not what %s was meant to be', (text) => {
    expect(warnings(`FROM x\n${text}`)).toEqual([]);
  });

  test.each([
    ['CMD ["a", 1]', 'a number'],
    ['CMD [null]', 'null'],
    ['RUN ["a", true]', 'a boolean'],
    ['COPY ["a", ["b"]]', 'an array'],
    ['HEALTHCHECK CMD [{"a": 1}]', 'an object'],
  ])('takes only strings, so %s is an error', (text, found) => {
    expect(faults(`FROM x\n${text}`)).toContain(`2: the JSON form takes only strings, and this list has ${found}`);
  });

  test('is a list of strings that is the whole rest of the line', () => {
    expect(instruction('RUN  [ "a" ,\t"b c" ]  ').json).toEqual(['a', 'b c']);
    expect(instruction('RUN a ["b"]').json).toBeNull();
  });

  test('with anything but strings in the list is an error, not the shell form', () => {
    for (const element of ['42', '1.5', 'true', 'false', 'null', '{}', '{"b": "c"}', '["b"]']) {
      const [fault = ''] = faults(`FROM x\nRUN ["a", ${element}, "b"]`);
      expect(fault, element).toContain('the JSON form takes only strings');
    }
  });

  test('is not there for single quotes, a comma at the end, words behind it and a bad escape, and each warns', () => {
    for (const args of ["['a']", '["a",]', '["a"] x', '["a\\d"]', '["a" "b"]', '["a"]]']) {
      expect(instruction(`CMD ${args}`)).toMatchObject({ json: null, args });
      expect(warnings(`FROM x\nCMD ${args}`), args).toEqual(['2: this looks like JSON and is none, so CMD reads it as plain text']);
    }
  });

  test('is no test command in brackets, which does not warn', () => {
    for (const args of ['[ -d /x ] && y', '[ -d /x ]', '[ "$a" = b ] || exit 1', '[[ -n $x ]]']) {
      expect(instruction(`RUN ${args}`).json).toBeNull();
      expect(warnings(`FROM x\nRUN ${args}`), args).toEqual([]);
    }
  });

  test('of nothing is legal for CMD and ENTRYPOINT, and an error for RUN', () => {
    expect([instruction('CMD []').json, instruction('ENTRYPOINT [ ]').json]).toEqual([[], []]);
    expect(faults('FROM x\nRUN []\nRUN')).toEqual(['2: RUN needs a command, and this list is empty', '3: RUN needs a command']);
  });

  test('is the only form of SHELL', () => {
    expect(faults('FROM x\nSHELL sh -c\nSHELL ["sh",]\nSHELL []')).toEqual([
      '2: SHELL takes only the JSON form',
      '3: SHELL takes only the JSON form',
      '4: SHELL needs at least one string',
    ]);
  });

  test('has all escapes of JSON', () => {
    expect(instruction('CMD ["\\u00e9\\n\\t\\r\\b\\f\\"\\\\\\/\\u0000", "é☃", "\\ud83d\\ude80"]').json).toEqual([
      'é\n\t\r\b\f"\\/\0',
      'é☃',
      '🚀',
    ]);
  });

  test('goes on over continuations with comments between', () => {
    expect(instruction('CMD ["a", \\\n# comment\n  # another\n  "b" \\\n]').json).toEqual(['a', 'b']);
  });

  test('is for ADD, COPY and VOLUME too, and the plain form knows no quotes', () => {
    expect([instruction('ADD ["a b", "/x y"]').json, instruction('VOLUME ["/a b"]').json]).toEqual([['a b', '/x y'], ['/a b']]);
    expect(copyWords(instruction('COPY "a b" /x'))).toEqual(['"a', 'b"', '/x'].map((text) => ({ kind: 'path', text })));
  });

  test('does not overflow the stack on deep nesting', () => {
    const deep = `["a", ${'['.repeat(100_000)}${']'.repeat(100_000)}]`;
    expect(faults(`FROM x\nCMD ${deep}`)).toEqual(['2: the JSON form takes only strings, and this list has an array']);
  });

  test('leaves an empty command to the shell form with a warning', () => {
    const { instructions, warnings: found } = parse('FROM x\nCMD\nENTRYPOINT');
    expect(instructions.slice(1).map(({ args, json }) => [args, json])).toEqual([
      ['', null],
      ['', null],
    ]);
    expect(found.map(({ message }) => message)).toEqual([
      'CMD without a command runs the shell with an empty script',
      'ENTRYPOINT without a command runs the shell with an empty script',
    ]);
  });
});
