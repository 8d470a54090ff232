import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BuildEvent } from '../../../src/build/events.ts';
import { TsbuildError } from '../../../src/errors.ts';
import { createReporter } from '../../../src/report/create-reporter.ts';
import type { Outcome, Reporter, ReportOptions } from '../../../src/report/reporter.ts';
import { ttyReporter } from '../../../src/report/tty.ts';
import { FAILED, GOOD, PLAIN, recording } from './recorded.ts';
import { screen } from './screen.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const at = { file: 'Dockerfile', startLine: 2, endLine: 2 };

/** A reporter on a screen; `frame` lets it draw. */
function onScreen(size: { columns: number; rows: number }, options: Partial<ReportOptions> = {}) {
  const record = recording(size);
  const shown = screen(size.columns, size.rows);
  const reporter: Reporter = ttyReporter(
    { ...PLAIN, progress: 'tty', ...options },
    { ...record.world, write: (text) => shown.write(text) },
  );
  return {
    reporter,
    play: (events: readonly (readonly [number, BuildEvent])[]) => record.play(reporter, events),
    frame: () => vi.advanceTimersByTime(100),
    lines: () => shown.lines(),
    end(outcome: Outcome) {
      reporter.finish(outcome);
      reporter.close();
    },
  };
}

test('while a step runs, its newest output and what is pulled stand below the finished steps', () => {
  const view = onScreen({ columns: 80, rows: 24 });
  view.play([
    [0, { type: 'plan', stages: 1, steps: 2 }],
    [0, { type: 'step-start', id: '0.0', stage: 'build', number: 1, total: 2, title: 'WORKDIR /src', at }],
    [0, { type: 'step-end', id: '0.0', state: 'done', seconds: 0.01, layerBytes: 120 }],
    [0, { type: 'step-start', id: '0.1', stage: 'build', number: 2, total: 2, title: 'RUN make', at }],
    [3, { type: 'step-output', id: '0.1', chunk: Buffer.from('1\n2\n3\n4\n5\n6\n\x1b[31m7') }],
    [0, { type: 'transfer', id: 'l', direction: 'pull', label: 'layer', bytes: 1_000_000, totalBytes: 4_000_000, state: 'running' }],
  ]);
  view.frame();
  const expected = [
    'Building 2 steps in 1 stage',
    '✓ [build 1/2] WORKDIR /src  0.0 s, layer of 120 B',
    '● [build 2/2] RUN make  3.0 s',
    ...['3', '4', '5', '6', '7'].map((line) => `    ${line}`),
    '  pulling 0 of 1 blobs  1.0 MB of 4.0 MB',
    '',
  ];
  expect(view.lines()).toEqual(expected);
  view.frame();
  view.frame();
  expect(view.lines()).toEqual(expected);
});

test('when all is done, nothing of what moved is left, and the summary is', () => {
  const view = onScreen({ columns: 80, rows: 24 });
  for (const event of GOOD) {
    view.play([event]);
    view.frame();
  }
  view.end({ kind: 'built' });
  expect(view.lines()).toEqual([
    'Building 4 steps in 2 stages',
    '✓ [stage-1 3/4] ENV A=1  0.0 s',
    'warning: the image is for another architecture (Dockerfile:2)',
    '✓ [build 1/4] RUN make all  2.0 s, layer of 12.3 MB',
    '= [stage-1 4/4] COPY --from=build /out /app  cached',
    'Built in 4.8 s',
    '  image  registry.example/app:1',
    `  digest sha256:${'0'.repeat(64)}`,
    '  layers 2 with 40.3 MB, 1 new with 12.3 MB (3 steps, 1 cached)',
    '  pulled 28.0 MB in 2 blobs',
    '  pushed 12.3 MB in 1 blob, 1 already in the registry, 1 mounted',
    '',
  ]);
});

test('a failed step shows its last output and the error', () => {
  const view = onScreen({ columns: 80, rows: 24 });
  view.play(FAILED);
  view.end({ kind: 'failed', error: new TsbuildError('RUN_FAILED', 'it ended with 2', { at }) });
  expect(view.lines()).toEqual([
    'Building 1 step in 1 stage',
    '✗ [stage-0 1/1] RUN make all  failed after 1.0 s',
    '  | one',
    '  | two',
    '',
    'error: it ended with 2',
    '  --> Dockerfile:2',
    '    1 | FROM debian:12',
    '  > 2 | RUN make all',
    '    3 | USER nobody',
    '',
  ]);
});

test.each([
  [20, 4],
  [40, 10],
  [200, 50],
])('on %i columns and %i rows the moving part never leaves the screen and never breaks a line', (columns, rows) => {
  const view = onScreen({ columns, rows });
  const title = `RUN ${'日本 wide and long '.repeat(20)}`;
  view.play([[0, { type: 'plan', stages: 9, steps: 9 }]]);
  for (let n = 1; n <= 9; n++) {
    view.play([
      [0, { type: 'step-start', id: `${n}`, stage: `stage${n}`, number: n, total: 9, title, at }],
      [1, { type: 'step-output', id: `${n}`, chunk: Buffer.from(`${'output '.repeat(50)}\n`.repeat(10)) }],
    ]);
    view.frame();
    expect(view.lines().length - 1).toBeLessThanOrEqual(Math.ceil(26 / columns) + rows);
  }
  for (let n = 1; n <= 9; n++) view.play([[0, { type: 'step-end', id: `${n}`, state: 'cached', seconds: 0, layerBytes: null }]]);
  view.end({ kind: 'cancelled' });
  const lines = view.lines();
  expect(lines.filter((line) => line.startsWith('= [stage'))).toHaveLength(9);
  expect(lines.filter((line) => line.startsWith('●') || line.includes('output'))).toEqual([]);
  expect(lines.at(-2)).toBe('cancelled');
});

test('closing without an end takes the moving part away, and may be done twice', () => {
  const view = onScreen({ columns: 80, rows: 24 });
  view.play(FAILED.slice(0, 3));
  view.frame();
  expect(view.lines()).toContain('    two');
  view.reporter.close();
  view.reporter.close();
  expect(view.lines()).toEqual(['Building 1 step in 1 stage', '']);
});

test('a terminal that became narrower is cleared whole', () => {
  let columns = 80;
  let written = '';
  const record = recording();
  const reporter = ttyReporter(
    { ...PLAIN, progress: 'tty' },
    { ...record.world, size: () => ({ columns, rows: 24 }), write: (text) => (written = text) },
  );
  record.play(reporter, [[0, { type: 'step-start', id: '0', stage: 'a', number: 1, total: 1, title: 'x'.repeat(70), at }]]);
  vi.advanceTimersByTime(100);
  columns = 40;
  vi.advanceTimersByTime(100);
  // What stood on one line of 80 columns stands on two of 40 now.
  expect(written.startsWith('\x1b[2A\r\x1b[J')).toBe(true);
  reporter.close();
});

test('without a terminal there is no cursor to move: it is the plain reporter', async () => {
  const record = recording(null);
  const reporter = await createReporter({ ...PLAIN, progress: 'tty' }, record.world);
  record.play(reporter, FAILED);
  reporter.close();
  expect(record.text()).toContain('  1 | one\n');
  expect(record.text()).not.toContain('\x1b');
});
