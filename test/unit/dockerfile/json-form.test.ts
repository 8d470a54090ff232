/** The JSON form: what is one, what is not, and what only looks like one. */
import { describe, expect, test } from 'vitest';
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
