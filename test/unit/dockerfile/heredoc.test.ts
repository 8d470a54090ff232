/** Section 3: which words open a heredoc, and what its body is. */
import { describe, expect, test } from 'vitest';
import { copyWords, triggerText } from '../../../src/dockerfile/heredoc.ts';
import { faults, instruction, outline, parse, warnings } from './dockerfiles.ts';

describe('a heredoc', () => {
  test.each([
    ['<<EOF', 'EOF', { expand: true, fd: '' }],
    ['<<-EOF', 'EOF', { expand: true }],
    ['3<<EOF', 'EOF', { fd: '3' }],
    ['<< EOF', 'EOF', { word: '<< EOF' }],
    ['<<\t  EOF', 'EOF', {}],
    ['<<- EOF', 'EOF', {}],
    ["<<'EOF'", 'EOF', { expand: false }],
    ['<<"EOF"', 'EOF', { expand: false }],
    ['<<-"EOF"', 'EOF', { expand: false }],
    ['<<E"O"F', 'EOF', { expand: false }],
    ["<<EOF''", 'EOF', { expand: false }],
    ['<<\\EOF', 'EOF', { expand: true }],
    ["<<eo\\'f", "eo'f", { expand: true }],
    ["<<'e'o\\'f", "eo'f", { expand: false }],
    ["<<'one two'", 'one two', { expand: false, word: "<<'one two'" }],
    ['<<one\\ two', 'one two', { expand: true }],
    ['<<$EOF', '$EOF', { expand: true }],
    ['<<${EOF}', '${EOF}', { expand: true }],
    ['<<file.txt', 'file.txt', {}],
  ])('is opened by %s', (word, name, expected) => {
    const { heredocs } = instruction(`RUN cat ${word} > /x\nbody $A\n${name}`);
    expect(heredocs).toEqual([expect.objectContaining({ name, body: 'body $A\n', word, ...expected })]);
  });

  test.each([
    ['x<<EOF'],
    ['"<<EOF"'],
    ["'<<EOF'"],
    ['\\<<EOF'],
    ['<<<EOF'],
    ['<<< EOF'],
    ['<<'],
    ['<<-'],
    ["<<''"],
    ['<<A<B'],
    ['"a <<EOF b"'],
    ["it's <<EOF"],
  ])('is not opened by %s', (word) => {
    expect(instruction(`RUN cat ${word}`).heredocs).toEqual([]);
  });

  test.each(['CMD <<EOF', 'ENTRYPOINT <<EOF', 'USER <<EOF', 'RUN ["<<EOF"]', 'ENV A=<<EOF'])('is no part of %s', (text) => {
    expect(instruction(text).heredocs).toEqual([]);
  });

  test('is a word of << and a name, with a number before, a - behind or blanks between', () => {
    for (const [word, fd] of [
      ['<<EOF', ''],
      ['<<-EOF', ''],
      ['3<<EOF', '3'],
      ['12<<-EOF', '12'],
      ['<< EOF', ''],
      ['<<\t EOF', ''],
    ] as const) {
      expect(instruction(`RUN ${word} cat\nbody\nEOF`).heredocs, word).toEqual([
        expect.objectContaining({ name: 'EOF', fd, word, body: 'body\n' }),
      ]);
    }
  });

  test('is not opened within a word or quotes, by <<< or by << alone', () => {
    for (const word of ['x<<EOF', '"<<EOF"', "'<<EOF'", '\\<<EOF', '<<<EOF', '<<< EOF', '<<', "a'<<'EOF", '<<A<B']) {
      expect(instruction(`RUN cat ${word}`).heredocs, word).toEqual([]);
    }
  });

  test('belongs to RUN, COPY, ADD and ONBUILD of these, not to their JSON form and to no other instruction', () => {
    for (const text of ['RUN <<E', 'COPY <<E /x', 'ADD <<E /x', 'ONBUILD RUN <<E', 'onbuild copy <<E /x', 'onbuild ADD <<E /x']) {
      expect(instruction(`${text}\nbody\nE`).heredocs, text).toHaveLength(1);
    }
    for (const text of ['CMD <<E', 'ENTRYPOINT <<E', 'USER <<E', 'ENV A=<<E', 'LABEL a <<E', 'RUN ["<<E"]', 'ONBUILD CMD <<E']) {
      expect(instruction(text).heredocs, text).toEqual([]);
    }
  });

  test('with any quote in its name keeps its body as written', () => {
    for (const word of ["'EOF'", '"EOF"', 'E"O"F', "EO''F", '-"EOF"', '"E"\'O\'F']) {
      expect(instruction(`COPY <<${word} /x\n$A\nEOF`).heredocs[0], word).toMatchObject({ name: 'EOF', expand: false });
    }
    expect(instruction('COPY <<EOF /x\n$A\nEOF').heredocs[0]?.expand).toBe(true);
  });

  test('has as its name what is left without quotes and escapes, never a value', () => {
    const names = ["<<'one two'", "<<eo\\'f", '<<$EOF', '<<${EOF}', '<<"$A"'].map((word) => {
      const name = word.replace(/^<<['"]?|['"]$/g, '').replace('\\', '');
      return instruction(`RUN cat ${word}\nx\n${name}`).heredocs[0]?.name;
    });
    expect(names).toEqual(['one two', "eo'f", '$EOF', '${EOF}', '$A']);
  });

  test('without the line that ends it is an error, also when only blanks are wrong with that line', () => {
    expect(faults('FROM x\nRUN <<EOF\na\nEOF ')).toEqual(['2: the heredoc <<EOF has no end']);
    expect(faults('FROM x\nCOPY <<-EOF /x\na\n  EOF')).toEqual(['2: the heredoc <<-EOF has no end']);
  });

  test('cannot be where COPY and ADD write to', () => {
    expect(faults('FROM x\nCOPY a <<EOF\nEOF\nADD <<EOF\nEOF')).toEqual([
      '2: COPY cannot write to the heredoc <<EOF',
      '4: ADD cannot write to the heredoc <<EOF',
    ]);
  });

  test('keeps comments, blank lines, continuations and CR in its body', () => {
    expect(instruction('RUN <<EOF\n# c\n\na \\\n  b\r\nEOF').heredocs[0]?.body).toBe('# c\n\na \\\n  b\r\n');
  });

  test('may be empty, and its terminator may end in CR LF or with the file', () => {
    expect(instruction('COPY <<EOF /x\r\nEOF\r\n').heredocs[0]?.body).toBe('');
    expect(instruction('COPY <<EOF /x\na\nEOF').heredocs[0]?.body).toBe('a\n');
  });

  test('loses leading tabs, not blanks, with <<-, as its terminator may have them', () => {
    const { heredocs } = instruction('RUN <<-EOF\n\t\ta\n \tb\nc\td\n\tEOF');
    expect(heredocs[0]).toMatchObject({ body: 'a\n \tb\nc\td\n', raw: '\t\ta\n \tb\nc\td\n' });
  });

  test('strips tabs for itself only', () => {
    const { heredocs } = instruction('RUN <<-A cat <<B\n\ta\nA\n\tb\nB');
    expect(heredocs.map(({ body }) => body)).toEqual(['a\n', '\tb\n']);
  });

  test('ends only at the exact line', () => {
    expect(instruction('RUN <<EOF\nEOF \n EOF\nEOFX\nEOF').heredocs[0]?.body).toBe('EOF \n EOF\nEOFX\n');
  });

  test('comes in the order of its word', () => {
    expect(instruction('COPY <<X <<Y /x/\nY\nX\nX\nY').heredocs.map(({ name, body }) => [name, body])).toEqual([
      ['X', 'Y\n'],
      ['Y', 'X\n'],
    ]);
  });

  test('is seen behind flags, modifiers that Docker does not know, and continuations', () => {
    expect(instruction('RUN --mount=type=tmpfs,target=/x \\\n  <<EOF\nhi\nEOF').heredocs).toHaveLength(1);
    expect(instruction('RUN echo ${x^^} ${#y} <<EOF\nhi\nEOF').heredocs).toHaveLength(1);
    expect(instruction("RUN cat <<EOF # don't\nhi\nEOF").heredocs).toHaveLength(1);
  });

  test('leaves the instructions after it alone', () => {
    expect(outline('FROM x\nRUN <<EOF\nRUN not me\nEOF\nUSER me')).toEqual(['FROM x', 'RUN <<EOF', 'USER me']);
  });
});

describe('a shift to the left', () => {
  test.each([
    ['RUN echo $((1 << 3))'],
    ['RUN echo $(( x << y ))'],
    ['RUN (( a = b << c )) && echo'],
    ['RUN echo $(( (a + b) << c ))'],
    ['RUN python -c print(1 << 3)'],
  ])('in %s is no heredoc', (text) => {
    expect(instruction(text).heredocs).toEqual([]);
    expect(outline(`FROM x\n${text}\nUSER me`)).toHaveLength(3);
  });

  test('is a heredoc when a line ends it, as in BuildKit', () => {
    expect(instruction('RUN echo $((1 << 3))\nbody\n3))').heredocs).toHaveLength(1);
  });

  test('is an error in COPY', () => {
    expect(faults('FROM x\nCOPY << 3 /x')).toEqual(['2: the heredoc << 3 has no end']);
  });
});

describe('a heredoc without an end', () => {
  test('is one error, whatever its body is', () => {
    expect(faults('FROM x\nRUN <<EOF\necho hi\nUSER\n')).toEqual(['2: the heredoc <<EOF has no end']);
    expect(faults('FROM x\nCOPY <<A <<B /x/\na\nA\nb\n')).toEqual(['2: the heredoc <<B has no end']);
  });
});

describe('COPY words', () => {
  test.each([
    ['COPY a <<EOF b /x/\n1\nEOF', ['a', '<<EOF', 'b', '/x/']],
    ['COPY << EOF /x/\n1\nEOF', ['<<EOF', '/x/']],
    ['COPY <<"a b" /x/\n1\na b', ['<<a b', '/x/']],
    ['COPY <<A <<A /x/\n1\nA\n2\nA', ['<<A', '<<A', '/x/']],
    ['ADD "a b" /x', ['"a', 'b"', '/x']],
    ['COPY ["a b", "/x"]', ['a b', '/x']],
  ])('of %j are in order', (text, expected) => {
    const words = copyWords(instruction(text)).map((word) => (word.kind === 'path' ? word.text : `<<${word.heredoc.name}`));
    expect(words).toEqual(expected);
  });

  test('give two heredocs of one name each its own body', () => {
    const words = copyWords(instruction('COPY <<A <<A /x/\n1\nA\n2\nA'));
    expect(words.map((word) => (word.kind === 'heredoc' ? word.heredoc.body : ''))).toEqual(['1\n', '2\n', '']);
  });

  test.each(['COPY a <<EOF\nEOF', 'ADD <<EOF\nEOF'])('cannot end with a heredoc: %j', (text) => {
    expect(faults(`FROM x\n${text}`)[0]).toContain('cannot write to the heredoc');
  });
});

describe('a delimiter with a backslash', () => {
  test('still expands in COPY, which is a warning', () => {
    expect(warnings('FROM x\nCOPY <<\\EOF /x\n$A\nEOF')).toEqual(['2: the body of <<\\EOF has its variables expanded, unlike in sh']);
    expect(warnings('FROM x\nRUN cat <<\\EOF\n$A\nEOF')).toEqual([]);
  });
});

describe('ONBUILD', () => {
  test('carries the heredoc of its trigger, and stores it as written', () => {
    const { trigger, heredocs, ...onbuild } = instruction('ONBUILD COPY --chmod=755 <<-X /y\n\tbody\n\tX');
    expect(onbuild.args).toBe('COPY --chmod=755 <<-X /y');
    expect(trigger).toMatchObject({ keyword: 'COPY', args: '<<-X /y', flags: [{ name: 'chmod', value: '755' }] });
    expect(trigger?.heredocs).toEqual(heredocs);
    expect(heredocs[0]?.body).toBe('body\n');
    expect(triggerText({ ...onbuild, heredocs })).toBe('COPY --chmod=755 <<-X /y\n\tbody\nX');
  });

  test('takes no heredoc for other triggers', () => {
    expect(parse('FROM x\nONBUILD CMD <<EOF').instructions[1]?.heredocs).toEqual([]);
  });
});
