import { expect, test } from 'vitest';
import { isolationText, planText } from '../../../src/report/step-text.ts';

test('a plan reads as what is to be done', () => {
  expect(planText({ type: 'plan', stages: 1, steps: 2 })).toBe('Building 2 steps in 1 stage');
});

test.each([
  ['namespaces', 'RUN steps run in namespaces'],
  ['in-place', 'RUN steps run in place'],
  ['chroot', 'RUN steps run in a chroot'],
  ['proot', 'RUN steps run under proot'],
])('the isolation %s reads "%s"', (name, text) => {
  expect(isolationText({ type: 'isolation', name })).toBe(text);
});
