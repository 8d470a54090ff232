/**
 * What a change of a build's input does to its caches: for each step of the build after the change, whether it has to come from
 * a cache. A `miss` is demanded where the step could see the change: a wrong hit is a wrong image. A `hit` is demanded where
 * BuildKit has one, too, and people count on it. `any` stands where a miss is a loss that nobody relies on avoiding, and
 * `reason` says so. Whatever the table says, an image from caches has to equal one that was built without.
 */
import type { LabInput } from './cache-lab.ts';

export type Expected = 'hit' | 'miss' | 'any';

export interface CachePair {
  /** Unique, and the title of the test. */
  readonly change: string;
  readonly first: LabInput;
  readonly second: Partial<LabInput>;
  /** For each step of the second build that makes a layer, in order: `hit miss`. */
  readonly expected: string;
  /** Of `any`. */
  readonly reason?: string;
  /** Occurs nowhere in what the caches keep. */
  readonly secret?: string;
}

const text = (...lines: string[]): string => `${lines.join('\n')}\n`;
/** A stage on `@base`. */
const on = (...lines: string[]): string => text('FROM @base', ...lines);
/** A Dockerfile whose `{}` is one thing first, and another then. */
function either(dockerfile: string, first: string, second: string): { readonly first: LabInput; readonly second: Partial<LabInput> } {
  return { first: { dockerfile: dockerfile.replaceAll('{}', first) }, second: { dockerfile: dockerfile.replaceAll('{}', second) } };
}
const SHOW_ENV = 'RUN env >/env';
const MORE = 'RUN echo more >/more';

const NOTHING: readonly CachePair[] = [
  {
    change: 'nothing at all',
    first: { dockerfile: on('WORKDIR /w', 'COPY a d /x/', 'RUN cat /x/a >/y', 'RUN true'), files: { a: 'a', 'd/b': 'b' } },
    second: {},
    expected: 'hit hit hit hit',
  },
  {
    change: 'a comment, a blank line and spaces between words of an instruction',
    first: { dockerfile: on('COPY a /x', 'RUN echo 1 >/y'), files: { a: 'a' } },
    second: { dockerfile: text('# about', 'FROM   @base', '', '# more', 'COPY  a   /x', '', 'RUN   echo 1 >/y') },
    expected: 'hit hit',
  },
  {
    change: 'the case of keywords and of a stage name',
    first: { dockerfile: text('FROM @base AS one', MORE, 'FROM one', SHOW_ENV) },
    second: { dockerfile: text('from @base as ONE', 'run echo more >/more', 'from one', 'run env >/env') },
    expected: 'hit hit',
  },
  {
    change: 'the same command, written over two lines',
    ...either(on('RUN echo 1 >/y && {}echo 2 >/z'), '', '\\\n'),
    expected: 'hit',
  },
  { change: 'spaces inside of a command', ...either(on('RUN echo 1{}>/y'), ' ', '  '), expected: 'miss' },
  { change: 'an instruction less at the end', ...either(on(MORE, 'RUN true{}'), '\nRUN echo last >/l', ''), expected: 'hit hit' },
  { change: 'an instruction more at the end', ...either(on(MORE, '{}'), '', 'RUN echo last >/l'), expected: 'hit miss' },
  { change: 'an instruction more in front', ...either(on('{}', MORE, SHOW_ENV), '', 'RUN true'), expected: 'miss miss miss' },
];

const COMMANDS: readonly CachePair[] = [
  { change: 'the command', ...either(on('RUN echo {} >/x', MORE), '1', '2'), expected: 'miss miss' },
  {
    change: 'the same command in another position',
    ...either(on('{}'), 'RUN echo a >>/f\nRUN echo b >>/f', 'RUN echo b >>/f\nRUN echo a >>/f'),
    expected: 'miss miss',
  },
  {
    change: 'the same command once more',
    ...either(on('RUN echo a >>/f', '{}'), '', 'RUN echo a >>/f'),
    expected: 'hit miss',
  },
  { change: 'the exec form instead of a shell', ...either(on('RUN {}'), 'echo 1', '["echo", "1"]'), expected: 'miss' },
  {
    change: 'words of the exec form joined another way',
    ...either(on('RUN ["sh", "-c", "echo $# $0 $1 >/x", {}]'), '"a b", "c"', '"a", "b c"'),
    expected: 'miss',
  },
  { change: 'SHELL before a shell form', ...either(on('SHELL ["/bin/sh", "{}"]', MORE), '-c', '-ec'), expected: 'miss' },
  {
    change: 'SHELL before an exec form',
    ...either(on('SHELL ["/bin/sh", "{}"]', 'RUN ["touch", "/x"]'), '-c', '-ec'),
    expected: 'hit',
  },
  { change: 'USER before RUN', ...either(on('RUN mkdir -m 777 /p', 'USER {}', 'RUN id >/p/id'), 'app', '33'), expected: 'hit miss' },
  {
    change: 'USER before COPY',
    first: { dockerfile: on('USER app', 'COPY a /x'), files: { a: 'a' } },
    second: { dockerfile: on('USER 33', 'COPY a /x') },
    expected: 'hit',
  },
  { change: 'USER before WORKDIR', ...either(on('USER {}', 'WORKDIR /w/x'), 'app', '33'), expected: 'miss' },
  { change: 'WORKDIR', ...either(on('WORKDIR /{}', 'RUN pwd >/pwd'), 'a', 'b'), expected: 'miss miss' },
  {
    change: 'a WORKDIR between others',
    ...either(on('WORKDIR /a', '{}', 'WORKDIR /c', MORE), '', 'WORKDIR b'),
    expected: 'hit miss miss miss',
  },
  {
    change: 'the body of a heredoc',
    ...either(on('RUN <<EOF', 'echo {} >/x', 'EOF'), '1', '2'),
    expected: 'miss',
  },
  {
    change: 'the word that ends a heredoc',
    ...either(on('RUN <<{}', 'echo 1 >/x', '{}'), 'EOF', 'END'),
    expected: 'any',
    reason: 'the script is the same; the word is part of the command for BuildKit where it is written in it',
  },
  {
    change: 'the body of a heredoc that is a script of its own',
    ...either(on('RUN <<EOF', '#!/bin/sh', 'echo {} >/x', 'EOF'), '1', '2'),
    expected: 'miss',
  },
  {
    change: 'the interpreter of a heredoc',
    ...either(on('RUN <<EOF', '#!/bin/sh{}', 'echo 1 >/x', 'EOF'), '', ' -e'),
    expected: 'miss',
  },
  {
    change: 'the body of a heredoc that a command reads',
    ...either(on('RUN cat <<EOF >/x', '{}', 'EOF'), '1', '2'),
    expected: 'miss',
  },
  { change: 'the network of a command', ...either(on('RUN {} echo 1 >/x'), '', '--network=none'), expected: 'miss' },
  { change: 'the default network, written out', ...either(on('RUN {} echo 1 >/x'), '', '--network=default'), expected: 'hit' },
  {
    change: 'two stages with the same text on different bases',
    first: {
      dockerfile: text('FROM @base AS a', 'RUN cat /base-file >/x', 'FROM @other', 'RUN cat /base-file >/x', 'COPY --from=a /x /a'),
      bases: { other: { text: 'other' } },
    },
    second: {},
    expected: 'hit hit hit',
  },
  {
    change: '--target, from the first stage to all',
    first: { dockerfile: text('FROM @base AS a', MORE, 'FROM a', SHOW_ENV), flags: ['--target', 'a'] },
    second: { flags: [] },
    expected: 'hit miss',
  },
];

const CONFIG: readonly CachePair[] = [
  ...(
    [
      ['LABEL', 'LABEL a={}'],
      ['CMD', 'CMD ["{}"]'],
      ['ENTRYPOINT', 'ENTRYPOINT ["{}"]'],
      ['EXPOSE', 'EXPOSE {}'],
      ['VOLUME', 'VOLUME /v{}'],
      ['HEALTHCHECK', 'HEALTHCHECK CMD echo {}'],
      ['MAINTAINER', 'MAINTAINER {}'],
    ] as const
  ).map(([name, line]) => ({
    change: `${name} before the steps`,
    first: { dockerfile: on(line.replace('{}', '1'), 'COPY a /x', 'WORKDIR /w', MORE), files: { a: 'a' } },
    second: { dockerfile: on(line.replace('{}', '2'), 'COPY a /x', 'WORKDIR /w', MORE) },
    expected: 'hit hit hit',
  })),
  { change: 'STOPSIGNAL before RUN', ...either(on('STOPSIGNAL {}', MORE), 'SIGTERM', 'SIGINT'), expected: 'hit' },
  { change: 'LABEL and RUN swapped', ...either(on('{}'), `LABEL a=1\n${MORE}`, `${MORE}\nLABEL a=1`), expected: 'hit' },
  { change: 'a label of the command line', first: { dockerfile: on(MORE) }, second: { flags: ['--label', 'a=1'] }, expected: 'hit' },
  { change: 'the value of ENV before RUN', ...either(on('ENV A={}', SHOW_ENV), '1', '2'), expected: 'miss' },
  {
    change: 'the value of ENV before COPY',
    first: { dockerfile: on('ENV A=1', 'COPY a /x'), files: { a: 'a' } },
    second: { dockerfile: on('ENV A=2', 'COPY a /x') },
    expected: 'hit',
  },
  {
    change: 'the value of ENV that a COPY names',
    first: { dockerfile: on('ENV TO=1', 'COPY a /$TO'), files: { a: 'a' } },
    second: { dockerfile: on('ENV TO=2', 'COPY a /$TO') },
    expected: 'miss',
  },
  { change: 'the order of ENV', ...either(on('ENV {}', SHOW_ENV), 'A=1 B=2', 'B=2 A=1'), expected: 'miss' },
  { change: 'one ENV of two, with the same text in a row', ...either(on('ENV {}', SHOW_ENV), 'A=1 B=2', 'A="1 B=2"'), expected: 'miss' },
  { change: 'ENV after the step', ...either(on(SHOW_ENV, 'ENV A={}'), '1', '2'), expected: 'hit' },
  { change: 'ENV that a later one hides', ...either(on('ENV A={}', 'ENV A=3', SHOW_ENV), '1', '2'), expected: 'hit' },
  { change: 'quotes around the value of ENV', ...either(on('ENV A={}', SHOW_ENV), '1', '"1"'), expected: 'hit' },
  {
    change: 'the order of LABEL and ENV',
    ...either(on('{}', SHOW_ENV), 'LABEL a=1\nENV A=1', 'ENV A=1\nLABEL a=1'),
    expected: 'hit',
  },
];

const arg = (name: string, value: string): readonly string[] => ['--build-arg', `${name}=${value}`];

const ARGUMENTS: readonly CachePair[] = [
  {
    change: 'an ARG that RUN names',
    first: { dockerfile: on('ARG V', 'RUN echo $V >/x'), flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'miss',
  },
  {
    change: 'an ARG that RUN only has in its environment',
    first: { dockerfile: on('ARG V', SHOW_ENV), flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'miss',
  },
  {
    change: 'an ARG that is given for the first time',
    first: { dockerfile: on('ARG V', SHOW_ENV) },
    second: { flags: arg('V', '') },
    expected: 'miss',
  },
  {
    change: 'an ARG that is declared before COPY and named by none',
    first: { dockerfile: on('ARG V', 'COPY a /x', 'WORKDIR /w'), files: { a: 'a' }, flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'hit hit',
  },
  {
    change: 'an ARG that COPY names',
    first: { dockerfile: on('ARG V', 'COPY $V /x'), files: { a: 'a', b: 'b' }, flags: arg('V', 'a') },
    second: { flags: arg('V', 'b') },
    expected: 'miss',
  },
  {
    change: 'an ARG that is declared after the step',
    first: { dockerfile: on(SHOW_ENV, 'ARG V', 'RUN echo $V >/x'), flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'hit miss',
  },
  {
    change: 'a build argument that no ARG declares',
    first: { dockerfile: on(SHOW_ENV), flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'hit',
  },
  {
    change: 'an ARG of another stage',
    first: {
      dockerfile: text('FROM @base AS a', 'ARG V', 'RUN echo $V >/x', 'FROM @base', SHOW_ENV, 'COPY --from=a /x /'),
      flags: arg('V', '1'),
    },
    second: { flags: arg('V', '2') },
    expected: 'miss hit miss',
  },
  { change: 'the default of an ARG', ...either(on('ARG V={}', SHOW_ENV), '1', '2'), expected: 'miss' },
  {
    change: 'the default of an ARG that is given',
    first: { dockerfile: on('ARG V=1', SHOW_ENV), flags: arg('V', '3') },
    second: { dockerfile: on('ARG V=2', SHOW_ENV) },
    expected: 'hit',
  },
  {
    change: 'an ARG that ENV of the same name hides',
    first: { dockerfile: on('ARG V', 'ENV V=3', SHOW_ENV), flags: arg('V', '1') },
    second: { flags: arg('V', '2') },
    expected: 'hit',
  },
  {
    change: 'an ARG before FROM that chooses the base',
    first: { dockerfile: text('ARG B=1', 'FROM @base AS b1', 'FROM @other AS b2', 'FROM b$B', MORE), bases: { other: { text: 'other' } } },
    second: { flags: arg('B', '2') },
    expected: 'miss',
  },
  {
    change: 'an ARG before FROM that no stage declares',
    first: { dockerfile: text('ARG V=1', 'FROM @base', SHOW_ENV) },
    second: { flags: arg('V', '2') },
    expected: 'hit',
  },
  {
    change: 'an ARG before FROM that the stage declares',
    first: { dockerfile: text('ARG V=1', 'FROM @base', 'ARG V', SHOW_ENV) },
    second: { flags: arg('V', '2') },
    expected: 'miss',
  },
  {
    change: 'a build argument that is a secret',
    first: { dockerfile: on('ARG TOKEN', 'RUN test -n "$TOKEN"', MORE), flags: arg('TOKEN', 'hunter-1-of-the-snark') },
    second: { flags: arg('TOKEN', 'hunter-2-of-the-snark') },
    expected: 'miss miss',
    secret: 'of-the-snark',
  },
  {
    change: 'HTTP_PROXY, which is no part of any image',
    first: { dockerfile: on(MORE), flags: arg('HTTP_PROXY', 'http://one.example') },
    second: { flags: [...arg('HTTP_PROXY', 'http://two.example'), ...arg('no_proxy', 'three.example')] },
    expected: 'hit',
  },
  {
    change: 'HTTP_PROXY that an ARG declares',
    first: { dockerfile: on('ARG HTTP_PROXY', SHOW_ENV), flags: arg('HTTP_PROXY', 'http://one.example') },
    second: { flags: arg('HTTP_PROXY', 'http://two.example') },
    expected: 'miss',
  },
  {
    change: 'one argument of two, with the same text in a row',
    first: { dockerfile: on('ARG A', 'ARG B', 'RUN echo "$A,$B" >/x'), flags: [...arg('A', 'xB=y'), ...arg('B', '')] },
    second: { flags: [...arg('A', 'x'), ...arg('B', 'y')] },
    expected: 'miss',
  },
];

/** COPY of files that change while the Dockerfile does not. */
function copied(
  change: string,
  [dockerfile, ...more]: readonly string[],
  [first, second]: readonly [NonNullable<LabInput['files']>, NonNullable<LabInput['files']>],
  expected: string,
  reason?: string,
): CachePair {
  const about = { change, first: { dockerfile: on(dockerfile ?? '', ...more), files: first }, second: { files: second }, expected };
  return reason === undefined ? about : { ...about, reason };
}

const FILES: readonly CachePair[] = [
  copied('the content of a file', ['COPY a /x', MORE], [{ a: '1' }, { a: '22' }], 'miss miss'),
  copied('the content of a file, of the same length', ['COPY d /x'], [{ 'd/a': '1' }, { 'd/a': '2' }], 'miss'),
  copied(
    'the content of a file, of the same length and with the same time',
    ['COPY d /x'],
    [{ 'd/a': { text: '1', mtime: 1_600_000_000 } }, { 'd/a': { text: '2', mtime: 1_600_000_000 } }],
    'miss',
  ),
  copied(
    'content moved from one file to another',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/b': '2' },
      { 'd/a': '2', 'd/b': '1' },
    ],
    'miss',
  ),
  copied(
    'content moved from the end of one file to the next',
    ['COPY d /x'],
    [
      { 'd/a': '12', 'd/b': '3' },
      { 'd/a': '1', 'd/b': '23' },
    ],
    'miss',
  ),
  copied(
    'only the time of a file',
    ['COPY a d /x/', MORE],
    [
      { a: { text: '1', mtime: 1_600_000_000 }, 'd/b': { text: '1', mtime: 1_600_000_000 } },
      { a: { text: '1', mtime: 1_700_000_000 }, 'd/b': { text: '1', mtime: 1_700_000_000 } },
    ],
    'hit hit',
  ),
  copied('the mode of a file', ['COPY a /x'], [{ a: '1' }, { a: { text: '1', mode: 0o755 } }], 'miss'),
  copied('the mode of a file in a folder', ['COPY d /x'], [{ 'd/a': '1' }, { 'd/a': { text: '1', mode: 0o600 } }], 'miss'),
  copied('a setuid bit', ['COPY a /x'], [{ a: { text: '1', mode: 0o755 } }, { a: { text: '1', mode: 0o4755 } }], 'miss'),
  copied(
    'the mode of a folder in a folder',
    ['COPY d /x'],
    [
      { 'd/e': { folder: 0o755 }, 'd/e/a': '1' },
      { 'd/e': { folder: 0o700 }, 'd/e/a': '1' },
    ],
    'miss',
  ),
  copied(
    'the mode of a file whose mode --chmod sets',
    ['COPY --chmod=640 a /x'],
    [{ a: '1' }, { a: { text: '1', mode: 0o755 } }],
    'any',
    'the layer is the same; BuildKit misses',
  ),
  copied("the owner of a context's file", ['COPY a /x'], [{ a: '1' }, { a: { text: '1', owner: 1000 } }], 'hit'),
  copied('the name of a file in a folder', ['COPY d /x'], [{ 'd/a': '1' }, { 'd/b': '1' }], 'miss'),
  copied('a name by another form of the same letters', ['COPY d /x'], [{ 'd/\u00fc': '1' }, { 'd/u\u0308': '1' }], 'miss'),
  copied('nothing of files with unusual names', ['COPY . /x'], [{ '\u00fc \u{1f980}\n"\\': '1' }, { '\u00fc \u{1f980}\n"\\': '1' }], 'hit'),
  copied('a path that has the same letters with other slashes', ['COPY d /x'], [{ 'd/ab/c': '1' }, { 'd/a/bc': '1' }], 'miss'),
  copied('a file more in a folder', ['COPY d /x'], [{ 'd/a': '1' }, { 'd/a': '1', 'd/b': '' }], 'miss'),
  copied('a file less in a folder', ['COPY d /x'], [{ 'd/a': '1', 'd/b': '1' }, { 'd/a': '1' }], 'miss'),
  copied('a file less in the context, of all that is copied', ['COPY . /x'], [{ a: '1', b: '1' }, { a: '1' }], 'miss'),
  copied('an empty folder more', ['COPY d /x'], [{ 'd/a': '1' }, { 'd/a': '1', 'd/e': { folder: 0o755 } }], 'miss'),
  copied('a folder instead of a file', ['COPY d /x'], [{ 'd/a': '' }, { 'd/a': { folder: 0o755 } }], 'miss'),
  copied('a folder instead of the copied file', ['COPY a /x'], [{ a: '1' }, { 'a/a': '1' }], 'miss'),
  copied('the target of a symlink', ['COPY d /x'], [{ 'd/l': { link: 'a' } }, { 'd/l': { link: 'b' } }], 'miss'),
  copied(
    'a file instead of a symlink',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/l': { link: 'a' } },
      { 'd/a': '1', 'd/l': 'a' },
    ],
    'miss',
  ),
  copied(
    'the content of what a copied symlink leads to',
    ['COPY l /x'],
    [
      { a: '1', l: { link: 'a' } },
      { a: '2', l: { link: 'a' } },
    ],
    'miss',
  ),
  copied(
    'what a symlink inside of a copied folder leads to, outside of it',
    ['COPY d /x'],
    [
      { a: '1', 'd/l': { link: '../a' } },
      { a: '2', 'd/l': { link: '../a' } },
    ],
    'hit',
  ),
  copied(
    'a hard link instead of a second file',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/b': '1' },
      { 'd/a': '1', 'd/b': { hardLinkTo: 'd/a' } },
    ],
    'any',
    'whether links of a context become links of the image is the builder’s choice; the images are compared',
  ),
  copied(
    'a file outside of what is copied',
    ['COPY d /x', MORE],
    [
      { 'd/a': '1', b: '1', 'e/c': '1' },
      { 'd/a': '1', b: '2', 'f/d': '1' },
    ],
    'hit hit',
  ),
  copied('a file more that a wildcard matches', ['COPY *.txt /x/'], [{ 'a.txt': '1' }, { 'a.txt': '1', 'b.txt': '1' }], 'miss'),
  copied('a file more that a wildcard does not match', ['COPY *.txt /x/'], [{ 'a.txt': '1' }, { 'a.txt': '1', 'b.md': '1' }], 'hit'),
  copied('the name of what a wildcard matches', ['COPY ?.txt /x/'], [{ 'a.txt': '1' }, { 'b.txt': '1' }], 'miss'),
  copied(
    'a .dockerignore that hides a copied file',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/b': '1', '.dockerignore': '' },
      { 'd/a': '1', 'd/b': '1', '.dockerignore': 'd/b\n' },
    ],
    'miss',
  ),
  copied(
    'a .dockerignore that hides no file any more',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/b': '1', '.dockerignore': 'd/b\n' },
      { 'd/a': '1', 'd/b': '1' },
    ],
    'miss',
  ),
  copied(
    'a .dockerignore that hides other files',
    ['COPY d /x'],
    [
      { 'd/a': '1', b: '1', '.dockerignore': '' },
      { 'd/a': '1', b: '1', '.dockerignore': '# more\nb\n**/*.log\n' },
    ],
    'hit',
  ),
  copied(
    'a hidden file',
    ['COPY d /x'],
    [
      { 'd/a': '1', 'd/b': '1', '.dockerignore': 'd/b' },
      { 'd/a': '1', 'd/b': '2', '.dockerignore': 'd/b' },
    ],
    'hit',
  ),
  copied(
    'an --exclude’d file',
    ['COPY --exclude=*.log d /x'],
    [
      { 'd/a': '1', 'd/b.log': '1' },
      { 'd/a': '1', 'd/b.log': '2' },
    ],
    'hit',
  ),
  copied('the place of a file that --parents keeps', ['COPY --parents d/*/a /x/'], [{ 'd/1/a': '1' }, { 'd/2/a': '1' }], 'miss'),
  copied('a file beside one that --parents keeps', ['COPY --parents d/*/a /x/'], [{ 'd/1/a': '1' }, { 'd/1/a': '1', 'd/1/b': '1' }], 'hit'),
  copied(
    'a file of two COPYs',
    ['COPY a /x', 'COPY b /y', 'COPY a /z'],
    [
      { a: '1', b: '1' },
      { a: '1', b: '2' },
    ],
    'hit miss miss',
  ),
  copied(
    'a folder that WORKDIR would have made',
    ['COPY d /', 'WORKDIR /w'],
    [{ 'd/a': '1' }, { 'd/a': '1', 'd/w': { folder: 0o700 } }],
    'miss miss',
  ),
  copied('the content of a local archive', ['ADD a.tar /x/'], [{ 'a.tar': { tar: { f: '1' } } }, { 'a.tar': { tar: { f: '2' } } }], 'miss'),
  copied('the names in a local archive', ['ADD a.tar /x/'], [{ 'a.tar': { tar: { f: '1' } } }, { 'a.tar': { tar: { g: '1' } } }], 'miss'),
  copied('an archive instead of a file of its name', ['ADD a.tar /x/'], [{ 'a.tar': '1' }, { 'a.tar': { tar: { g: '1' } } }], 'miss'),
  copied('the content of a file that ADD takes', ['ADD a /x'], [{ a: '1' }, { a: '2' }], 'miss'),
];

/** COPY whose text changes while the files do not. */
function rewritten(
  change: string,
  dockerfile: string,
  [first, second]: readonly [string, string],
  expected: string,
  reason?: string,
): CachePair {
  const pair = either(on(dockerfile), first, second);
  const files = { 'd/a': '1', 'd/b.log': '1', 'e/a': '1', 'e/b.log': '1', f: '1', 'a.tar': { tar: { g: '1' } } };
  const about = { change, ...pair, first: { ...pair.first, files }, expected };
  return reason === undefined ? about : { ...about, reason };
}

const COPIES: readonly CachePair[] = [
  rewritten('the owner that COPY gives', 'COPY --chown={} d /x', ['1:1', '1:2'], 'miss'),
  rewritten('the owner that COPY gives, by name', 'COPY --chown={} d /x', ['app', 'www-data'], 'miss'),
  rewritten('the mode that COPY gives', 'COPY --chmod={} d /x', ['644', '600'], 'miss'),
  rewritten('the mode that COPY gives, by letters', 'COPY --chmod={} d /x', ['u+x', 'g+x'], 'miss'),
  rewritten('the destination', 'COPY f {}', ['/x', '/y'], 'miss'),
  rewritten('a slash at the end of the destination of a file', 'COPY f {}', ['/x', '/x/'], 'miss'),
  rewritten('a slash at the end of the destination of a folder', 'COPY d {}', ['/x', '/x/'], 'any', 'the layer is the same'),
  rewritten('the destination, by WORKDIR', 'WORKDIR /{}\nCOPY f x', ['a', 'b'], 'miss miss'),
  rewritten('the source', 'COPY {} /x/', ['f', 'd/a'], 'miss'),
  rewritten('the source, to a folder that has the same files', 'COPY {} /x/', ['d', 'e'], 'any', 'the layer is the same'),
  rewritten(
    'a wildcard instead of the name of a file',
    'COPY {} /x',
    ['f', '[f]'],
    'any',
    'the layer is the same unless the destination has to be a folder',
  ),
  rewritten('where a path that --parents keeps begins', 'COPY --parents {} /x/', ['d/a', 'd/./a'], 'miss'),
  rewritten('the order of sources', 'COPY {} /x/', ['d/a f', 'f d/a'], 'any', 'the layer is the same unless names meet'),
  rewritten('a pattern of --exclude that leaves out more', 'COPY --exclude={} d /x', ['*.md', '*.log'], 'miss'),
  rewritten('a pattern of --exclude that leaves out the same', 'COPY --exclude={} d /x', ['*.log', 'b.*'], 'any', 'the layer is the same'),
  rewritten('--parents', 'COPY {} d/a /x/', ['', '--parents'], 'miss'),
  rewritten('COPY instead of ADD, of an archive', '{} a.tar /x/', ['ADD', 'COPY'], 'miss'),
  rewritten('COPY instead of ADD, of a file', '{} f /x', ['ADD', 'COPY'], 'any', 'the layer is the same'),
  rewritten('--link', 'RUN mkdir /t && ln -s t /l\nCOPY {} f /l/x', ['', '--link'], 'hit miss'),
  rewritten('the body of a heredoc that COPY writes', 'COPY <<EOF /x\n{}\nEOF', ['1', '2'], 'miss'),
  rewritten('the name of a heredoc that COPY writes', 'COPY <<{} /x/\n1\n{}', ['ONE', 'TWO'], 'miss'),
  rewritten('an ARG in a heredoc that COPY writes', 'ARG V={}\nCOPY <<EOF /x\n$V\nEOF', ['1', '2'], 'miss'),
  rewritten('an ARG that a heredoc in quotes does not expand', 'ARG V={}\nCOPY <<"EOF" /x\n$V\nEOF', ['1', '2'], 'hit'),
  rewritten('two COPYs swapped', '{}', ['COPY f /x\nCOPY d /y', 'COPY d /y\nCOPY f /x'], 'miss miss'),
  rewritten('what lies at the destination', 'RUN {}\nCOPY f /x', ['mkdir /x', 'ln -s /tmp /x'], 'miss miss'),
  rewritten('what lies below a COPY --link', 'RUN {}\nCOPY --link f /x/y', ['true', 'mkdir /z'], 'miss hit'),
];

const DOWNLOADS: readonly CachePair[] = [
  {
    change: 'nothing at the URL of ADD',
    first: { dockerfile: on('ADD @http/f /x', 'RUN cat /x >/y'), http: { f: '1' } },
    second: {},
    expected: 'hit hit',
  },
  {
    change: 'the content at the URL of ADD',
    first: { dockerfile: on('ADD @http/f /x', 'RUN cat /x >/y'), http: { f: '1' } },
    second: { http: { f: '2' } },
    expected: 'miss miss',
  },
  {
    change: 'the content that ADD --checksum demands',
    first: {
      dockerfile: on('ADD --checksum=sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b @http/f /x'),
      http: { f: '1' },
    },
    second: {
      dockerfile: on('ADD --checksum=sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35 @http/f /x'),
      http: { f: '2' },
    },
    expected: 'miss',
  },
  {
    change: 'nothing of what ADD --checksum demands',
    first: {
      dockerfile: on('ADD --checksum=sha256:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b @http/f /x'),
      http: { f: '1' },
    },
    second: {},
    expected: 'hit',
  },
  {
    change: 'the name at the end of the URL, for a folder',
    first: { dockerfile: on('ADD @http/f /x/'), http: { f: '1', g: '1' } },
    second: { dockerfile: on('ADD @http/g /x/') },
    expected: 'miss',
  },
  {
    change: 'the mode that ADD gives to a download',
    first: { dockerfile: on('ADD @http/f /x/'), http: { f: '1' } },
    second: { dockerfile: on('ADD --chmod=755 @http/f /x/') },
    expected: 'miss',
  },
];

const NAMED_BY_STEPS = 'the files of a stage are named by its steps, so that all keys are known before any of them runs';
const copyOf = (stage: readonly string[]): string => text('FROM @base AS made', ...stage, 'FROM @base', 'COPY --from=made /o /x', MORE);

const STAGES: readonly CachePair[] = [
  {
    change: 'the files that come from another stage',
    ...either(copyOf(['RUN mkdir /o && echo {} >/o/f']), '1', '2'),
    expected: 'miss miss miss',
  },
  {
    change: 'other files of a stage',
    ...either(copyOf(['RUN mkdir /o && echo 1 >/o/f && echo {} >/other']), '1', '2'),
    expected: 'miss any any',
    reason: NAMED_BY_STEPS,
  },
  {
    change: 'the mode of a file that comes from another stage',
    ...either(copyOf(['RUN mkdir /o && echo 1 >/o/f && chmod {} /o/f']), '644', '600'),
    expected: 'miss miss miss',
  },
  {
    change: 'the owner of a file that comes from another stage',
    ...either(copyOf(['RUN mkdir /o && echo 1 >/o/f && chown {} /o/f']), '1:1', '1:2'),
    expected: 'miss miss miss',
  },
  {
    change: 'a file of the context that a stage copies, and that no other takes',
    first: { dockerfile: copyOf(['COPY a /o/a', 'COPY b /b']), files: { a: '1', b: '1' } },
    second: { files: { a: '1', b: '2' } },
    expected: 'hit miss any any',
    reason: NAMED_BY_STEPS,
  },
  {
    change: 'which stage a file comes from',
    ...either(
      text(
        'FROM @base AS a',
        'RUN echo 1 >/o',
        'FROM @base AS b',
        'RUN echo 2 >/o',
        'FROM @base',
        'COPY --from=a /o /a',
        'COPY --from=b /o /b',
        'COPY --from={} /o /x',
      ),
      'a',
      'b',
    ),
    expected: 'hit hit hit hit miss',
  },
  {
    change: 'the name of a stage',
    ...either(text('FROM @base AS {}', 'RUN echo 1 >/o', 'FROM @base', 'COPY --from={} /o /x'), 'a', 'b'),
    expected: 'hit hit',
  },
  {
    change: 'the steps of the stage that FROM names',
    ...either(text('FROM @base AS a', 'RUN echo {} >/o', 'FROM a', MORE), '1', '2'),
    expected: 'miss miss',
  },
  {
    change: 'the image that COPY --from names, in the file',
    first: { dockerfile: on('COPY --from=@other /base-file /x'), bases: { other: { text: '1' } } },
    second: { bases: { other: { text: '2' } } },
    expected: 'miss',
  },
  {
    change: 'the image that COPY --from names, elsewhere',
    first: { dockerfile: on('COPY --from=@other /etc/passwd /x'), bases: { other: { text: '1' } } },
    second: { bases: { other: { text: '2' } } },
    expected: 'any',
    reason: 'an image is named by its layers, so that none of them has to be read',
  },
  {
    change: 'a file of --build-context',
    first: { dockerfile: on('COPY --from=lib d /x'), beside: { 'd/a': '1' }, flags: ['--build-context', 'lib=@folder'] },
    second: { beside: { 'd/a': '2' } },
    expected: 'miss',
  },
  {
    change: 'another file of --build-context',
    first: { dockerfile: on('COPY --from=lib d /x'), beside: { 'd/a': '1', b: '1' }, flags: ['--build-context', 'lib=@folder'] },
    second: { beside: { 'd/a': '1', b: '2' } },
    expected: 'hit',
  },
];

const BASES: readonly CachePair[] = [
  {
    change: 'the kind of manifest that the base has',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' } },
    second: { bases: { base: { manifest: 'docker' } } },
    expected: 'any any',
    reason: 'layers are called by other types in it, but hold the same',
  },
  {
    change: 'the files of the base',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' } },
    second: { bases: { base: { text: 'moved' } } },
    expected: 'miss miss',
  },
  {
    change: 'the environment of the base',
    first: { dockerfile: on('COPY a /x', SHOW_ENV), files: { a: '1' } },
    second: { bases: { base: { config: { Env: ['PATH=/bin'] } } } },
    expected: 'hit miss',
  },
  {
    change: 'the labels of the base',
    first: { dockerfile: on('COPY a /x', SHOW_ENV), files: { a: '1' } },
    second: { bases: { base: { config: { Labels: { a: '1' } } } } },
    expected: 'hit hit',
  },
  {
    change: 'the user of the base',
    first: { dockerfile: on('RUN id >/tmp/id') },
    second: { bases: { base: { config: { User: 'app' } } } },
    expected: 'miss',
  },
  {
    change: 'the working folder of the base',
    first: { dockerfile: on('COPY a x', 'RUN pwd >/pwd'), files: { a: '1' } },
    second: { bases: { base: { config: { WorkingDir: '/tmp' } } } },
    expected: 'miss miss',
  },
  {
    change: 'the name of the base',
    first: { dockerfile: on(MORE), bases: { other: {} } },
    second: { dockerfile: text('FROM @other', MORE) },
    expected: 'hit',
  },
  {
    change: 'what ONBUILD of the base does',
    first: { dockerfile: on(MORE), bases: { base: { config: { OnBuild: ['RUN echo 1 >/onbuild'] } } } },
    second: { bases: { base: { config: { OnBuild: ['RUN echo 2 >/onbuild'] } } } },
    expected: 'miss miss',
  },
  {
    change: 'nothing of what ONBUILD of the base does',
    first: {
      dockerfile: on(MORE),
      files: { a: '1' },
      bases: { base: { config: { OnBuild: ['COPY a /onbuild', 'RUN cat /onbuild >/x'] } } },
    },
    second: {},
    expected: 'hit hit hit',
  },
  {
    change: 'the platform',
    first: { dockerfile: on('COPY a /x', 'WORKDIR /w'), files: { a: 'a' }, bases: { base: { architectures: ['amd64', 'arm64'] } } },
    second: { flags: ['--platform', process.arch === 'arm64' ? 'linux/amd64' : 'linux/arm64'] },
    expected: 'any any',
    reason: 'what COPY makes of the same files on the same layers is the same',
  },
  // Only there can two platforms run without emulation on every machine.
  ...(process.arch === 'x64'
    ? [
        {
          change: 'the platform of a RUN',
          first: { dockerfile: on('RUN uname -m >/m'), flags: ['--platform', 'linux/amd64'] },
          second: { flags: ['--platform', 'linux/amd64/v2'] },
          expected: 'miss',
        },
      ]
    : []),
  {
    change: 'the platform of this machine, written out',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: 'a' } },
    second: { flags: ['--platform', process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64'] },
    expected: 'hit hit',
  },
  {
    change: 'TARGETARCH, which a RUN has by an ARG',
    first: {
      dockerfile: text('FROM --platform=$BUILDPLATFORM @base AS b', 'ARG TARGETARCH', 'RUN echo $TARGETARCH >/m', MORE),
      bases: { base: { architectures: ['amd64', 'arm64'] } },
      flags: ['--platform', 'linux/amd64'],
    },
    second: { flags: ['--platform', 'linux/arm64'] },
    expected: 'miss miss',
  },
];

const mounted = (mount: string, command: string): string => on(`RUN --mount=${mount} ${command}`);
const secretFlag = ['--secret', 'id=one,src=@folder/one', '--secret', 'id=two,src=@folder/two'];

const MOUNTS: readonly CachePair[] = [
  {
    change: 'the value of a mounted secret',
    first: {
      dockerfile: mounted('type=secret,id=one', 'test -s /run/secrets/one && echo 1 >/x'),
      beside: { one: 'a-mounted-wabe-1', two: '2' },
      flags: secretFlag,
    },
    second: { beside: { one: 'a-mounted-wabe-2', two: '2' } },
    expected: 'hit',
    secret: 'a-mounted-wabe',
  },
  {
    change: 'the id of a mounted secret',
    first: {
      dockerfile: mounted('type=secret,id=one,target=/s', 'test -s /s && echo 1 >/x'),
      beside: { one: '1', two: '2' },
      flags: secretFlag,
    },
    second: { dockerfile: mounted('type=secret,id=two,target=/s', 'test -s /s && echo 1 >/x') },
    expected: 'miss',
  },
  {
    change: 'the place of a mounted secret',
    first: { dockerfile: mounted('type=secret,id=one,target=/s', 'ls / >/x'), beside: { one: '1', two: '2' }, flags: secretFlag },
    second: { dockerfile: mounted('type=secret,id=one,target=/t', 'ls / >/x') },
    expected: 'miss',
  },
  {
    change: 'the id of a cache mount',
    ...either(mounted('type=cache,id=lab-{},target=/c', 'ls /c >/x; touch /c/f'), 'one', 'two'),
    expected: 'miss',
  },
  {
    change: 'the place of a cache mount',
    ...either(mounted('type=cache,id=lab-three,target=/{}', 'echo >/x'), 'c', 'd'),
    expected: 'miss',
  },
  {
    change: 'what lies in a cache mount',
    first: { dockerfile: mounted('type=cache,id=lab-four,target=/c', 'touch /c/f; echo >/x') },
    second: {},
    expected: 'hit',
  },
  { change: 'the size of a tmpfs', ...either(mounted('type=tmpfs,target=/t,size={}', 'echo >/x'), '1m', '2m'), expected: 'miss' },
  { change: 'a mount more', ...either(on('RUN {} echo >/x'), '', '--mount=type=tmpfs,target=/t'), expected: 'miss' },
  {
    change: 'a file of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'cat /c/a >/x'), files: { 'd/a': '1' } },
    second: { files: { 'd/a': '2' } },
    expected: 'miss',
  },
  {
    change: 'the mode of a file of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'stat -c %a /c/a >/x'), files: { 'd/a': '1' } },
    second: { files: { 'd/a': { text: '1', mode: 0o700 } } },
    expected: 'miss',
  },
  {
    change: 'nothing of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'cat /c/a >/x'), files: { 'd/a': '1' } },
    second: {},
    expected: 'hit',
  },
  {
    change: 'a file outside of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'cat /c/a >/x'), files: { 'd/a': '1', b: '1' } },
    second: { files: { 'd/a': '1', b: '2' } },
    expected: 'hit',
  },
  {
    change: 'only the time of a file of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'cat /c/a >/x'), files: { 'd/a': { text: '1', mtime: 1_600_000_000 } } },
    second: { files: { 'd/a': { text: '1', mtime: 1_700_000_000 } } },
    expected: 'hit',
  },
  {
    change: 'a file of the whole context as a bind mount',
    first: { dockerfile: mounted('type=bind,target=/c', 'ls /c >/x'), files: { a: '1' } },
    second: { files: { a: '1', b: '1' } },
    expected: 'miss',
  },
  {
    change: 'the source of a bind mount',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'cat /c/a >/x'), files: { 'd/a': '1', 'e/a': '2' } },
    second: { dockerfile: mounted('type=bind,source=e,target=/c', 'cat /c/a >/x') },
    expected: 'miss',
  },
  {
    change: 'a bind mount that can be written',
    first: { dockerfile: mounted('type=bind,source=d,target=/c', 'touch /c/a || true; echo >/x'), files: { 'd/a': '1' } },
    second: { dockerfile: mounted('type=bind,source=d,target=/c,rw', 'touch /c/a || true; echo >/x') },
    expected: 'miss',
  },
  {
    change: 'a mounted file of another stage',
    ...either(
      text('FROM @base AS made', 'RUN mkdir /o && echo {} >/o/f', 'FROM @base', 'RUN --mount=from=made,source=/o,target=/c cat /c/f >/x'),
      '1',
      '2',
    ),
    expected: 'miss miss',
  },
  {
    change: 'another file of a stage that is mounted',
    ...either(
      text(
        'FROM @base AS made',
        'RUN mkdir /o && echo 1 >/o/f && echo {} >/f',
        'FROM @base',
        'RUN --mount=from=made,source=/o,target=/c cat /c/f >/x',
      ),
      '1',
      '2',
    ),
    expected: 'miss any',
    reason: NAMED_BY_STEPS,
  },
];

const FLAGS: readonly CachePair[] = [
  {
    change: '--reproducible',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' } },
    second: { flags: ['--reproducible'] },
    expected: 'any any',
    reason: 'layers may be dated when they are made or when they are used; the images are compared, times included',
  },
  {
    change: 'nothing, of a --reproducible build',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' }, flags: ['--reproducible'] },
    second: {},
    expected: 'hit hit',
  },
  {
    change: 'SOURCE_DATE_EPOCH',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' }, flags: ['--reproducible'], env: { SOURCE_DATE_EPOCH: '1000000000' } },
    second: { env: { SOURCE_DATE_EPOCH: '1100000000' } },
    expected: 'any any',
    reason: 'as for --reproducible',
  },
  {
    change: 'no --reproducible any more',
    first: { dockerfile: on('COPY a /x', MORE), files: { a: '1' }, flags: ['--reproducible'] },
    second: { flags: [] },
    expected: 'any any',
    reason: 'as for --reproducible',
  },
  {
    change: '--ignore-path',
    first: { dockerfile: on('COPY a /x', 'RUN mkdir /i && touch /i/f /j'), files: { a: '1' } },
    second: { flags: ['--ignore-path', '/i'] },
    expected: 'any miss',
    reason: 'only the changes of RUN are left out',
  },
  {
    change: '--ignore-path, to another path',
    first: { dockerfile: on('RUN mkdir /i && touch /i/f /j'), flags: ['--ignore-path', '/i'] },
    second: { flags: ['--ignore-path', '/j'] },
    expected: 'miss',
  },
];

export const CACHE_PAIRS: Readonly<Record<string, readonly CachePair[]>> = {
  'a Dockerfile': NOTHING,
  commands: COMMANDS,
  'the config': CONFIG,
  arguments: ARGUMENTS,
  'copied files': FILES,
  'COPY and ADD': COPIES,
  downloads: DOWNLOADS,
  stages: STAGES,
  bases: BASES,
  mounts: MOUNTS,
  flags: FLAGS,
};
