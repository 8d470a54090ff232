import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/plan/durations.ts';

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['30s', 30e9],
    ['1m30s', 90e9],
    ['1h2m3.5s', 3723.5e9],
    ['100ms', 100e6],
    ['1.5us', 1500],
    ['2µs', 2000],
    ['2μs', 2000],
    ['7ns', 7],
    ['.5s', 0.5e9],
    ['1.s', 1e9],
    ['-1s', -1e9],
    ['+1s', 1e9],
    ['100h', 360_000e9],
  ])('reads %s', (text, nanoseconds) => {
    expect(parseDuration(text)).toBe(nanoseconds);
  });

  it.each(['', '-', '10', 's', '5parsecs', '1s2', '.s', '1 s', '1d', '3000h'])('refuses "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow('is not a duration');
  });
});

describe('formatDuration writes as Go does', () => {
  it.each([
    [0, '0s'],
    [1, '1ns'],
    [1100, '1.1µs'],
    [1_500_000, '1.5ms'],
    [500e6, '500ms'],
    [2e9, '2s'],
    [1.5e9, '1.5s'],
    [60e9, '1m0s'],
    [90e9, '1m30s'],
    [3600e9, '1h0m0s'],
    [3_723_000_000_001, '1h2m3.000000001s'],
    [-1e9, '-1s'],
  ])('%d is %s', (nanoseconds, text) => {
    expect(formatDuration(nanoseconds)).toBe(text);
  });
});
