import { expect, test } from 'vitest';
import { TsbuildError } from '../../../src/errors.ts';
import { plainReporter } from '../../../src/report/plain.ts';
import type { Outcome, ReportOptions } from '../../../src/report/reporter.ts';
import { FAILED, GOOD, PLAIN, recording } from './recorded.ts';

const failure = new TsbuildError('RUN_FAILED', 'the command ended with 2', { at: { file: 'Dockerfile', startLine: 2, endLine: 2 } });

function shown(options: Partial<ReportOptions>, events = GOOD, outcome: Outcome = { kind: 'built' }): readonly string[] {
  const record = recording();
  const reporter = plainReporter({ ...PLAIN, ...options }, record.world);
  record.play(reporter, events);
  reporter.finish(outcome);
  reporter.close();
  expect(record.text()).not.toContain('\r');
  return record.text().split('\n');
}

test('a build is told in lines: steps, all of their output, warnings and what it came to', () => {
  expect(shown({})).toEqual([
    'Building 4 steps in 2 stages',
    'pulled debian:12 layer: 28.0 MB in 2.0 s',
    '[build 1/4] RUN make all',
    '[stage-1 3/4] ENV A=1',
    '  1 | first',
    '  1 |',
    '  1 | second green',
    '  1 | 10%',
    'warning: the image is for another architecture (Dockerfile:2)',
    '  1 | 20%',
    '  1 | no newline',
    '[build 1/4] done in 2.0 s, layer of 12.3 MB',
    '[stage-1 4/4] COPY --from=build /out /app',
    '[stage-1 4/4] cached',
    'pushed layer sha256:aaa: 12.3 MB in 0.0 s',
    'Built in 4.8 s',
    '  image  registry.example/app:1',
    `  digest sha256:${'0'.repeat(64)}`,
    '  layers 2 with 40.3 MB, 1 new with 12.3 MB (3 steps, 1 cached)',
    '  pulled 28.0 MB in 2 blobs',
    '  pushed 12.3 MB in 1 blob, 1 already in the registry, 1 mounted',
    '',
  ]);
});

test('a failure ends with the error and its place', () => {
  expect(shown({}, FAILED, { kind: 'failed', error: failure })).toEqual([
    'Building 1 step in 1 stage',
    '[stage-0 1/1] RUN make all',
    '  1 | one',
    '  1 | two',
    '[stage-0 1/1] failed after 1.0 s',
    'error: the command ended with 2',
    '  --> Dockerfile:2',
    '    1 | FROM debian:12',
    '  > 2 | RUN make all',
    '    3 | USER nobody',
    '',
  ]);
});

test('where the verbosity hides output, the output of the failed step is told all the same', () => {
  expect(shown({ verbosity: 'warn' }, FAILED, { kind: 'failed', error: failure }).slice(0, 4)).toEqual([
    '| one',
    '| two',
    'error: the command ended with 2',
    '  --> Dockerfile:2',
  ]);
});

test('verbosity warn tells warnings only, error not even those, debug and trace tell more', () => {
  expect(shown({ verbosity: 'warn' })).toEqual(['warning: the image is for another architecture (Dockerfile:2)', '']);
  expect(shown({ verbosity: 'error' })).toEqual(['']);
  expect(shown({ verbosity: 'debug' })).toEqual(
    expect.arrayContaining([
      'sealed {"entries":3,"size":"5"}',
      'layer sha256:bbb is in the registry already',
      'pulled debian:12 config: 2.0 kB in 0.0 s',
    ]),
  );
  expect(shown({ verbosity: 'debug' })).not.toContain('pulling debian:12 layer: 0 B of 28.0 MB');
  expect(shown({ verbosity: 'trace' })).toContain('pulling debian:12 layer: 0 B of 28.0 MB');
});

test('timestamps begin each line', () => {
  const lines = shown({ timestamps: 'timestamps' });
  expect(lines[0]).toBe('2026-01-02T03:04:05.500Z Building 4 steps in 2 stages');
  expect(lines.slice(0, -1).every((line) => line.startsWith('2026-01-02T03:04:'))).toBe(true);
});

test("colors are ours and the command's, and every line ends without one", () => {
  const lines = shown({ color: 'color' });
  expect(lines).toContain('\x1b[2m  1 |\x1b[0m second \x1b[32mgreen\x1b[0m\x1b[0m');
  expect(lines.filter((line) => line.includes('\x1b[')).every((line) => line.lastIndexOf('\x1b[0m') === line.lastIndexOf('\x1b['))).toBe(
    true,
  );
});

test('a cancelled build says so, after the output that was on its way', () => {
  expect(shown({}, FAILED.slice(0, 3), { kind: 'cancelled' }).slice(-3)).toEqual(['  1 | two', 'cancelled', '']);
});

test('a build of one million lines loses none', () => {
  const record = recording();
  const reporter = plainReporter(PLAIN, { ...record.world, write: (text) => lines.push(text) });
  const lines: string[] = [];
  record.play(reporter, FAILED.slice(0, 2));
  for (let i = 0; i < 1000; i++) {
    reporter.report({ type: 'step-output', id: '0.0', chunk: Buffer.from(`${'x'.repeat(9)}\n`.repeat(1000)) });
  }
  expect(lines.filter((line) => line === `  1 | ${'x'.repeat(9)}\n`)).toHaveLength(1_000_000);
});
