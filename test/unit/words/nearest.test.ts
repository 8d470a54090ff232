/** "Did you mean". */
import { describe, expect, test } from 'vitest';
import { KEYWORDS } from '../../../src/dockerfile/keywords.ts';
import { nearest, nearestTypo } from '../../../src/words/nearest.ts';

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

  test.each([
    ['bulder', 'builder', 'builder'],
    ['buildre', 'builder', 'builder'],
    ['abse', 'base', 'base'],
    ['obase', 'base', undefined],
    ['node', 'code', undefined],
    ['bash', 'base', undefined],
    ['redis', 'reads', undefined],
    ['Nginx', 'ngnix', 'ngnix'],
    ['postgres', 'postgre', 'postgre'],
    ['x'.repeat(1_000_000), 'x', undefined],
  ])('to %.20s, which may be right, is among %s: %s', (word, candidate, expected) => {
    expect(nearestTypo(word, [candidate])).toBe(expected);
  });

  test('is the first of equals', () => {
    expect(nearest('ab', ['ax', 'ay'])).toBe('ax');
  });
});
