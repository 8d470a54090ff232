/**
 * Whether the `in-place` rung works here: root in a container of tsbuild's own image, where nothing else is lost when `/` becomes
 * the rootfs. Each RUN is a plain process of the container.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { MOUNT, restrictionsOf } from '../../sys/mount.ts';
import { knowsSyscalls } from '../../sys/syscalls.ts';
import type { Probe } from '../backend.ts';
import { hasCapability } from '../command/capabilities.ts';
import type { CommandPrograms } from '../command/start-command.ts';
import { closedPlaces } from './closed-places.ts';
import { signOfContainer, surroundings } from './container.ts';
import { inPlaceBackend } from './in-place-backend.ts';
import { holdsRoot, keptPaths } from './kept-paths.ts';
import { mountPoints } from './mount-points.ts';

/** Of the image: what survives when a base is laid over `/`. */
const HOME = '/tsbuild/';

export interface InPlaceOptions {
  /** Absolute: what of this build lies on this machine, such as the context, the cache folder and outputs. */
  readonly kept: readonly string[];
  /** --ignore-path; absolute. */
  readonly ignored: readonly string[];
  /** --ignore-var-run=false: `keep mounts`. */
  readonly varRun: 'keep' | 'keep mounts';
  /** --force: `allowed`. */
  readonly outsideContainer: 'refused' | 'allowed';
  /** --cleanup: `cleared`. --preserve-context: `as before`, which this rung cannot do. */
  readonly afterwards: 'left' | 'cleared' | 'as before';
}

export interface InPlaceProbe extends InPlaceOptions {
  readonly programs: CommandPrograms;
  /** The running bundle. Absolute. */
  readonly bundle: string;
  warn(message: string): void;
}

interface Obstacle {
  readonly why: string;
  readonly hint: string;
}

export async function probeInPlace(asked: InPlaceProbe): Promise<Probe> {
  const obstacle = rightsObstacle() ?? imageObstacle(asked) ?? placeObstacle(asked);
  if (obstacle !== undefined) return { works: false, name: 'in-place', ...obstacle };
  return {
    works: true,
    name: 'in-place',
    backend() {
      const mounts = mountPoints(readFileSync('/proc/self/mountinfo', 'latin1'));
      const kept = keptPaths({ named: asked.kept, ignored: asked.ignored, mounts, varRun: asked.varRun });
      // An image may have a /workspace of its own where the container has none in use. In the shell's folder tsbuild finds programs.
      const inUse = ['workspace', 'busybox'].filter((path) => kept.all.includes(path)).map((path) => `/${path}`);
      return inPlaceBackend({
        kept,
        closed: closedPlaces({ named: [...asked.kept, ...inUse], mounts }),
        programs: asked.programs,
        afterwards: asked.afterwards === 'cleared' ? 'cleared' : 'left',
        warn: asked.warn,
      });
    },
  };
}

/** What installing packages and changing users takes. */
const NEEDED: Readonly<Record<string, bigint>> = { CHOWN: 0n, DAC_OVERRIDE: 1n, FOWNER: 3n, SETGID: 6n, SETUID: 7n };

function rightsObstacle(): Obstacle | undefined {
  if (process.platform !== 'linux' || !knowsSyscalls()) {
    return { why: `there is no support for ${process.platform} on ${process.arch}`, hint: 'use Linux on amd64 or arm64' };
  }
  if (process.geteuid?.() !== 0) return { why: 'only root can write to /', hint: 'run the container as root (Kubernetes: runAsUser: 0)' };
  const lacking = Object.entries(NEEDED).flatMap(([name, number]) => (hasCapability(number) ? [] : [name]));
  if (lacking.length === 0) return undefined;
  return {
    why: `this root lacks ${lacking.map((name) => `CAP_${name}`).join(', ')}`,
    hint: `Kubernetes: securityContext.capabilities.add: [${lacking.join(', ')}]; docker run ${lacking.map((name) => `--cap-add ${name}`).join(' ')}`,
  };
}

function imageObstacle({ programs, bundle }: InPlaceProbe): Obstacle | undefined {
  const strangers = [programs.node, programs.run, dirname(bundle), ...loadedFiles()].filter((path) => !path.startsWith(HOME));
  if (strangers.length === 0) return undefined;
  return {
    why: `tsbuild needs ${strangers[0]}, which a base image laid over / would replace`,
    hint: "in place works only in tsbuild's own image, where all of it lies in /tsbuild",
  };
}

/** What this process has in memory: the program, its loader, libraries and native modules. */
function loadedFiles(): string[] {
  const maps = readFileSync('/proc/self/maps', 'utf8').matchAll(/^\S+ ..x. \S+ \S+ \d+\s+(\/.*)$/gm);
  return [...maps].map((match) => match[1] ?? '');
}

function placeObstacle({ kept, outsideContainer, afterwards }: InPlaceProbe): Obstacle | undefined {
  if (outsideContainer === 'refused' && signOfContainer(surroundings()) === undefined) {
    return {
      why: 'this does not look like a container, and all that is in / would be removed',
      hint: 'run it in a container; or, where everything here may be lost, give --force',
    };
  }
  if (afterwards === 'as before') {
    return {
      why: 'what is in / is lost, which --preserve-context forbids',
      hint: 'leave --preserve-context out; what later steps need is safe in a volume',
    };
  }
  const root = holdsRoot(kept);
  if (root !== undefined)
    return { why: `${root} is / itself, which the build replaces`, hint: 'put the files of the build into a folder or a volume' };
  if ((restrictionsOf('/') & MOUNT.readonly) === 0) return undefined;
  return { why: '/ is read-only', hint: 'Kubernetes: securityContext.readOnlyRootFilesystem: false; docker run without --read-only' };
}
