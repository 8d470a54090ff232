/**
 * The rootfs of one stage: unpacked layers stacked by overlay, and for each RUN a fresh upper folder, which is the next
 * lower one once its command has ended. Nothing is mounted outside the namespaces of a RUN, so a killed tsbuild leaves
 * folders at most.
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { BytePath } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { DeviceMarks } from '../../layer/device-marks.ts';
import type { LayerEntry } from '../../layer/entry.ts';
import { removeTree } from '../../sys/remove-tree.ts';
import type { LayerMaterial, Rootfs, RunSpec } from '../backend.ts';
import { setupFailed } from '../command/run-errors.ts';
import { SetupError } from '../command/setup-error.ts';
import type { InitSpec, OverlayStyle } from './init-spec.ts';
import { withOtherNames } from './other-names.ts';
import { layOutLayers, type UnpackedLayer, unpacked, unpackedStack, upperOf } from './overlay-folder.ts';
import type { SandboxPrograms } from './programs.ts';
import { prepareMounts } from './run-mounts.ts';
import { type SandboxProcess, startSandbox } from './sandbox-process.ts';
import { readUpperChanges, type UpperFolder } from './upper-changes.ts';

export interface RootfsOptions {
  readonly programs: SandboxPrograms;
  /** Exists; the rootfs makes its own folder there. Absolute, on a file system that can carry an overlay. */
  readonly workFolder: string;
  readonly style: OverlayStyle;
  /** Given where the kernel makes no device nodes. */
  readonly devices?: DeviceHelp | undefined;
}

export interface DeviceHelp {
  /** How to mark what stands for them. */
  readonly marks: DeviceMarks;
  /** Whether commands can be helped to make new ones. */
  readonly canSupervise: boolean;
}

/** `layers`: lowest first. */
export async function openRootfs(layers: readonly LayerMaterial[], options: RootfsOptions, signal: AbortSignal): Promise<Rootfs> {
  const home = mkdtempSync(join(options.workFolder, 'rootfs-'));
  const rootfs = createRootfs(home, options);
  try {
    // While the layers are unpacked, so that it is ready when the first command is.
    rootfs.startAhead();
    for (const layer of await unpackedStack(layers, { folder: home, signal })) rootfs.push(layer);
    return rootfs;
  } catch (error) {
    await rootfs[Symbol.asyncDispose]();
    throw error;
  }
}

interface GrowingRootfs extends Rootfs {
  push(layer: UnpackedLayer): void;
  /** Starts the process of the next command. Throws BACKEND_FAILED. */
  startAhead(): void;
}

function createRootfs(home: string, { programs, style, devices }: RootfsOptions): GrowingRootfs {
  const stack: UnpackedLayer[] = [];
  let waiting: SandboxProcess | null = null;
  let runs = 0;
  /** What the last command left, until it is adopted. */
  let last: UpperFolder | null = null;
  let otherNames: ReadonlyMap<BytePath, BytePath> = new Map();

  /** The process that waits, or a new one; the next one starts when this one's command does, if there will be a next one. */
  const takeSandbox = (): SandboxProcess => {
    const taken = waiting ?? startSandbox(programs, home);
    waiting = null;
    return taken;
  };

  const startAhead = (): void => void (waiting = startSandbox(programs, home));
  return {
    startAhead,
    push: (layer) => void stack.push(layer),

    async lay(layer, signal) {
      if (last !== null) throw new Error('the changes of the last run are not adopted yet');
      stack.push(await unpacked(layer, { below: stack, folder: home, signal }));
    },

    async run(spec, signal) {
      if (last !== null) throw new Error('the changes of the last run are not adopted yet');
      signal.throwIfAborted();
      if ([...spec.argv, ...spec.env].some((text) => text.includes('\0'))) {
        throw new TsbuildError('RUN_FAILED', 'a command and its environment cannot hold NUL bytes');
      }
      const folder = join(home, `run${(runs += 1)}`);
      mkdirSync(folder);
      const prepared = await prepareRun(spec, { folder, stack, style, devices, signal });
      const status = await takeSandbox().run(prepared.init, {
        output: spec.output,
        started: () => (spec.next === 'none' ? undefined : attempt(startAhead)),
        devices: devices?.marks,
        signal,
      });
      last = prepared.upper;
      return status;
    },

    async *changes(signal): AsyncGenerator<LayerEntry> {
      if (last === null) throw new Error('nothing has been run');
      const changes = await readUpperChanges(last, signal);
      ({ otherNames } = changes);
      yield* changes.entries;
    },

    adopt(layer) {
      if (last === null) throw new Error('nothing has been run');
      const { folder } = last;
      last = null;
      const index = withOtherNames(layer.index, otherNames);
      stack.push({ index, folder });
      return { ...layer, index, folder: async () => folder };
    },

    async [Symbol.asyncDispose]() {
      const unused = waiting;
      waiting = null;
      await unused?.cancel();
      await removeTree(home);
    },
  };
}

/** For what is tried again when it is needed, and reports its failure then. */
function attempt(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
  }
}

interface RunPlace {
  /** Exists, empty. */
  readonly folder: string;
  readonly stack: readonly UnpackedLayer[];
  readonly style: OverlayStyle;
  readonly devices: DeviceHelp | undefined;
  readonly signal: AbortSignal;
}

async function prepareRun(spec: RunSpec, place: RunPlace): Promise<{ readonly init: InitSpec; readonly upper: UpperFolder }> {
  const { folder, stack, style, devices } = place;
  try {
    const mounts = await prepareMounts(spec, place);
    const root = join(folder, 'root');
    const mountPoints = mounts.map((mount) => mount.point);
    const { spec: overlay, tree, lowerFile, stubs } = layOutLayers({ folder: root, layers: stack, mountPoints, writable: true, style });
    const scratch = join(folder, 'memory');
    mkdirSync(scratch);
    const { argv, env, cwd, user, network, hostname } = spec;
    return {
      init: {
        root: overlay,
        scratch,
        mounts: mounts.map((mount) => mount.init),
        network,
        hostname,
        argv,
        env,
        cwd,
        user,
        devices: devices?.canSupervise === true ? 'ask' : 'kernel',
      },
      upper: { folder: upperOf(root), style, lower: tree, lowerFile, stubs, devices: devices?.marks },
    };
  } catch (error) {
    if (error instanceof SetupError) throw setupFailed(error.what, error.message, error.code);
    throw error;
  }
}
