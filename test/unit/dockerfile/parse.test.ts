/** The whole parser: what comes out, what is refused, and that all faults come at once. */
import { describe, expect, test } from 'vitest';
import { parseTrigger } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { faults, instruction, outline, parse } from './dockerfiles.ts';

describe('a Dockerfile', () => {
  test('may use every instruction', () => {
    const text = `ARG V=1
FROM x:$V AS build
MAINTAINER me
ARG A B=2
ENV C=d
LABEL a=b
RUN true
COPY a /b
ADD a /b
WORKDIR /w
USER u
EXPOSE 80
VOLUME /v
STOPSIGNAL 9
SHELL ["sh"]
HEALTHCHECK NONE
ONBUILD RUN x
ENTRYPOINT ["a"]
CMD ["b"]
FROM build`;
    const { instructions, warnings } = parse(text);
    expect(instructions.map(({ keyword, args }) => `${keyword} ${args}`)).toEqual(text.split('\n'));
    expect(warnings).toEqual([]);
  });

  test('with several faults is told all of them, in the order of their lines', () => {
    expect(faults('FROM a b\nRUN\nCOPY --x=1 --y=2 a\nFOO\nENV A=1 B')).toEqual([
      '1: FROM takes one image, and b is too much',
      '2: RUN needs a command',
      '3: COPY has no flag --x',
      '3: COPY has no flag --y',
      '3: COPY needs a source and a destination, and has one of them',
      '4: unknown instruction FOO',
      '5: ENV has no = in B',
    ]);
  });

  test.each([
    ['', ['1: the file has no instructions']],
    ['\n\n', ['1: the file has no instructions']],
    ['# c', ['1: the file has no instructions']],
    ['ARG A', ['1: the file has no FROM']],
    ['RUN a\nRUN b', ['1: the file has no FROM']],
    ['ARG A\nRUN a\nRUN b\nFROM x', ['2: RUN stands before the first FROM']],
    ['FORM x\nRUN a', ['1: unknown instruction FORM']],
    ['FROM\nRUN a', ['1: FROM needs an image']],
  ])('%j is refused', (text, expected) => {
    expect(faults(text)).toEqual(expected);
  });

  test('in UTF-16 is refused', () => {
    expect(faults(Buffer.from('\ufeffFROM x', 'utf16le'))).toEqual(['1: the file is UTF-16']);
  });
});

describe('FROM', () => {
  test.each(['x', 'x AS b', 'x as B-1_2.3', 'r:5000/i@sha256:0 AS a', '--platform=$BUILDPLATFORM x'])('takes %s', (args) => {
    expect(() => parse(`FROM ${args}`)).not.toThrow();
  });

  test.each(['', 'x AS', 'x AS 1b', 'x AS a/b', 'x AS a b', 'x b', 'x ALS b', 'x AS é', 'x --platform=y'])('refuses %j', (args) => {
    expect(faults(`FROM ${args}`)).toHaveLength(1);
  });
});

describe('argument counts', () => {
  test.each([
    'EXPOSE',
    'USER',
    'WORKDIR',
    'STOPSIGNAL',
    'MAINTAINER',
    'VOLUME',
    'VOLUME []',
    'VOLUME [""]',
    'ENV',
    'LABEL',
    'ARG',
    'RUN',
    'RUN []',
    'RUN --network=none',
    'SHELL',
    'SHELL []',
    'SHELL sh -c',
    'COPY',
    'COPY a',
    'COPY ["a"]',
    'COPY []',
    'ADD a',
    'HEALTHCHECK',
    'HEALTHCHECK NONE x',
    'HEALTHCHECK CMD',
    'HEALTHCHECK CMD []',
    'HEALTHCHECK curl',
    'ONBUILD',
    'ONBUILD USER',
    'ONBUILD FROM x',
    'onbuild onbuild RUN x',
    'ONBUILD MAINTAINER x',
    'ONBUILD FOO',
    'FOO',
  ])('refuse %s', (text) => {
    expect(faults(`FROM x\n${text}`)).toHaveLength(1);
  });

  test.each(['CMD []', 'ENTRYPOINT []', 'CMD', 'HEALTHCHECK none', 'healthcheck cmd x', 'VOLUME /a /b', 'EXPOSE $P'])(
    'allow %s',
    (text) => {
      expect(instruction(text)).toBeDefined();
    },
  );
});

describe('ONBUILD', () => {
  test('has its trigger parsed, flags and all', () => {
    const { args, flags, trigger, text } = instruction('onbuild copy --from=a \\\n b /c');
    expect({ args, flags, text }).toEqual({ args: 'copy --from=a  b /c', flags: [], text: 'onbuild copy --from=a  b /c' });
    expect(trigger).toMatchObject({ keyword: 'COPY', text: 'copy --from=a  b /c', args: 'b /c', flags: [{ name: 'from', value: 'a' }] });
  });

  test('refuses a chain of any length without overflowing the stack', () => {
    expect(faults(`FROM x\n${'ONBUILD '.repeat(50_000)}RUN a`)).toEqual(['2: ONBUILD cannot be an ONBUILD trigger']);
  });
});

describe('a trigger of a base image', () => {
  test('is one instruction', () => {
    expect(parseTrigger('RUN make', 'ONBUILD of x', '\\')).toMatchObject({
      keyword: 'RUN',
      args: 'make',
      at: { file: 'ONBUILD of x', startLine: 1, endLine: 1 },
    });
  });

  test('has its heredoc on the lines after it', () => {
    const { heredocs, at } = parseTrigger('COPY <<EOF /x\nbody\nEOF', 'x', '\\');
    expect(heredocs).toEqual([expect.objectContaining({ body: 'body\n' })]);
    expect(at.endLine).toBe(3);
  });

  test.each(['', '# c', 'FROM x', 'ONBUILD RUN a', 'MAINTAINER a', 'FOO', 'RUN', 'RUN a\nRUN b', 'COPY <<EOF /x\nbody', '\\'])(
    '%j is refused',
    (text) => {
      expect(() => parseTrigger(text, 'x', '\\')).toThrow(TsbuildErrors);
    },
  );
});

describe('recovery', () => {
  test('does not read the heredoc of a mistyped RUN as instructions', () => {
    expect(faults('FROM x\nRUNN <<EOF\nhello\nEOF\nUSER')).toEqual(['2: unknown instruction RUNN', '5: USER needs a user']);
  });

  test('reports a continuation that continues nothing', () => {
    expect(faults('FROM x\n\\')).toEqual(['2: a line continuation that continues nothing']);
  });

  test('leaves what stands after a faulty instruction readable', () => {
    expect(outline('FROM x\nRUN a && \\\n\n# c\n b\nUSER u')).toEqual(['FROM x', 'RUN a &&  b', 'USER u']);
  });
});
