import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { flagsTable } from '../../../src/cli/help.ts';

test("the README's table of flags is the one that the program has", () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`\n${flagsTable()}\n`);
});
