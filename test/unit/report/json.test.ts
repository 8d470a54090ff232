import { expect, test } from 'vitest';
import { TsbuildError, TsbuildErrors } from '../../../src/errors.ts';
import { jsonReporter } from '../../../src/report/json.ts';
import type { Outcome, ReportOptions } from '../../../src/report/reporter.ts';
import { FAILED, GOOD, PLAIN, recording } from './recorded.ts';

function shown(options: Partial<ReportOptions>, events = GOOD, outcome: Outcome = { kind: 'built' }): readonly Record<string, unknown>[] {
  const record = recording();
  const reporter = jsonReporter({ ...PLAIN, ...options }, record.world);
  record.play(reporter, events);
  reporter.finish(outcome);
  reporter.close();
  return record
    .text()
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('each event is one object with its level, its time, its name and its own fields', () => {
  const lines = shown({});
  expect(lines[0]).toEqual({
    level: 'info',
    time: '2026-01-02T03:04:05.500Z',
    event: 'plan',
    stages: 2,
    steps: 4,
    msg: 'Building 4 steps in 2 stages',
  });
  expect(lines.map(({ level, event, id, msg }) => [level, event, id, msg].join(' '))).toEqual([
    'info plan  Building 4 steps in 2 stages',
    'info transfer l1 pulled debian:12 layer: 28.0 MB in 2.0 s',
    'info transfer l2 pulled debian:12 config: 2.0 kB in 0.0 s',
    'info step-start 0.0 [build 1/4] RUN make all',
    'info step-start 1.0 [stage-1 3/4] ENV A=1',
    'info step-end 1.0 [stage-1 3/4] done in 0.0 s',
    'info step-output 0.0 first',
    'info step-output 0.0 ',
    'info step-output 0.0 second \x1b[32mgreen\x1b[0m\x1b[2K\x07',
    'info step-output 0.0 10%',
    'warn warning  the image is for another architecture',
    'info step-output 0.0 20%',
    'info step-output 0.0 no newline',
    'info step-end 0.0 [build 1/4] done in 2.0 s, layer of 12.3 MB',
    'info step-start 1.1 [stage-1 4/4] COPY --from=build /out /app',
    'info step-end 1.1 [stage-1 4/4] cached',
    'info transfer a pushed layer sha256:aaa: 12.3 MB in 0.0 s',
    'info published  published registry.example/app:1',
    'info built  Built in 4.8 s',
  ]);
  expect(lines[3]).toMatchObject({
    stage: 'build',
    number: 1,
    total: 4,
    instruction: 'RUN make all',
    file: 'Dockerfile',
    line: 2,
    endLine: 2,
  });
  expect(lines[13]).toMatchObject({ state: 'done', seconds: 2.04, layerBytes: 12_345_678 });
  expect(lines.at(-2)).toMatchObject({ where: 'registry.example/app:1', digest: `sha256:${'0'.repeat(64)}` });
  expect(lines.at(-1)).toMatchObject({ seconds: 4.8, steps: 3, cached: 1, newLayers: 1, newLayerBytes: 12_345_678, warnings: 1 });
});

test('each error is one object with its code, place, causes and hint', () => {
  const errors = new TsbuildErrors([
    new TsbuildError('RUN_FAILED', 'it ended with 2', {
      at: { file: 'Dockerfile', startLine: 2, endLine: 3 },
      hint: 'look',
      cause: new Error('deep'),
    }),
    new TsbuildError('CONTEXT_READ', 'gone'),
  ]);
  const lines = shown({ verbosity: 'error' }, FAILED, { kind: 'failed', error: errors });
  expect(lines).toEqual([
    { level: 'error', time: expect.any(String), event: 'step-output', id: '0.0', msg: 'one' },
    { level: 'error', time: expect.any(String), event: 'step-output', id: '0.0', msg: 'two' },
    {
      level: 'error',
      time: expect.any(String),
      event: 'failed',
      code: 'RUN_FAILED',
      seconds: 1,
      file: 'Dockerfile',
      line: 2,
      endLine: 3,
      causes: ['deep'],
      hint: 'look',
      msg: 'it ended with 2',
    },
    { level: 'error', time: expect.any(String), event: 'failed', code: 'CONTEXT_READ', seconds: 1, causes: [], msg: 'gone' },
  ]);
});

test('debug tells its fields, whatever they hold', () => {
  const circular: Record<string, unknown> = { size: 5n };
  circular['self'] = circular;
  const lines = shown({ verbosity: 'debug' }, [[0, { type: 'debug', message: 'x', fields: circular }]]);
  expect(lines[0]).toMatchObject({ level: 'debug', event: 'debug', msg: 'x', fields: { size: 5 } });
});

test('a cancelled build says so', () => {
  expect(shown({}, [], { kind: 'cancelled' })).toMatchObject([{ level: 'error', event: 'cancelled', msg: 'cancelled' }]);
});
