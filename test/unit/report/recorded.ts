/** A build as its events, and a world that writes into a string: what every reporter is shown. */
import type { BuildEvent } from '../../../src/build/events.ts';
import type { Reporter, ReportOptions, ReportWorld } from '../../../src/report/reporter.ts';

const at = { file: 'Dockerfile', startLine: 2, endLine: 2 };
const bytes = (text: string): Uint8Array => Buffer.from(text);

/** Two stages side by side; `seconds` before each event. */
export const GOOD: readonly (readonly [seconds: number, event: BuildEvent])[] = [
  [0.5, { type: 'plan', stages: 2, steps: 4 }],
  [0, { type: 'transfer', id: 'l1', direction: 'pull', label: 'debian:12 layer', bytes: 0, totalBytes: 28_000_000, state: 'running' }],
  [
    2,
    { type: 'transfer', id: 'l1', direction: 'pull', label: 'debian:12 layer', bytes: 28_000_000, totalBytes: 28_000_000, state: 'done' },
  ],
  [0, { type: 'transfer', id: 'l2', direction: 'pull', label: 'debian:12 config', bytes: 2_000, totalBytes: 2_000, state: 'done' }],
  [0, { type: 'step-start', id: '0.0', stage: 'build', number: 1, total: 4, title: 'RUN make all', at }],
  [0, { type: 'step-start', id: '1.0', stage: '1', number: 3, total: 4, title: 'ENV A=1', at }],
  [0, { type: 'step-end', id: '1.0', state: 'done', seconds: 0.001, layerBytes: null }],
  [0, { type: 'step-output', id: '0.0', chunk: bytes('first\n\nse') }],
  [1, { type: 'step-output', id: '0.0', chunk: bytes('cond \x1b[32mgr') }],
  [0, { type: 'step-output', id: '0.0', chunk: bytes('een\x1b[0m\x1b[2K\x07\n10%\r20%\r') }],
  [0, { type: 'warning', message: 'the image is for another architecture', at }],
  [0, { type: 'step-output', id: '0.0', chunk: bytes('\nno newline') }],
  [1, { type: 'step-end', id: '0.0', state: 'done', seconds: 2.04, layerBytes: 12_345_678 }],
  [0, { type: 'debug', message: 'sealed', fields: { entries: 3, size: 5n } }],
  [0, { type: 'step-start', id: '1.1', stage: '1', number: 4, total: 4, title: 'COPY --from=build /out /app', at }],
  [0, { type: 'step-end', id: '1.1', state: 'cached', seconds: 0, layerBytes: 100 }],
  [
    0,
    { type: 'transfer', id: 'a', direction: 'push', label: 'layer sha256:aaa', bytes: 12_345_678, totalBytes: 12_345_678, state: 'done' },
  ],
  [0, { type: 'transfer', id: 'b', direction: 'push', label: 'layer sha256:bbb', bytes: 0, totalBytes: 9, state: 'exists' }],
  [0, { type: 'transfer', id: 'c', direction: 'push', label: 'layer sha256:ccc', bytes: 0, totalBytes: 9, state: 'mounted' }],
  [0, { type: 'image', layers: 2, bytes: 40_345_678, newLayers: 1, newBytes: 12_345_678 }],
  [0.3, { type: 'published', where: 'registry.example/app:1', digest: `sha256:${'0'.repeat(64)}` }],
];

export const FAILED: readonly (readonly [seconds: number, event: BuildEvent])[] = [
  [0, { type: 'plan', stages: 1, steps: 1 }],
  [0, { type: 'step-start', id: '0.0', stage: '0', number: 1, total: 1, title: 'RUN make all', at }],
  [0, { type: 'step-output', id: '0.0', chunk: bytes('one\ntwo') }],
  [1, { type: 'step-end', id: '0.0', state: 'failed', seconds: 1, layerBytes: null }],
];

export interface Recording {
  readonly world: ReportWorld;
  play(reporter: Reporter, events: readonly (readonly [number, BuildEvent])[]): void;
  readonly text: () => string;
}

export const PLAIN: ReportOptions = { progress: 'plain', verbosity: 'info', color: 'no-color', timestamps: 'no-timestamps' };

export function recording(size: ReturnType<ReportWorld['size']> = null): Recording {
  let written = '';
  let seconds = 0;
  return {
    world: {
      write: (text) => {
        written += text;
      },
      size: () => size,
      now: () => new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + seconds * 1000),
      clock: () => seconds,
      readSource: (file) => (file === 'Dockerfile' ? { file, lines: ['FROM debian:12', 'RUN make all', 'USER nobody'] } : null),
    },
    play(reporter, events) {
      for (const [passed, event] of events) {
        seconds += passed;
        reporter.report(event);
      }
    },
    text: () => written,
  };
}
