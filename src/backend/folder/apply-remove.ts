/** Removes what is in a rootfs, but for what is out of the build's reach and the folders above that. */
import { type BigIntStats, lstatSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { type BytePath, joinPath, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { Place } from './layer-folder-place.ts';

export interface Removed {
  readonly path: BytePath;
  readonly stats: BigIntStats;
}

/** `stay`: mount points that nobody has named stay, with all that is mounted there. */
export type WhenBusy = 'fail' | 'stay';

/** Folders with longer paths are moved up first: a RUN can nest folders deeper than a path may be long (PATH_MAX, 4096 bytes). */
const LONG_PATH = 2048;

/**
 * Removes `path` with all below it, in steps: each file is yielded once it is gone. The parent of `path` is a folder. Throws
 * STORE_FAILED.
 */
export function* removing(place: Place, path: BytePath, whenBusy: WhenBusy): Generator<Removed, void, undefined> {
  if (place.isKept(path)) return;
  const host = place.host(path);
  const stats = guarded(path, () => lstatSync(host, { bigint: true, throwIfNoEntry: false }));
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    if (gone(path, whenBusy, () => unlinkSync(host))) yield { path, stats };
    return;
  }
  if (whenBusy === 'stay' && stats.dev !== lstatSync(place.root, { bigint: true }).dev) return;
  if (path.length > LONG_PATH) {
    const short: BytePath = `.tsbuild-deep-${stats.ino}`;
    guarded(path, () => renameSync(host, place.host(short)));
    yield* removing(place, short, whenBusy);
    yield { path, stats };
    return;
  }
  yield* removingBelow(place, path, whenBusy);
  if (place.isAboveKept(path)) return;
  if (gone(path, whenBusy, () => rmdirSync(host))) yield { path, stats };
}

/** All in a folder, which stays. */
export function* removingBelow(place: Place, path: BytePath, whenBusy: WhenBusy): Generator<Removed, void, undefined> {
  for (const name of guarded(path, () => readdirSync(place.host(path), 'latin1'))) yield* removing(place, joinPath(path, name), whenBusy);
}

/** Whether it is gone: what is mounted on, or holds what is, may stay. */
function gone(path: BytePath, whenBusy: WhenBusy, remove: () => void): boolean {
  try {
    remove();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (whenBusy === 'stay' && (code === 'EBUSY' || code === 'ENOTEMPTY')) return false;
    throw notRemoved(path, error);
  }
}

function guarded<T>(path: BytePath, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw notRemoved(path, error);
  }
}

function notRemoved(path: BytePath, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === undefined) return cause;
  return new TsbuildError('STORE_FAILED', `"/${textOf(path)}" of the rootfs cannot be removed: ${code}`, {
    hint: code === 'EPERM' ? 'is it immutable (chattr -i), or does another user own the folder that it is in?' : undefined,
    cause,
  });
}
