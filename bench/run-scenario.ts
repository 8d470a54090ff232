/** One scenario with several builders by turns, each primed first where the scenario does not start cold. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Builder, type CommandValues, filledIn } from './builders.ts';
import { type Measure, measure } from './measure.ts';
import type { Scenario } from './scenarios.ts';

export interface Place {
  /** host:port */
  readonly registry: string;
  /** Exists. */
  readonly scratch: string;
  readonly rounds: number;
  tell(line: string): void;
}

/** By name; builders without a command for the scenario's start are left out. */
export async function runScenario(
  name: string,
  scenario: Scenario,
  builders: readonly Builder[],
  place: Place,
): Promise<ReadonlyMap<string, readonly Measure[]>> {
  const folder = mkdtempSync(join(place.scratch, `${name}-`));
  try {
    const files = prepare(scenario, folder);
    const able = builders.filter((builder) => builder.commands[scenario.start] !== undefined);
    const runs = able.map((builder) => scenarioRun(name, scenario, builder, { ...files, folder, registry: place.registry }));
    if (scenario.start !== 'cold') for (const run of runs) place.tell(`${name} ${run.name} primed in ${shown(await run.prime())}`);
    for (let round = 0; round < place.rounds; round++) {
      scenario.change?.(files.context, round);
      // The order turns with each round, so that nobody always runs on what the other left in the page cache.
      for (const run of round % 2 === 0 ? runs : runs.toReversed()) place.tell(`${name} ${run.name} ${shown(await run.round(round))}`);
    }
    return new Map(runs.map((run) => [run.name, run.measures]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function prepare(scenario: Scenario, folder: string): Pick<CommandValues, 'context' | 'dockerfile'> {
  const context = join(folder, 'context');
  const dockerfile = join(folder, 'Dockerfile');
  mkdirSync(context);
  scenario.prepare(context);
  writeFileSync(dockerfile, scenario.dockerfile);
  return { context, dockerfile };
}

interface ScenarioRun {
  readonly name: string;
  readonly measures: readonly Measure[];
  prime(): Promise<Measure>;
  round(round: number): Promise<Measure>;
}

function scenarioRun(
  name: string,
  { start }: Scenario,
  builder: Builder,
  place: Pick<CommandValues, 'context' | 'dockerfile' | 'registry'> & { readonly folder: string },
): ScenarioRun {
  const measures: Measure[] = [];
  const { folder, registry, ...files } = place;
  const kept = join(folder, `state-${builder.name}`);
  const build = async (tag: string, state: string): Promise<Measure> => {
    mkdirSync(state, { recursive: true });
    const destination = `${registry}/bench/${name}-${builder.name}-${tag}:t`;
    const cache = `${registry}/bench/${name}-${builder.name}/cache`;
    const command = filledIn(builder.commands[start] ?? '', { ...files, destination, cache, registry, state });
    return measure(`${builder.name}, ${name},`, command);
  };
  return {
    name: builder.name,
    measures,
    async prime() {
      const primed = await build('primed', kept);
      if (start === 'registry-cache') rmSync(kept, { recursive: true, force: true });
      return primed;
    },
    async round(round) {
      const state = start === 'warm' ? kept : mkdtempSync(join(folder, 'state-'));
      const measured = await build(`round-${round}`, state);
      measures.push(measured);
      if (start !== 'warm') rmSync(state, { recursive: true, force: true });
      return measured;
    },
  };
}

function shown({ seconds, cpuSeconds, peakMB }: Measure): string {
  return `${seconds.toFixed(2)} s (processor ${cpuSeconds.toFixed(2)} s) ${peakMB.toFixed(0)} MB`;
}
