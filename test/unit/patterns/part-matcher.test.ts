/** Patterns of every shape give what a regular expression gives, and take no time to speak of where that would take ages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../../src/bytes/byte-path.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { goMatcher } from '../../../src/patterns/go-match.ts';
import { ignorePatterns, parseIgnoreFile } from '../../../src/patterns/ignore-patterns.ts';
import { type PatternPart, partMatcher } from '../../../src/patterns/part-matcher.ts';
import { cpuStopwatch } from '../../helpers/cpu-time.ts';

const part: fc.Arbitrary<PatternPart> = fc.oneof(
  fc.constantFrom('a', 'b', '/', '🖖', '\udc80').map((character): PatternPart => ({ kind: 'literal', character })),
  fc.constantFrom('[a-b]', '[^a]', '(?!)').map((source): PatternPart => ({ kind: 'class', source })),
  fc.constantFrom<PatternPart[]>(
    { kind: 'any' },
    { kind: 'star' },
    { kind: 'star' },
    { kind: 'rest' },
    { kind: 'folders' },
    { kind: 'folders' },
  ),
);

function expression(parts: readonly PatternPart[]): RegExp {
  const fixed = { any: '[^/]', star: '[^/]*', rest: '.*', folders: '(?:.*/)?' };
  const source = parts.map((one) => (one.kind === 'literal' ? one.character : one.kind === 'class' ? one.source : fixed[one.kind]));
  return new RegExp(`^${source.join('')}$`, 'su');
}

describe('partMatcher', () => {
  test('agrees with regular expressions', () => {
    const name = fc.array(fc.constantFrom('a', 'b', '/', '🖖', '\udc80', '\n'), { maxLength: 10 }).map((letters) => letters.join(''));
    let matched = 0;
    fc.assert(
      fc.property(fc.array(part, { maxLength: 9 }), name, (parts, text) => {
        const expected = expression(parts).test(text);
        if (expected) matched++;
        expect(partMatcher(parts)(text)).toBe(expected);
      }),
      { seed: 20261124, numRuns: 6000 },
    );
    expect(matched).toBeGreaterThan(200);
  });
});

const NAME = 'a'.repeat(255);
const PATH = bytesOf(Array.from({ length: 100 }, () => 'aaaaaaaaaaaaaaaaaaaa').join('/'));

describe('it takes no time to speak of to match', () => {
  test.each([
    ['many stars', `${'*a'.repeat(60)}b`],
    ['stars only', `${'*'.repeat(10_000)}b`],
    ['classes between stars', `${'*[a-z]'.repeat(40)}b`],
    ['a pattern longer than any path', 'a'.repeat(1_000_000)],
    ['a pattern of many classes', '[a-z]'.repeat(1000)],
    ['a class of many members', `[${'a-z'.repeat(20_000)}]`],
    ['escapes', '\\a'.repeat(4000)],
  ])('%s', (_, pattern) => {
    const cpuMs = cpuStopwatch();
    expect(goMatcher(pattern)?.(NAME)).toBe(false);
    for (const text of [pattern, `**/${pattern}`, `!${pattern}/**`, `**/${pattern.slice(0, 200)}/**/b/**/c`.replaceAll('[]', '')]) {
      let patterns: ReturnType<typeof ignorePatterns>;
      try {
        patterns = ignorePatterns([text], '--exclude');
      } catch (error) {
        // A class that was cut off.
        expect(error).toBeInstanceOf(TsbuildError);
        expect((error as TsbuildError).message.length).toBeLessThan(600);
        continue;
      }
      for (const path of [NAME, PATH]) expect(typeof patterns.judgePath(path).ignored).toBe('boolean');
    }
    expect(cpuMs()).toBeLessThan(5000);
  });

  test.each([
    ['blanks within a line', `a${' '.repeat(300_000)}b`],
    ['blanks that are two bytes long', `a${'\xc2\xa0'.repeat(100_000)}b`],
    ['many lines', 'a/b*\n!c\n'.repeat(20_000)],
    ['dots', '../'.repeat(100_000)],
    ['slashes', '/'.repeat(300_000)],
    ['stars in all of many lines', `${'**/*a*/'.repeat(10)}\n`.repeat(50)],
  ])('an ignore file of %s', (_, text) => {
    const cpuMs = cpuStopwatch();
    const patterns = parseIgnoreFile(Buffer.from(text, 'latin1'), '.dockerignore');
    expect(typeof patterns.judgePath(PATH).ignored).toBe('boolean');
    expect(cpuMs()).toBeLessThan(5000);
  });

  test('random ignore files, which give patterns or errors in words', () => {
    const line = fc.array(
      fc.constantFrom('a', '*', '**', '?', '[', ']', '^', '-', '\\', '/', '!', '#', ' ', '.', '..', '\0', '\x1b', '\xff', '\r'),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
        const bytes = Buffer.from(lines.map((parts) => parts.join('')).join('\n'), 'latin1');
        try {
          const patterns = parseIgnoreFile(bytes, '.dockerignore');
          for (const path of ['a', 'a/b', 'x\n/\xff']) patterns.judgePath(path);
        } catch (error) {
          if (!(error instanceof TsbuildError)) throw error;
          expect(error.message).not.toMatch(/[\x00-\x1f\x7f]/);
        }
      }),
      { seed: 20261124, numRuns: 3000 },
    );
  });

  test('the path of a folder that is deeper than a stack', () => {
    expect(ignorePatterns(['a/**'], '--exclude').judgePath('a/'.repeat(50_000).slice(0, -1)).ignored).toBe(true);
  });
});
