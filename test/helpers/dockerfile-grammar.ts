/**
 * Random Dockerfiles by a grammar, for property tests: all instructions, flags, JSON forms, heredocs, continuations,
 * both escape characters, quotes, nested modifiers, odd blanks. Most are valid; what is not has to be refused in words.
 */
import fc from 'fast-check';

type Text = fc.Arbitrary<string>;

/** Texts of parts, one after the other. */
function seq(...parts: readonly (Text | string)[]): Text {
  return fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((texts) => texts.join(''));
}

function list(item: Text, between: Text | string, { min = 0, max = 3 } = {}): Text {
  const gap = typeof between === 'string' ? fc.constant(between) : between;
  return fc.array(fc.tuple(gap, item), { minLength: min, maxLength: max }).map((items) => {
    return items.map(([space, text], index) => (index === 0 ? text : space + text)).join('');
  });
}

function maybe(text: Text): Text {
  return fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text });
}

const one = (...texts: readonly string[]): Text => fc.constantFrom(...texts);

const BLANK = fc.oneof({ weight: 8, arbitrary: fc.constant(' ') }, { weight: 2, arbitrary: one('\t', '  ', '\f', '\v', ' \r ', '\t\v ') });
const NAME = one('A', 'B', 'C_1', 'BASE', 'PATH', 'TARGETARCH', 'é', '_', '9', '@');
const PLAIN = one(
  'a',
  'b1',
  'x.y',
  'usr',
  '.',
  'é',
  '🖖',
  '\u00a0',
  '%',
  '~',
  ',',
  ':',
  '(',
  ')',
  '&',
  ';',
  '|',
  '<',
  '<<',
  '#',
  '!',
  '\x01',
  '\ud800',
);
const GLOB = one('*', '?', '[a-c]', '[^b]', '**', '[', ']');

function modifier(depth: number): Text {
  const inner = depth === 0 ? one('', 'w', '*', '\\*', 'a b') : fc.oneof(one('', 'w', '"q r"', "'s'"), variable(depth - 1));
  return fc.oneof(
    seq(one(':-', '-', ':+', '+'), inner),
    seq(one('#', '##', '%', '%%'), inner),
    seq(
      one('/', '//'),
      fc.oneof(
        one('b', '*', '?a', '\\/'),
        inner.filter((text) => !text.includes('/')),
      ),
      '/',
      inner,
    ),
  );
}

function variable(depth: number): Text {
  return fc.oneof(seq('$', NAME), seq('${', NAME, '}'), seq('${', NAME, modifier(depth), '}'), one('$', '$$', '$1'));
}

/** Text of one word, with quotes that are closed. `escapeChar` is that of the file. */
function word(escapeChar: string): Text {
  const quoted = fc.oneof(
    seq('"', list(fc.oneof(PLAIN, one(' ', `${escapeChar}"`, `${escapeChar}$`, `${escapeChar}${escapeChar}`, "'"), variable(1)), ''), '"'),
    seq("'", list(fc.oneof(PLAIN, one(' ', '"', '$A')), ''), "'"),
  );
  const escaped = one(
    `${escapeChar} `,
    `${escapeChar}"`,
    `${escapeChar}'`,
    `${escapeChar}$`,
    `${escapeChar}${escapeChar}`,
    `${escapeChar}a`,
  );
  const piece = fc.oneof(
    { weight: 6, arbitrary: PLAIN },
    { weight: 2, arbitrary: variable(2) },
    { weight: 1, arbitrary: quoted },
    { weight: 1, arbitrary: escaped },
  );
  return list(piece, '', { min: 1, max: 4 });
}

const JSON_STRING = fc
  .array(one('a', '$A', ' ', '\\"', '\\\\', '\\n', '\\u00e9', '\\ud83d\\udd96', '\\ud800', '\\t', '/', 'é', '-c', "'"), { maxLength: 4 })
  .map((parts) => `"${parts.join('')}"`);
const JSON_LIST = seq('[', maybe(fc.constant(' ')), list(JSON_STRING, one(',', ', ', ' ,\t'), { min: 1 }), ']');

const FLAG_VALUE = one('a', '1:2', 'root', '"a b"', "'x'", 'a\\ b', '$A', '${A:-x}', '0755', 'u+x');
const FLAGS: Readonly<Record<string, Text>> = {
  COPY: list(
    fc.oneof(
      seq('--from=', one('0', 'one', 'ONE', 'two', 'alpine:3')),
      seq('--chown=', FLAG_VALUE),
      seq('--chmod=', one('0644', 'u=rwX,go=rX', '$A')),
      one('--link', '--link=false', '--parents', '--exclude=*.md', '--exclude="a b"'),
    ),
    BLANK,
    { max: 2 },
  ),
  ADD: list(fc.oneof(seq('--chown=', FLAG_VALUE), one('--link', '--unpack=true', '--keep-git-dir', '--chmod=0644')), BLANK, { max: 2 }),
  RUN: list(
    fc.oneof(
      one('--network=none', '--network=host', '--network=default'),
      seq(
        '--mount=',
        one(
          'type=cache,target=/c',
          'target=/b',
          'type=bind,from=one,source=/a,target=/b,rw',
          `type=bind,'"source=a,b"',target=/x`,
          'type=tmpfs,target=/t,size=64m',
          'type=secret,id=s,required',
          'type=cache,id=$A,target=/${A:-d},sharing=locked,uid=1,mode=0700',
          `"type=cache,target=/a b"`,
        ),
      ),
    ),
    BLANK,
    { max: 2 },
  ),
  HEALTHCHECK: list(one('--interval=5s', '--timeout=1m30s', '--retries=3', '--start-period=1.5s', '--start-interval=100ms'), BLANK, {
    max: 2,
  }),
};

const BODY_LINE = one(
  'echo a',
  '\techo b',
  '',
  '# no comment',
  '$A ${B:-c} "q"',
  'x \\',
  '\\$A',
  'EOF ',
  ' EOF',
  'FROM x',
  'line\r',
  '\ud800\x00',
);

interface Heredoc {
  readonly word: string;
  readonly body: string;
}

const HEREDOC: fc.Arbitrary<Heredoc> = fc
  .tuple(
    one('<<', '<<-', '<< ', '3<<', '<<- '),
    one('EOF', '"EOF"', "'EOF'", 'E\\OF', 'f.txt', '"a b"'),
    fc.array(BODY_LINE, { maxLength: 4 }),
  )
  .map(([open, delimiter, lines]) => {
    const name = delimiter.replace(/["'\\]/g, '');
    const end = open.includes('-') ? `\t${name}` : name;
    return { word: `${open}${delimiter}`, body: [...lines, end].map((line) => `\n${line}`).join('') };
  });

function withHeredocs(before: Text, after: Text, max: number): Text {
  return fc.tuple(before, fc.array(HEREDOC, { minLength: 1, maxLength: max }), after).map(([head, docs, tail]) => {
    return `${head}${docs.map(({ word: text }) => ` ${text}`).join('')}${tail}${docs.map(({ body }) => body).join('')}`;
  });
}

/** One instruction without its continuations. */
function instruction(escapeChar: string): Text {
  const w = word(escapeChar);
  const words = list(w, BLANK, { min: 1, max: 4 });
  const flagged = (keyword: string): Text =>
    seq(
      one(keyword, keyword.toLowerCase()),
      BLANK,
      (FLAGS[keyword] ?? fc.constant('')).map((flags) => (flags === '' ? '' : `${flags} `)),
    );
  const pairs = (max: number): Text => list(seq(one('A', 'B', 'C_1', 'k.e-y'), '=', w), BLANK, { min: 1, max });
  const bare = (keyword: string, args: Text): Text => seq(one(keyword, keyword.toLowerCase()), BLANK, maybe(fc.constant('-- ')), args);
  const copyWords = seq(list(fc.oneof(w, GLOB), BLANK, { min: 1 }), BLANK, one('/d/', 'd/', '.', '/${A:-x}/'));
  const plain = fc.oneof(
    { weight: 3, arbitrary: seq(flagged('RUN'), words) },
    { weight: 1, arbitrary: seq(flagged('RUN'), JSON_LIST) },
    { weight: 2, arbitrary: withHeredocs(flagged('RUN'), maybe(seq(' ', one('sh', '> /x', '&& b', '| c'))), 2) },
    { weight: 2, arbitrary: seq(flagged('COPY'), copyWords) },
    { weight: 1, arbitrary: seq(flagged('COPY'), '["a b", "$A", "/d/"]') },
    { weight: 2, arbitrary: withHeredocs(flagged('COPY'), one(' /d/', ' /${A}/'), 3) },
    { weight: 1, arbitrary: seq(flagged('ADD'), fc.oneof(copyWords, one('https://example.com/x.tar.gz /d/', 'a.tar /d'))) },
    { weight: 1, arbitrary: withHeredocs(flagged('ADD'), fc.constant(' /d/'), 2) },
    { weight: 3, arbitrary: bare('ENV', fc.oneof(pairs(3), seq(one('A', 'B'), BLANK, w))) },
    { weight: 2, arbitrary: bare('LABEL', pairs(3)) },
    {
      weight: 2,
      arbitrary: bare('ARG', list(fc.oneof(one('A', 'B', 'C_1', 'TARGETARCH', 'D'), seq(one('A', 'B'), '=', w)), BLANK, { min: 1 })),
    },
    { weight: 2, arbitrary: bare('CMD', fc.oneof(JSON_LIST, words, one('[]'))) },
    { weight: 1, arbitrary: bare('ENTRYPOINT', fc.oneof(JSON_LIST, words)) },
    { weight: 1, arbitrary: bare('SHELL', JSON_LIST) },
    { weight: 1, arbitrary: bare('EXPOSE', one('80', '80/tcp 81/UDP', '8000-8003', '1.2.3.4:80:81', '[::1]::5', '${A:-90}')) },
    { weight: 1, arbitrary: bare('VOLUME', fc.oneof(words, JSON_LIST)) },
    { weight: 1, arbitrary: bare('WORKDIR', w) },
    { weight: 1, arbitrary: bare('USER', one('me', '1:2', '$A', '"a"')) },
    { weight: 1, arbitrary: bare('STOPSIGNAL', one('SIGTERM', '9', 'RTMIN+3', '${A:-INT}')) },
    { weight: 1, arbitrary: bare('MAINTAINER', words) },
    { weight: 1, arbitrary: seq(flagged('HEALTHCHECK'), fc.oneof(seq(one('CMD', 'cmd'), BLANK, fc.oneof(words, JSON_LIST)), one('NONE'))) },
  );
  return fc.oneof({ weight: 8, arbitrary: plain }, { weight: 1, arbitrary: plain.map((text) => `ONBUILD ${text}`) });
}

/** Puts continuations at some of the blanks of the first line, with comments and blank lines within. */
function continued(text: string, cuts: readonly number[], escapeChar: string, filler: string): string {
  const newline = text.indexOf('\n');
  const first = newline < 0 ? text : text.slice(0, newline);
  let index = 0;
  const joined = first.replace(/ /g, (space, at: number) => {
    const isEscaped = first.charAt(at - 1) === escapeChar;
    return !isEscaped && cuts.includes(index++) ? ` ${escapeChar}\n${filler}` : space;
  });
  return joined + (newline < 0 ? '' : text.slice(newline));
}

const STAGE_NAMES = ['one', 'two', 'three'];

function stage(index: number, step: Text): Text {
  const earlier = STAGE_NAMES.slice(0, index);
  const base = one('scratch', 'alpine:3', '${A:-debian}', 'localhost:5000/x/y:1', ...earlier, ...earlier.map((name) => name.toUpperCase()));
  const platform = maybe(one('--platform=linux/arm64 ', '--platform=$BUILDPLATFORM ', '--platform="linux/amd64" '));
  const between = one('\n', '\n', '\n', '\n\n', '\n# comment\n', '\n   ', '\n\t# x\n\f\n');
  return seq('FROM ', platform, base, ` AS ${STAGE_NAMES[index]}`, between, list(step, between, { max: 6 }), '\n');
}

function fileWith(escapeChar: '\\' | '`'): Text {
  const escapeLine = escapeChar === '\\' ? maybe(one('# escape=\\\n', '#\tESCAPE = \\\n')) : one('# escape=`\n', '#escape=`\n');
  const head = seq(
    maybe(one('\ufeff')),
    maybe(one('# syntax=docker/dockerfile:1\n')),
    escapeLine,
    maybe(one('# check=skip=all\n', '# comment\n\n')),
  );
  const globals = list(one('ARG A\n', 'ARG A=x\n', 'ARG B="y z" C_1=$A\n', 'ARG TARGETARCH\n'), '', { max: 2 });
  const step = fc
    .tuple(instruction(escapeChar), fc.array(fc.nat(6), { maxLength: 2 }), one('', '# comment\n', '  # indented\n', '\n', '\t\n\f\n'))
    .map(([text, cuts, filler]) => continued(text, cuts, escapeChar, filler));
  const stages = STAGE_NAMES.map((_, index) => stage(index, step));
  const some = fc.oneof(...stages.map((_, last) => seq(...stages.slice(0, last + 1))));
  return fc
    .tuple(seq(head, globals, some), one('lf', 'lf', 'crlf'))
    .map(([text, ends]) => (ends === 'lf' ? text : text.replaceAll('\n', '\r\n')));
}

/** Whole files, as text: lone surrogates become U+FFFD in bytes. */
export function dockerfiles(): Text {
  return fc.oneof(fileWith('\\'), fileWith('`'));
}
