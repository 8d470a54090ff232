import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ImageSource } from '../../../src/base-image/image-source.ts';
import type { BuildEvent } from '../../../src/build/events.ts';
import { tellChecking, tellResolving } from '../../../src/cli/tell-waiting.ts';
import type { ImageSink } from '../../../src/output/image-sink.ts';
import { plainReporter } from '../../../src/report/plain.ts';
import { PLAIN, recording } from '../report/recorded.ts';

const platform = { os: 'linux', architecture: 'amd64' };
const { signal } = new AbortController();

function sinkThatTakes(ms: number): ImageSink {
  const write = (): Promise<never> => Promise.reject(new Error('not asked for'));
  return { label: 'reg.example/app:1', check: () => sleep(ms), offer: () => undefined, write };
}

async function eventsOf(work: (report: (event: BuildEvent) => void) => Promise<unknown>): Promise<readonly BuildEvent[]> {
  const events: BuildEvent[] = [];
  await work((event) => events.push(event));
  return events;
}

test('a check that takes long is named', async () => {
  expect(await eventsOf((report) => tellChecking(sinkThatTakes(80), { report, afterMs: 10 }).check(signal))).toEqual([
    { type: 'waiting', message: 'checking that reg.example/app:1 may be pushed to' },
  ]);
});

test('an image that takes long to resolve is named in full, once, and its failure passes', async () => {
  const images: ImageSource = { resolve: () => sleep(80).then(() => Promise.reject(new Error('gone'))) };
  const events = await eventsOf((report) =>
    expect(tellResolving(images, { report, afterMs: 10 }).resolve('debian', platform, signal)).rejects.toThrow('gone'),
  );
  expect(events).toEqual([{ type: 'waiting', message: 'resolving docker.io/library/debian:latest' }]);
});

test('what is quick is not told, not even later', async () => {
  const events = await eventsOf(async (report) => {
    await tellChecking(sinkThatTakes(0), { report, afterMs: 30 }).check(signal);
    await sleep(60);
  });
  expect(events).toEqual([]);
});

test.each([
  ['info', 'resolving debian ...\n'],
  ['warn', ''],
] as const)('at verbosity %s the line is %j', (verbosity, text) => {
  const record = recording();
  plainReporter({ ...PLAIN, verbosity }, record.world).report({ type: 'waiting', message: 'resolving debian' });
  expect(record.text()).toBe(text);
});
