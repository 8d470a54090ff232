import { expect, test } from 'vitest';
import { helpText } from '../../../src/cli/help.ts';

test('the help text is this', async () => {
  await expect(helpText(100)).toMatchFileSnapshot('help.txt');
});

test.each([20, 80, 100, 300])('it fits a terminal of %i columns, if that has 80', (columns) => {
  const widest = Math.max(
    ...helpText(columns)
      .split('\n')
      .map((line) => line.length),
  );
  expect(widest).toBeLessThanOrEqual(Math.max(80, Math.min(columns, 110)));
});
