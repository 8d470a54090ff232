import { describe, expect, test } from 'vitest';
import { collectProblems } from '../../../src/cli/problems.ts';
import { type ReportFlags, resolveReport } from '../../../src/cli/resolve-report.ts';

const plain: ReportFlags = {
  progress: undefined,
  logFormat: undefined,
  verbosity: undefined,
  logTimestamp: false,
  env: {},
  stderr: 'pipe',
};
const resolve = (flags: Partial<ReportFlags>) => resolveReport({ ...plain, ...flags }, collectProblems());

describe('which reporter', () => {
  test.each<[string, Partial<ReportFlags>, string]>([
    ['a terminal gets tty', { stderr: 'terminal' }, 'tty'],
    ['a terminal of a CI gets plain', { stderr: 'terminal', env: { CI: 'true' } }, 'plain'],
    ['CI=false is no CI', { stderr: 'terminal', env: { CI: 'false' } }, 'tty'],
    ['a dumb terminal gets plain', { stderr: 'terminal', env: { TERM: 'dumb' } }, 'plain'],
    ['timestamps ask for plain', { stderr: 'terminal', logTimestamp: true }, 'plain'],
    ['a pipe gets plain', {}, 'plain'],
    ['tty on a pipe falls back to plain', { progress: 'tty' }, 'plain'],
    ['tty in a CI with a terminal is tty', { progress: 'tty', stderr: 'terminal', env: { CI: '1' } }, 'tty'],
    ['plain on a terminal', { progress: 'plain', stderr: 'terminal' }, 'plain'],
    ['quiet', { progress: 'quiet', stderr: 'terminal' }, 'quiet'],
    ['--log-format json', { logFormat: 'json', stderr: 'terminal' }, 'json'],
    ['--log-format text changes only colors', { logFormat: 'text', stderr: 'terminal' }, 'tty'],
  ])('%s', (_, flags, progress) => {
    expect(resolve(flags).progress).toBe(progress);
  });
});

describe('colors', () => {
  test.each<[string, Partial<ReportFlags>, string]>([
    ['a terminal has them', { stderr: 'terminal' }, 'color'],
    ['a pipe has none', {}, 'no-color'],
    ['NO_COLOR', { stderr: 'terminal', env: { NO_COLOR: '1' } }, 'no-color'],
    ['an empty NO_COLOR says nothing', { stderr: 'terminal', env: { NO_COLOR: '' } }, 'color'],
    ['FORCE_COLOR', { env: { FORCE_COLOR: '1' } }, 'color'],
    ['--log-format color wins over NO_COLOR', { logFormat: 'color', env: { NO_COLOR: '1' } }, 'color'],
    ['--log-format text wins over a terminal', { logFormat: 'text', stderr: 'terminal' }, 'no-color'],
    ['a dumb terminal has none', { stderr: 'terminal', env: { TERM: 'dumb' } }, 'no-color'],
  ])('%s', (_, flags, color) => {
    expect(resolve(flags).color).toBe(color);
  });
});
