import { expect, test } from 'vitest';
import { executionError } from '../../../../src/backend/command/run-errors.ts';

test('a program that is in no folder of PATH is not explained with the exec form, which it was written in', () => {
  const error = executionError({ reason: 'not-found', path: 'nosuchcmd', searched: '/bin' });
  expect([error.message, error.hint]).toEqual([
    '"nosuchcmd" is in no folder of PATH (/bin) (exit code 127)',
    'is it installed in this image, and is its folder in PATH?',
  ]);
});

test('a shell that does not exist is explained with the exec form', () => {
  const error = executionError({ reason: 'not-found', path: '/bin/sh', searched: null });
  expect(error.hint).toBe('an image without a shell runs only the exec form: RUN ["/path/to/program", "argument"]');
});
