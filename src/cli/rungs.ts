/**
 * The ladder of isolation, from the rung that hides most to the one that asks least: each is tried in this order, and the first
 * that works here is taken. Beside wire.ts, because `doctor` climbs it too, and because many builds run no command.
 */
import type { Backend, IsolationName, Probe } from '../backend/backend.ts';
import { probeNamespaces } from '../backend/namespaces/probe.ts';
import type { Report } from '../build/events.ts';
import { TsbuildError } from '../errors.ts';
import type { DeviceMarks } from '../layer/device-marks.ts';

/** Programs of this bundle that become other processes. Absolute paths. */
export interface BundledPrograms {
  /** The first process of a RUN's namespaces. */
  readonly init: string;
}

export interface RungPlace {
  /** Where rootfs are kept; made when missing. Absolute. */
  readonly workFolder: string;
  readonly programs: BundledPrograms;
  /** See NamespacesProbe. */
  readonly devices: DeviceMarks | undefined;
}

interface Rung {
  readonly name: IsolationName;
  probe(place: RungPlace): Promise<Probe>;
}

export const LADDER: readonly Rung[] = [
  {
    name: 'namespaces',
    probe: ({ workFolder, programs, devices }) => probeNamespaces({ workFolder, initPath: programs.init, devices }),
  },
];

/** Throws BACKEND_UNAVAILABLE saying why each rung that was tried does not work here. */
export async function chooseBackend(wanted: 'auto' | IsolationName, place: RungPlace, report: Report): Promise<Backend> {
  const missing: Exclude<Probe, { works: true }>[] = [];
  for (const rung of LADDER) {
    if (wanted !== 'auto' && wanted !== rung.name) continue;
    const probe = await rung.probe(place);
    if (probe.works) return probe.backend();
    report({ type: 'debug', message: `RUN cannot be executed by ${rung.name}: ${probe.why}` });
    missing.push(probe);
  }
  throw unavailable(missing);
}

function unavailable(missing: readonly Exclude<Probe, { works: true }>[]): TsbuildError {
  const [first] = missing;
  if (first === undefined) throw new Error('a rung was asked for that the ladder lacks');
  if (missing.length === 1)
    return new TsbuildError('BACKEND_UNAVAILABLE', `RUN cannot be executed here: ${first.why}`, { hint: first.hint });
  const reasons = missing.map(({ name, why }) => `${name}: ${why}`).join('; ');
  return new TsbuildError('BACKEND_UNAVAILABLE', `RUN cannot be executed here: ${reasons}`, {
    hint: `${missing[0]?.hint}; "tsbuild doctor" tells more`,
  });
}
