/** "Did you mean". */
import { describe, expect, test } from 'vitest';
import { KEYWORDS } from '../../../src/dockerfile/keywords.ts';
import { nearest } from '../../../src/words/nearest.ts';

describe('the nearest word', () => {
  test.each([
    ['FORM', 'FROM'],
    ['RNU', 'RUN'],
    ['copi', 'COPY'],
    ['ENTRYPONT', 'ENTRYPOINT'],
    ['HEALTCHEKC', 'HEALTHCHECK'],
    ['MAINTENER', 'MAINTAINER'],
    ['WORK_DIR', 'WORKDIR'],
    ['STOP-SIGNAL', 'STOPSIGNAL'],
  ])('to %s is %s', (word, expected) => {
    expect(nearest(word, KEYWORDS)).toBe(expected);
  });

  test.each(['apt-get', 'make', '&&', '', 'INCLUDE', 'exec', 'x'.repeat(1_000_000)])('to %.20s is none', (word) => {
    expect(nearest(word, KEYWORDS)).toBeUndefined();
  });

  test('is the first of equals', () => {
    expect(nearest('ab', ['ax', 'ay'])).toBe('ax');
  });
});
