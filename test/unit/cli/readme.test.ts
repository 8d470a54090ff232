import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { flagsTable } from '../../../src/cli/help.ts';

const README = new URL('../../../README.md', import.meta.url);
const TABLE = /^\| flag \| meaning \|\n(?:\|.*\n)+/m;

/** UPDATE_GOLDENS=1 rewrites the table. */
test("the README's table of flags is the one that the program has", () => {
  const readme = readFileSync(README, 'utf8');
  if (process.env['UPDATE_GOLDENS'] === '1')
    writeFileSync(
      README,
      readme.replace(TABLE, () => `${flagsTable()}\n`),
    );
  expect(TABLE.exec(readFileSync(README, 'utf8'))?.[0]).toBe(`${flagsTable()}\n`);
});
