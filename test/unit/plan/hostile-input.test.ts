/**
 * Whatever a Dockerfile, a build argument or an ignore file holds: planning ends soon, with a plan or with TsbuildErrors whose
 * messages are short lines that no terminal obeys. `limit` is far above what a busy machine needs for work that grows with
 * the input, and far below what a cost that grows with its square takes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSource } from '../../../src/dockerfile/lines.ts';
import { TsbuildError, TsbuildErrors } from '../../../src/errors.ts';
import { printPlan } from '../../../src/plan/print-plan.ts';
import { formatError } from '../../../src/report/error-text.ts';
import { cpuStopwatch } from '../../helpers/cpu-time.ts';
import { dockerfiles } from '../../helpers/dockerfile-grammar.ts';
import { PLAIN_INPUTS, planBytes } from '../../helpers/plan-text.ts';
import { casesOf } from './cases.ts';

const SEED = Number(process.env['TSBUILD_SEED'] ?? '20261124');
const KIB = 1024;

function limit(bytes: number): number {
  return 4000 + bytes * 0.03;
}

function expectPrintable(text: string): void {
  expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
}

function expectPresentable(error: TsbuildErrors, bytes: Uint8Array): void {
  const texts = error.errors.flatMap(({ message, hint = '' }) => [message, hint]);
  expectPrintable(texts.join(''));
  expect(Math.max(...texts.map((text) => text.length))).toBeLessThan(600);
  const shown = formatError(error, { color: 'no-color', verbosity: 'info', readSource: (file) => readSource(bytes, file) });
  expectPrintable(shown);
  expect(shown.length).toBeLessThan(100_000);
}

/** Plans; returns the outcome in a word. */
function plan(input: Uint8Array | string, inputs = PLAIN_INPUTS): 'planned' | 'refused' {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input;
  const cpuMs = cpuStopwatch();
  try {
    const plan = planBytes(bytes, inputs);
    expect(cpuMs()).toBeLessThan(limit(bytes.length));
    const warnings = plan.warnings.flatMap(({ message, hint = '' }) => [message, hint]);
    expectPrintable(warnings.join(''));
    expect(Math.max(0, ...warnings.map((text) => text.length))).toBeLessThan(600);
    if (bytes.length < 10_000) expectPrintable(printPlan(plan).replaceAll('\n', ''));
    return 'planned';
  } catch (error) {
    expect(cpuMs()).toBeLessThan(limit(bytes.length));
    if (!(error instanceof TsbuildErrors)) throw error;
    expectPresentable(error, bytes);
    return 'refused';
  }
}

const changes = fc.array(
  fc.record({
    kind: fc.constantFrom('cut', 'put', 'repeat', 'flip', 'end'),
    at: fc.nat(),
    with: fc.constantFrom(0, 9, 10, 11, 12, 13, 32, 34, 36, 39, 60, 92, 96, 123, 128, 0xc3, 0xed, 0xff),
    many: fc.nat(9),
  }),
  { minLength: 1, maxLength: 6 },
);

function changed(
  bytes: Uint8Array,
  list: readonly { readonly kind: string; readonly at: number; readonly with: number; readonly many: number }[],
): Uint8Array {
  const result = [...bytes];
  for (const { kind, at, with: byte, many } of list) {
    const place = at % (result.length + 1);
    if (kind === 'cut') result.splice(place, many);
    else if (kind === 'put') result.splice(place, 0, ...Array.from({ length: many }, () => byte));
    else if (kind === 'repeat') result.splice(place, 0, ...result.slice(Math.max(0, place - many * 7), place));
    else if (kind === 'end') result.length = Math.max(place, result.length - many);
    else if (place < result.length) result[place] = byte;
  }
  return Uint8Array.from(result);
}

describe('nothing but a plan or errors in words comes of', () => {
  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void plan(bytes)),
      { seed: SEED, numRuns: 500 },
    );
  });

  test('ordinary files, changed', () => {
    const count = { planned: 0, refused: 0 };
    fc.assert(
      fc.property(dockerfiles(), changes, (text, list) => {
        count[plan(changed(Buffer.from(text), list))]++;
      }),
      { seed: SEED, numRuns: 400 },
    );
    expect(count.planned).toBeGreaterThan(20);
    expect(count.refused).toBeGreaterThan(20);
  });

  test('the Dockerfiles of the fixtures, changed and cut off', () => {
    const files = (['plans', 'plan-errors'] as const).flatMap(casesOf).map(({ folder }) => readFileSync(join(folder, 'Dockerfile')));
    expect(files.length).toBeGreaterThan(80);
    fc.assert(
      fc.property(fc.constantFrom(...files), changes, (bytes, list) => void plan(changed(bytes, list))),
      { seed: SEED, numRuns: 500 },
    );
    for (const bytes of files) plan(bytes.subarray(0, bytes.length - 2));
  });

  test('build arguments and labels of any text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('\ud800', '\0', '\x1b[2J', '__proto__', '', 'a'.repeat(70_000)),
    );
    const file =
      'ARG A\nARG B\nFROM ${A:-scratch}\nARG A\nARG B\nENV X=$A Y=${B#*a} Z=${A//b/$B}\nLABEL l=$A\nEXPOSE $B\nCOPY $A $B /d/\nUSER $B\nWORKDIR $A\n';
    fc.assert(
      fc.property(text, text, text, (a, b, name) => {
        plan(file, {
          ...PLAIN_INPUTS,
          buildArgs: new Map([
            ['A', a],
            ['B', b],
            [name, a],
          ]),
          labels: new Map([[name, a]]),
          target: a === '' ? b : null,
        }); // prettier-ignore
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});

const nested = (depth: number): string => ['${a:-'.repeat(depth), 'x', '}'.repeat(depth)].join('');
const long = (text: string, bytes = 256 * KIB): string => text.repeat(Math.ceil(bytes / text.length));
const times = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

describe('it takes no time to speak of to plan', () => {
  test.each<[what: string, expected: 'planned' | 'refused', text: string]>([
    ['nested defaults', 'planned', `FROM x\nENV A=${nested(100)}`],
    ['defaults nested too deeply', 'refused', `FROM x\nENV A=${nested(50_000)}`],
    ['one long word', 'planned', `FROM x\nRUN ${long('a')}`],
    ['one line of 4 MiB', 'planned', `FROM x\nRUN ${long('word "x" $A ', 4096 * KIB)}`],
    ['one ENV of many pairs', 'planned', `FROM x\nENV ${times(20_000, (index) => `A${index}=b`).replaceAll('\n', ' ')}`],
    ['one LABEL of many pairs', 'planned', `FROM x\nLABEL ${times(20_000, (index) => `A${index}=b`).replaceAll('\n', ' ')}`],
    ['10,000 ENV', 'planned', `FROM x\n${times(10_000, (index) => `ENV A${index}=$A${index - 1}b`)}`],
    ['10,000 LABEL', 'planned', `FROM x\n${times(10_000, (index) => `LABEL a${index}=b`)}`],
    ['10,000 ARG', 'planned', `FROM x\n${times(10_000, (index) => `ARG a${index}=b`)}`],
    ['10,000 RUN', 'planned', `FROM x\n${times(10_000, (index) => `RUN echo ${index}`)}`],
    ['10,000 EXPOSE', 'planned', `FROM x\n${times(10_000, (index) => `EXPOSE ${index}`)}`],
    ['10,000 VOLUME', 'planned', `FROM x\n${times(10_000, (index) => `VOLUME /v${index}`)}`],
    ['10,000 ONBUILD', 'planned', `FROM x\n${times(10_000, (index) => `ONBUILD RUN echo ${index}`)}`],
    ['10,000 COPY', 'planned', `FROM x\n${times(10_000, (index) => `COPY a${index} /b/`)}`],
    ['4,000 WORKDIR', 'refused', `FROM x\n${times(4000, () => 'WORKDIR a')}`],
    ['3,000 stages in a chain', 'planned', `FROM x AS s0\n${times(3000, (index) => `FROM s${index} AS s${index + 1}\nRUN true`)}`],
    [
      '3,000 stages that copy from each other',
      'planned',
      `FROM x AS s0\n${times(3000, (index) => `FROM x AS s${index + 1}\nCOPY --from=s${index} a /b`)}`,
    ],
    [
      '3,000 stages that name each other nearly',
      'planned',
      `${times(3000, (index) => `FROM x AS stage${index}`)}\n${times(1000, (index) => `COPY --from=stage-${index} a /b`)}`,
    ],
    [
      '3,000 bases',
      'planned',
      `${times(3000, (index) => `FROM x${index} AS y${index}`)}\nFROM x\n${times(3000, (index) => `COPY --from=y${index} a /b`)}`,
    ],
    ['values that double in each line', 'refused', `FROM x\nENV A=aaaaaaaa\n${times(60, () => 'ENV A=$A$A')}`],
    ['replacements that multiply', 'refused', `FROM x\nENV A=${long('a', 64 * KIB)}\nENV B=\${A//a/${long('b', 64 * KIB)}}`],
    [
      'patterns of many stars',
      'planned',
      `FROM x\nENV A=${long('a', 8 * KIB)}\nENV B=\${A//${'*a'.repeat(1000)}b/c} C=\${A##${'*?'.repeat(1000)}b} D=\${A%${'a*'.repeat(1000)}b}`,
    ],
    ['long patterns on long values', 'refused', `FROM x\nENV A=${long('a')}\nENV B=\${A//${long('a')}b/c}`],
    ['ports of all numbers, again and again', 'refused', `FROM x\nEXPOSE ${long('0-65535 ', 64 * KIB)}`],
    ['heredocs, 10,000 of them', 'planned', `FROM x\n${times(10_000, (index) => `RUN <<E${index}\ntrue\nE${index}`)}`],
    [
      'heredocs of one RUN, 5,000 of them',
      'planned',
      `FROM x\nRUN ${times(5000, (index) => `<<E${index}`).replaceAll('\n', ' ')}\n${times(5000, (index) => `true\nE${index}`)}`,
    ],
    ['shifts, 20,000 of them', 'planned', `FROM x\n${times(20_000, () => 'RUN echo $((1 << 3))')}`],
    ['a heredoc of 4 MiB', 'planned', `FROM x\nCOPY <<EOF /f\n${long('some $A text "q"\n', 4096 * KIB)}EOF`],
    ['a heredoc of RUN in one line', 'planned', `FROM x\nRUN <<EOF\n${long('a#a # & ')}\nEOF`],
    ['a heredoc of RUN that goes on', 'planned', `FROM x\nRUN <<EOF\n${long('a &\n')}b\nEOF`],
    ['a heredoc of RUN with an endless option', 'planned', `FROM x\nRUN <<EOF\nset -${long('e')}-\nEOF`],
    ['a heredoc of RUN with blanks', 'planned', `FROM x\nRUN <<EOF\nset ${long(' ')}&${long(' ')}x\nEOF`],
    ['continuations that warn', 'planned', `FROM x\nCOPY a ${times(20_000, () => '--link \\')}\n /b/`],
    ['mount options', 'refused', `FROM x\nRUN --mount=${long('type=bind,')} x`],
    ['a quoted mount option', 'refused', `FROM x\nRUN --mount='"${long('""', 2048 * KIB)}"' x`],
    ['a secret of slashes', 'planned', `FROM x\nRUN --mount=type=secret,target=${long('/')}a${long('/')} x`],
    ['a base of a long name', 'refused', `FROM ${long('a-', 1024 * KIB)}!`],
    ['a base of many parts', 'refused', `FROM ${long('a/a_')}`],
    ['a platform', 'refused', `FROM --platform=${long('a')} x`],
    ['a duration', 'refused', `FROM x\nHEALTHCHECK --interval=${long('1h')}x CMD true`],
    ['a mode', 'refused', `FROM x\nCOPY --chmod=${long('u+rwx,')} a b`],
    ['a user of colons', 'refused', `FROM x\nUSER ${long(':')}`],
    ['a signal', 'refused', `FROM x\nSTOPSIGNAL ${long('SIG')}`],
    ['JSON of arrays in arrays', 'refused', `FROM x\nRUN ${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['JSON that never ends', 'planned', `FROM x\nRUN ${long('["a", ')}`],
    ['blanks before a comma', 'planned', `FROM x\nRUN ["a"${long(' ')}x`],
    ['many faults', 'refused', `FROM x\n${times(10_000, (index) => `USER a:b:${index}`)}`],
    ['many unknown words', 'refused', `FROM x\n${times(10_000, (index) => `FO${index} x`)}`],
    ['many unused ARGs that are nearly given', 'planned', `FROM x\n${times(5000, (index) => `ARG name${index}`)}`],
    ['a title of blanks', 'planned', `FROM x\nRUN a${long(' ')}b`],
    ['wildcards', 'planned', `FROM x\nCOPY ${long('*?[a]')} /b/`],
    ['a path of many parts', 'refused', `FROM x\nWORKDIR ${long('a/../')}\nCOPY ${long('a/')} ${long('b/')}`],
    ['digits as a stage', 'refused', `FROM x\nCOPY --from=${long('9')} a /b`],
    ['many excludes', 'planned', `FROM x\nCOPY ${long('--exclude=a ')} a /b`],
  ])('%s', (_, expected, text) => {
    const buildArgs = new Map(Array.from({ length: 100 }, (__, index) => [`nam${index}x`, 'v'] as const));
    expect(plan(text, { ...PLAIN_INPUTS, buildArgs })).toBe(expected);
  });

  test('a file that is too large to be a Dockerfile is refused', () => {
    expect(() => planBytes(Buffer.alloc(130 * KIB * KIB, 0x61))).toThrow(TsbuildError);
  });
});
