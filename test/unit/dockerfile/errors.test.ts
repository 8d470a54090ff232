/**
 * Golden files: what a faulty Dockerfile is told, with excerpt and hints. UPDATE_GOLDENS=1 writes them anew; read the
 * difference before committing it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { excerpt } from '../../../src/dockerfile/excerpt.ts';
import type { SourceText } from '../../../src/dockerfile/instruction.ts';
import { readSource } from '../../../src/dockerfile/lines.ts';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { fixtureNames } from '../../helpers/fixture-folders.ts';

const folder = fileURLToPath(new URL('../../../fixtures/errors/', import.meta.url));
const cases = fixtureNames('errors');

function report(bytes: Uint8Array): string {
  try {
    parseDockerfile(bytes, 'Dockerfile');
  } catch (error) {
    if (!(error instanceof TsbuildErrors)) throw error;
    return `${error.errors.map((one) => block(one, readSource(bytes, 'Dockerfile'))).join('\n\n')}\n`;
  }
  throw new Error('the Dockerfile has no fault');
}

function block({ code, message, hint, at }: TsbuildErrors['errors'][number], source: SourceText): string {
  const lines = [`${code}: ${message}`];
  if (at !== undefined) lines.push(excerpt(source, at));
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.filter((line) => line !== '').join('\n');
}

describe('the errors of a faulty Dockerfile', () => {
  test('have at least 40 golden cases', () => {
    expect(cases.length).toBeGreaterThanOrEqual(40);
  });

  test.each(cases)('%s', (name) => {
    const golden = `${folder}${name}/error.txt`;
    const actual = report(readFileSync(`${folder}${name}/Dockerfile`));
    if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(golden, actual);
    expect(existsSync(golden), `${golden} is missing: run with UPDATE_GOLDENS=1`).toBe(true);
    expect(actual).toBe(readFileSync(golden, 'utf8'));
  });
});
