/**
 * fixtures/checks/<case>: a Dockerfile and what the build checks find in it. `dockerignore` is the context's ignore file.
 * UPDATE_GOLDENS=1 rewrites findings.txt: read the difference before committing it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { parseIgnoreFile } from '../../../src/patterns/ignore-patterns.ts';
import { checkDockerfile, checksFailed } from '../../../src/plan/checks/check.ts';
import { checkOptions } from '../../../src/plan/checks/check-options.ts';
import { RULE_NAMES } from '../../../src/plan/checks/rules.ts';
import { type Case, casesOf, partsOf } from './cases.ts';

const cases = casesOf('checks');

function report(one: Case): string {
  const { parsed, inputs, known } = partsOf(one);
  const options = checkOptions(parsed, inputs);
  const findings = checkDockerfile(parsed, inputs, { known, ignores: ignoresOf(one), options });
  const lines = [
    ...options.warnings.map(({ at, message }) => `line ${at?.startLine}: ${message}`),
    ...findings.map(({ rule, message, at }) => `line ${at.startLine}: ${message} (${rule})`),
    ...(options.findings === 'fail' && findings.length > 0 ? [`fails: ${checksFailed(findings).errors[0]?.message}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function ignoresOf({ folder }: Case): ((path: string) => boolean) | null {
  const file = join(folder, 'dockerignore');
  if (!existsSync(file)) return null;
  const patterns = parseIgnoreFile(readFileSync(file), '.dockerignore');
  return (path) => {
    if (path === '') return false;
    const verdict = patterns.judgePath(path);
    return verdict.ignored && patterns.canPrune(path, verdict);
  };
}

describe('the build checks', () => {
  it.each(cases)('find in $name what its fixture records', (golden) => {
    const path = join(golden.folder, 'findings.txt');
    const text = report(golden);
    if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(path, text);
    expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : null);
  });

  it('have a fixture for every rule', () => {
    const all = cases.map(report).join('');
    expect(RULE_NAMES.filter((rule) => !all.includes(`(${rule})`))).toEqual([]);
  });

  it.each([
    ['skip', 'has "skip"'],
    ['skip=all;nonsense=1', 'has "nonsense=1"'],
    ['error=maybe', 'neither true nor false'],
  ])('refuse the option %s', (text, message) => {
    const parsed = parseDockerfile(Buffer.from(`# check=${text}\nFROM scratch\n`), 'Dockerfile');
    const read = (): unknown => checkOptions(parsed, { buildArgs: new Map() });
    expect(read).toThrow(TsbuildError);
    expect(read).toThrow(message);
    expect(() => checkOptions(parsed, { buildArgs: new Map([['BUILDKIT_DOCKERFILE_CHECK', 'skip=all']]) })).not.toThrow();
  });
});
