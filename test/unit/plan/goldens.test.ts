/**
 * fixtures/plans/<case>: a Dockerfile and the plan it makes; fixtures/plan-errors/<case>: a Dockerfile and every fault
 * that is reported. UPDATE_GOLDENS=1 rewrites plan.txt and error.txt: read the difference before committing it.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TsbuildError, TsbuildErrors } from '../../../src/errors.ts';
import { printPlan } from '../../../src/plan/print-plan.ts';
import { type Case, casesOf, planCase } from './cases.ts';

function expectGolden({ folder }: Case, file: 'plan.txt' | 'error.txt', text: string): void {
  const path = join(folder, file);
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(path, text);
  expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : null);
}

function faultsOf(failing: Case): TsbuildErrors {
  try {
    planCase(failing);
  } catch (error) {
    if (error instanceof TsbuildErrors) return error;
    throw error;
  }
  throw new Error(`${failing.name} was planned without a fault`);
}

function faultLine({ code, message, hint, at }: TsbuildError): string {
  const where = at === undefined ? '' : ` line ${at.startLine}`;
  return `${code}${where}: ${message}\n${hint === undefined ? '' : `  hint: ${hint}\n`}`;
}

const plans = casesOf('plans');
const failing = casesOf('plan-errors');

describe('a Dockerfile makes the plan that its fixture records', () => {
  it('has enough of them', () => {
    expect(plans.length).toBeGreaterThanOrEqual(50);
  });

  it.each(plans)('$name', (golden) => {
    expectGolden(golden, 'plan.txt', printPlan(planCase(golden)));
  });
});

describe('a faulty Dockerfile is refused with every fault that its fixture records', () => {
  it('has enough of them', () => {
    expect(failing.length).toBeGreaterThanOrEqual(30);
  });

  it.each(failing)('$name', (golden) => {
    const { errors } = faultsOf(golden);
    // fixtures/errors has those that only the parser refuses.
    expect(new Set(errors.map(({ code }) => code))).not.toEqual(new Set(['DOCKERFILE_SYNTAX']));
    expectGolden(golden, 'error.txt', errors.map(faultLine).join(''));
  });
});
