/**
 * The ladder of isolation, from the rung that hides most to the one that asks least: each is tried in this order, and the first
 * that works here is taken. Beside wire.ts, because `doctor` climbs it too, and because many builds run no command.
 */
import type { Backend, IsolationName, Probe } from '../backend/backend.ts';
import { probeChroot } from '../backend/chroot/probe.ts';
import { type InPlaceOptions, probeInPlace } from '../backend/in-place/probe.ts';
import { probeNamespaces } from '../backend/namespaces/probe.ts';
import { probeProot } from '../backend/proot/probe.ts';
import type { Report } from '../build/events.ts';
import { TsbuildError } from '../errors.ts';
import type { DeviceMarks } from '../layer/device-marks.ts';

/** Programs of this bundle that become other processes. Absolute paths. */
export interface BundledPrograms {
  /** The first process of a RUN's namespaces. */
  readonly init: string;
  /** What becomes a RUN's command where there are no namespaces. */
  readonly run: string;
  /** What becomes a RUN's proot. */
  readonly runProot: string;
}

export interface RungPlace {
  /** Where rootfs are kept; made when missing. Absolute. */
  readonly workFolder: string;
  readonly programs: BundledPrograms;
  /** See NamespacesProbe. */
  readonly devices: DeviceMarks | undefined;
  /** undefined: it is only asked what would work. */
  readonly build?: BuildPlace;
}

export interface BuildPlace {
  readonly inPlace: InPlaceOptions;
  warn(message: string): void;
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
  {
    name: 'in-place',
    probe: ({ programs, build = NO_BUILD }) =>
      probeInPlace({ ...build.inPlace, warn: build.warn, programs: commandPrograms(programs), bundle: import.meta.filename }),
  },
  {
    name: 'chroot',
    probe: ({ workFolder, programs, build = NO_BUILD }) =>
      probeChroot({ workFolder, programs: commandPrograms(programs), warn: build.warn }),
  },
  {
    name: 'proot',
    probe: ({ workFolder, programs }) => probeProot({ workFolder, node: process.execPath, run: programs.runProot }),
  },
];

const NO_BUILD: BuildPlace = {
  inPlace: { kept: [], ignored: [], varRun: 'keep', outsideContainer: 'refused', afterwards: 'left' },
  warn: () => undefined,
};

function commandPrograms({ run }: BundledPrograms): { readonly node: string; readonly run: string } {
  return { node: process.execPath, run };
}

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
