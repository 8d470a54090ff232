import { expect, test } from 'vitest';
import { planText } from '../../../src/report/step-text.ts';

test.each([
  ['namespaces', ', RUN in namespaces'],
  ['in-place', ', RUN in place'],
  ['chroot', ', RUN in a chroot'],
  ['proot', ', RUN under proot'],
  ['none', ''],
])('a plan with the isolation %s reads "%s"', (isolation, end) => {
  expect(planText({ type: 'plan', stages: 1, steps: 2, isolation })).toBe(`Building 2 steps in 1 stage${end}`);
});
