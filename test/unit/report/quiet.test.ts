import { expect, test } from 'vitest';
import { TsbuildError } from '../../../src/errors.ts';
import { quietReporter } from '../../../src/report/quiet.ts';
import { FAILED, GOOD, PLAIN, recording } from './recorded.ts';

test('a good build is silent', () => {
  const record = recording();
  const reporter = quietReporter(PLAIN, record.world);
  record.play(reporter, GOOD);
  reporter.finish({ kind: 'built' });
  expect(record.text()).toBe('');
});

test('a failed one tells the output of the failed step and the error', () => {
  const record = recording();
  const reporter = quietReporter(PLAIN, record.world);
  record.play(reporter, FAILED);
  reporter.finish({ kind: 'failed', error: new TsbuildError('RUN_FAILED', 'it ended with 2') });
  expect(record.text()).toBe('| one\n| two\nerror: it ended with 2\n');
});
