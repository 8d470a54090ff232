/** What holds for every Dockerfile: printed and parsed again it means the same. The seed is fixed; a failure prints its file. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ParsedDockerfile } from '../../../src/dockerfile/instruction.ts';
import { parseDockerfile } from '../../../src/dockerfile/parse.ts';
import { TsbuildErrors } from '../../../src/errors.ts';
import { printPlan } from '../../../src/plan/print-plan.ts';
import { dockerfiles } from '../../helpers/dockerfile-grammar.ts';
import { type PrintForm, printDockerfile } from '../../helpers/dockerfile-printer.ts';
import { PLAIN_INPUTS, planParsed } from '../../helpers/plan-text.ts';

const SEED = Number(process.env['TSBUILD_SEED'] ?? '20261124');
const RUNS = Number(process.env['TSBUILD_RUNS'] ?? '400');
const INPUTS = { ...PLAIN_INPUTS, buildArgs: new Map([['B', 'from "outside']]), labels: new Map([['l', 'v']]) };

function parse(text: string): ParsedDockerfile | null {
  try {
    return parseDockerfile(Buffer.from(text), 'Dockerfile');
  } catch (error) {
    if (error instanceof TsbuildErrors) return null;
    throw error;
  }
}

/** The plan or its faults, without places; titles show the line as written. */
function meaning(parsed: ParsedDockerfile, form: PrintForm): string {
  const text = outcome(parsed)
    .replaceAll(/, line \d+/g, '')
    .replaceAll(/\(line \d+\)/g, '');
  return form === 'as-written' ? text : text.replaceAll(/^ {4}title .*$/gm, '');
}

function outcome(parsed: ParsedDockerfile): string {
  try {
    return printPlan(planParsed(parsed, INPUTS));
  } catch (error) {
    if (error instanceof TsbuildErrors) return error.errors.map(({ code, message }) => `${code} ${message}`).join('\n');
    throw error;
  }
}

describe('every Dockerfile', () => {
  test.each(['as-written', 'canonical'] as const)('printed (%s) and parsed again makes the same plan', (form) => {
    let accepted = 0;
    let planned = 0;
    fc.assert(
      fc.property(dockerfiles(), (text) => {
        const parsed = parse(text);
        if (parsed === null) return;
        accepted++;
        const before = meaning(parsed, form);
        if (before.startsWith('platform ')) planned++;
        const printed = printDockerfile(parsed, form);
        const again = parse(printed);
        if (again === null) throw new Error(`refused when printed:\n${printed}`);
        expect(meaning(again, form), printed).toBe(before);
        // Printing is at rest after the first time.
        expect(printDockerfile(again, form)).toBe(printed);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // Else the property would say little.
    expect(accepted).toBeGreaterThan(RUNS / 2);
    expect(planned).toBeGreaterThan(RUNS / 8);
  });
});
