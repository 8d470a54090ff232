/** What was measured, as Markdown: medians, ratios to buildah, and whether the bars are reached. */
import type { Measure } from './measure.ts';
import { MEMORY_BAR_MB, type Scenario } from './scenarios.ts';

export interface Result {
  readonly scenario: Scenario;
  /** By the name of the builder. */
  readonly measures: ReadonlyMap<string, readonly Measure[]>;
}

const OURS = 'tsbuild';
const REFERENCE = 'buildah';
const NOT_MEASURED = '–';

/** `names`: of builders, tsbuild first. */
export function table(names: readonly string[], results: readonly Result[]): string {
  const others = names.filter((name) => name !== OURS);
  const head = [
    'scenario',
    'start',
    ...names.map((name) => `${name}, s`),
    ...others.map((name) => `${OURS} ÷ ${name}`),
    `bar (${REFERENCE})`,
    'reached',
    ...names.map((name) => `${name}, processor s`),
    ...names.map((name) => `${name}, MB`),
    'BuildKit on another day, s',
  ];
  const right = head.map((_, at) => (at < 2 ? '---' : '--:'));
  const rows = results.map(({ scenario, measures }) => {
    const of = (name: string, what: keyof Measure): number | undefined => median(measures.get(name)?.map((one) => one[what]));
    const ratio = (name: string): number | undefined => quotient(of(OURS, 'seconds'), of(name, 'seconds'));
    return [
      scenario.title,
      scenario.start,
      ...names.map((name) => fixed(of(name, 'seconds'), 2)),
      ...others.map((name) => fixed(ratio(name), 2)),
      fixed(scenario.bar ?? undefined, 2),
      reached(names.includes(REFERENCE) ? ratio(REFERENCE) : undefined, scenario.bar),
      ...names.map((name) => fixed(of(name, 'cpuSeconds'), 2)),
      ...names.map((name) => fixed(of(name, 'peakMB'), 0)),
      fixed(scenario.buildkitRecorded, 1),
    ];
  });
  return [head, right, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The highest of all rounds: one build that is killed for its memory is one too many. */
export function memoryVerdict(results: readonly Result[]): string {
  const peaks = results.map(({ scenario, measures }) => ({
    title: scenario.title,
    peakMB: Math.max(0, ...(measures.get(OURS) ?? []).map((one) => one.peakMB)),
  }));
  const [highest] = peaks.sort((a, b) => b.peakMB - a.peakMB);
  if (highest === undefined) throw new Error('nothing was measured');
  const verdict = highest.peakMB < MEMORY_BAR_MB ? 'reached' : 'not reached';
  return `Most memory of any build of ${OURS}: ${highest.peakMB.toFixed(0)} MB (${highest.title}); the bar is ${MEMORY_BAR_MB} MB: ${verdict}.`;
}

function reached(ratio: number | undefined, bar: number | null): string {
  if (ratio === undefined || bar === null) return NOT_MEASURED;
  return ratio <= bar ? 'yes' : '**no**';
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? NOT_MEASURED : value.toFixed(digits);
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

function median(values: readonly number[] = []): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle];
  const low = sorted.length % 2 === 1 ? high : sorted[middle - 1];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}
