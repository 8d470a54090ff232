import { describe, expect, test } from 'vitest';
import { noteLine } from '../../../src/report/outcome-lines.ts';
import { palette } from '../../../src/report/terminal-text.ts';

describe('a warning', () => {
  const at = { file: 'Dockerfile', startLine: 3, endLine: 4 };

  test('has its place behind it', () => {
    const { level, line } = noteLine({ type: 'warning', message: 'odd', at }, palette('no-color'));
    expect([level, line]).toEqual(['warn', 'warning: odd (Dockerfile:3)']);
  });

  test('of a build check has the name to skip it by, too', () => {
    const { line } = noteLine({ type: 'warning', message: 'odd', at, rule: 'WorkdirRelativePath' }, palette('no-color'));
    expect(line).toBe('warning: odd (WorkdirRelativePath) Dockerfile:3');
  });
});
