/**
 * Whatever the bytes are: the parser and the expansion end, throw nothing but TsbuildErrors with places inside the file,
 * and agree with themselves. The seeds are fixed; a failure names its own.
 */
import { describe, expect, test } from 'vitest';
import { excerpt } from '../../../src/dockerfile/excerpt.ts';
import { expandHeredoc, expandWord, expandWords } from '../../../src/dockerfile/expand.ts';
import { copyWords, triggerText } from '../../../src/dockerfile/heredoc.ts';
import type { Instruction, ParsedDockerfile } from '../../../src/dockerfile/instruction.ts';
import { readSource } from '../../../src/dockerfile/lines.ts';
import { splitPairs } from '../../../src/dockerfile/pairs.ts';
import { parseDockerfile, parseTrigger } from '../../../src/dockerfile/parse.ts';
import { TsbuildError, TsbuildErrors } from '../../../src/errors.ts';
import { cpuStopwatch } from '../../helpers/cpu-time.ts';
import { mutated, ordinaryDockerfile, randomFrom, wildDockerfile } from './random-dockerfile.ts';

const ROUNDS = 2000;

/** The parsed file, or its errors, all checked. */
function parseChecked(bytes: Uint8Array): ParsedDockerfile | readonly TsbuildError[] {
  const source = readSource(bytes, 'Dockerfile');
  try {
    const parsed = parseDockerfile(bytes, 'Dockerfile');
    expectPlaces(parsed.warnings, source.lines);
    expect(parsed.source).toEqual(source);
    return parsed;
  } catch (error) {
    if (!(error instanceof TsbuildErrors)) throw error;
    expectPlaces(error.errors, source.lines);
    for (const one of error.errors) if (one.at !== undefined && source.lines.length > 0) expect(excerpt(source, one.at)).not.toBe('');
    return error.errors;
  }
}

function expectPlaces(errors: readonly TsbuildError[], lines: readonly string[]): void {
  let previous = 0;
  for (const { code, message, at } of errors) {
    expect(code).toBe('DOCKERFILE_SYNTAX');
    expect(message).not.toMatch(/[\x00-\x1f\x7f]/);
    expect(message.length).toBeLessThan(300);
    if (at === undefined) throw new Error(`no place: ${message}`);
    expect(at.startLine).toBeGreaterThanOrEqual(Math.max(1, previous));
    expect(at.endLine).toBeGreaterThanOrEqual(at.startLine);
    expect(at.endLine).toBeLessThanOrEqual(Math.max(1, lines.length));
    if (at.column !== undefined) {
      const { length } = lines[at.startLine - 1] ?? '';
      expect(at.column + (at.width ?? 1)).toBeLessThanOrEqual(Math.max(1, length));
    }
    previous = at.startLine;
  }
}

/** Runs everything a planner would call on an instruction; only TsbuildErrors may come out. */
function exercise(instruction: Instruction, escapeChar: '\\' | '`'): void {
  const scope = { escape: escapeChar, lookup: (name: string) => (name === 'A' ? 'va*l"\\' : undefined) };
  const attempts = [
    () => expandWord(instruction.args, scope),
    () => expandWords(instruction.args, scope),
    () => instruction.heredocs.map(({ body }) => expandHeredoc(body, scope)),
    () => copyWords(instruction),
    () => splitPairs('ENV', instruction.args, escapeChar),
    () => parseTrigger(triggerText(instruction), 'trigger', escapeChar),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
    }
  }
}

describe('random Dockerfiles', () => {
  test.each([
    ['wild', wildDockerfile],
    ['ordinary, with bytes changed', ordinaryDockerfile],
  ])('%s: nothing but TsbuildErrors is thrown', (_, generate) => {
    let accepted = 0;
    let refused = 0;
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = randomFrom(seed);
      const text = Buffer.from(generate(random));
      const bytes = seed % 4 === 0 ? text : mutated(text, random);
      try {
        const result = parseChecked(bytes);
        if ('instructions' in result) {
          accepted++;
          for (const one of result.instructions) exercise(one, result.directives.escape);
        } else refused++;
      } catch (error) {
        throw new Error(`seed ${seed}: ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`, { cause: error });
      }
    }
    // Neither half is a test if it never happens.
    expect(accepted).toBeGreaterThan(ROUNDS / 50);
    expect(refused).toBeGreaterThan(ROUNDS / 50);
  });

  test('ordinary ones are all accepted, and CR LF changes nothing but heredoc bodies', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const text = ordinaryDockerfile(randomFrom(seed)).replaceAll('\r\n', '\n');
      const unix = parseChecked(Buffer.from(text));
      const windows = parseChecked(Buffer.from(text.replaceAll('\n', '\r\n')));
      if (!('instructions' in unix) || !('instructions' in windows)) throw new Error(`seed ${seed} is refused`);
      const withoutBodies = (parsed: ParsedDockerfile): unknown =>
        parsed.instructions.map((one) => ({ ...one, heredocs: one.heredocs.map(({ name }) => name), trigger: one.trigger?.text }));
      expect(withoutBodies(windows)).toEqual(withoutBodies(unix));
    }
  });

  test.each([
    ['one line of words', `FROM x\nRUN ${'word '.repeat(13_200)}`],
    ['one line of blanks', `FROM x\nRUN a${' '.repeat(66_000)}b`],
    ['one line of quotes', `FROM x\nRUN ${'"'.repeat(65_999)} <<EOF`],
    ['one line of backslashes', `FROM x\nRUN ${'\\'.repeat(66_000)}`],
    ['one line of brackets', `FROM x\nRUN ${'['.repeat(66_000)}`],
    ['one comment', `#${' '.repeat(66_000)}x\nFROM x`],
    ['a directive with a long value', `# syntax=${'a '.repeat(33_000)}\nFROM x`],
    ['a directive with many blanks', `# syntax=x${' '.repeat(66_000)}y\nFROM x`],
    ['a long keyword', `FROM x\n${'A'.repeat(66_000)} b`],
    ['many heredoc words', `FROM x\nRUN ${'<< '.repeat(22_000)}`],
    ['many shifts', `FROM x\n${'RUN echo $((1 << 3))\n'.repeat(3000)}`],
    ['many continuations', `FROM x\nRUN ${'a \\\n'.repeat(66_000)}b`],
    ['many flags', `FROM x\nCOPY ${'--exclude=a '.repeat(6000)} a /b`],
    ['many faults', `FROM x\n${'FOO bar\n'.repeat(8000)}`],
    ['many pairs', `FROM x\nENV ${'A=b '.repeat(16_500)}`],
  ])('%s of 64 KiB and more takes no time to speak of', (_, text) => {
    const cpuMs = cpuStopwatch();
    parseChecked(Buffer.from(text));
    // Far above what a busy machine needs, far below what a cost that grows with the square would take.
    expect(cpuMs()).toBeLessThan(15_000);
  });
});
