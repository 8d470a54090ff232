/** What the benchmark builds, and how fast tsbuild is to be at it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bigFile, manyFiles, textBytes } from './contexts.ts';

/**
 * What a builder has of earlier builds: `cold` nothing; `warm` its own state folder, in which it has built this before;
 * `registry-cache` a new state folder, and a cache repository that it has filled from another one.
 */
export type Start = 'cold' | 'warm' | 'registry-cache';

export interface Scenario {
  readonly title: string;
  readonly start: Start;
  readonly dockerfile: string;
  /** Fills an empty context folder. */
  prepare(context: string): void;
  /** Changes the context before each measured build; `round` differs for each. */
  change?(context: string, round: number): void;
  /** tsbuild's wall time over buildah's is to be at most this; null: nothing is asked. */
  readonly bar: number | null;
  /** Seconds of BuildKit with its daemon running, recorded on another day on this kind of machine: no part of any comparison. */
  readonly buildkitRecorded: number;
}

/** In every scenario. Megabytes of 1,000,000 bytes. */
export const MEMORY_BAR_MB = 250;

const none = (): void => undefined;

const MANY_RUNS = ['RUN echo more >> /app/p0/f0.js', 'RUN rm -rf /app/p1', 'RUN for i in $(seq 10 49); do chmod -R 700 /app/p$i; done'];
const MANY = lines('FROM debian:12', 'COPY . /app/', ...MANY_RUNS);

const STAGES = ['one', 'two', 'three', 'four'];

export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'copy-only': {
    title: 'debian:12, COPY of 3 files, ENV, CMD',
    start: 'cold',
    dockerfile: lines('FROM debian:12', 'COPY . /app/', 'ENV MODE=bench', 'CMD ["/app/one"]'),
    prepare(context) {
      for (const [i, name] of ['one', 'two', 'three'].entries()) writeFileSync(join(context, name), textBytes(4096, i + 1));
    },
    bar: 0.35,
    buildkitRecorded: 2.7,
  },
  'ten-runs': {
    title: 'debian:12, ten tiny RUNs',
    start: 'cold',
    dockerfile: lines('FROM debian:12', ...Array.from({ length: 10 }, (_, i) => `RUN echo ${i} > /file-${i}`)),
    prepare: none,
    bar: 0.35,
    buildkitRecorded: 3.0,
  },
  'many-files': {
    title: 'debian:12, COPY of 40,000 files (188 MB), then RUN append to one, rm of 100, chmod of 4,000',
    start: 'cold',
    dockerfile: MANY,
    prepare: manyFiles,
    bar: 0.4,
    buildkitRecorded: 36.3,
  },
  'big-file': {
    title: 'busybox, COPY of 1 GiB (half random, half text), then RUN cp of 200 MiB',
    start: 'cold',
    dockerfile: lines('FROM busybox', 'COPY big /big', 'RUN head -c 209715200 /big > /part'),
    prepare: (context) => bigFile(join(context, 'big')),
    bar: 0.6,
    buildkitRecorded: 78.7,
  },
  unchanged: {
    title: 'the 40,000 files again, nothing changed, same machine, new destination',
    start: 'warm',
    dockerfile: MANY,
    prepare: manyFiles,
    bar: 0.1,
    buildkitRecorded: 2.2,
  },
  'unchanged-fresh': {
    title: 'the 40,000 files again, nothing changed, fresh machine, registry cache',
    start: 'registry-cache',
    dockerfile: MANY,
    prepare: manyFiles,
    bar: 0.1,
    buildkitRecorded: 14.1,
  },
  'changed-last': {
    title: 'the 40,000 files again, and one changed small file in a last COPY, same machine',
    start: 'warm',
    dockerfile: lines('FROM debian:12', 'COPY app /app/', ...MANY_RUNS, 'COPY last /last'),
    prepare(context) {
      manyFiles(join(context, 'app'));
      writeFileSync(join(context, 'last'), 'primed\n');
    },
    change: (context, round) => writeFileSync(join(context, 'last'), `round ${round}\n`),
    bar: 0.15,
    buildkitRecorded: 1.4,
  },
  'four-stages': {
    title: 'debian:12, four independent stages of RUN sleep 2, all copied into a fifth',
    start: 'cold',
    dockerfile: lines(
      ...STAGES.flatMap((name) => [`FROM debian:12 AS ${name}`, `RUN sleep 2 && echo ${name} > /${name}`]),
      'FROM debian:12',
      ...STAGES.map((name) => `COPY --from=${name} /${name} /${name}`),
    ),
    prepare: none,
    bar: 0.35,
    buildkitRecorded: 5.5,
  },
  'one-run': {
    title: 'debian:12, RUN true',
    start: 'cold',
    dockerfile: lines('FROM debian:12', 'RUN true'),
    prepare: none,
    bar: null,
    buildkitRecorded: 2.4,
  },
};

function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
