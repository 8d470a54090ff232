/** What of `/` a RUN may not open although it is there: tsbuild's own files, those of the build, and credentials. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type ByteString, forFs } from '../../bytes/byte-path.ts';

/** tsbuild's own, and where people mount credentials for Kaniko. */
const OWN = ['/tsbuild', '/kaniko'];
const OF_THE_KERNEL = /^\/(?:proc|sys|dev)(?:\/|$)/;
/** Of Kubernetes: the token of the service account. */
const TOKENS = /^\/(?:var\/)?run\/secrets\//;

export interface ClosedQuestion {
  /** Absolute: files and folders of the build. Need not exist. */
  readonly named: readonly string[];
  /** Absolute, bytes: of /proc/self/mountinfo. */
  readonly mounts: readonly ByteString[];
}

/**
 * Absolute. Other volumes stay open, because commands may be meant to use them. So does what the user put into a folder that
 * everybody may write to, such as /tmp: other users than root could not make anything there any more.
 */
export function closedPlaces({ named, mounts }: ClosedQuestion): readonly string[] {
  const own = named.filter((path) => !OF_THE_KERNEL.test(path) && !isShared(dirname(path)));
  return [...OWN, ...own, ...mounts.filter((path) => TOKENS.test(path)).map((path) => forFs(path).toString())];
}

/** Whether this folder, or one above it, is everybody's. */
function isShared(folder: string): boolean {
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o002) !== 0 || (folder !== '/' && isShared(dirname(folder)));
}
