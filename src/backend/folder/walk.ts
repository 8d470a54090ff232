/** Every file of a rootfs, but for what is out of the build's reach. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { type BytePath, joinPath, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import type { Place } from './layer-folder-place.ts';
import type { HostPath, Ownership, Seen } from './ownership.ts';

export interface Met {
  readonly path: BytePath;
  readonly host: HostPath;
  readonly seen: Seen;
}

/**
 * What is below `folder`, without it: a folder comes before what is in it, in no order else. A file that goes meanwhile is left
 * out. Throws BACKEND_FAILED for paths that are too long for a layer.
 */
export function* walk({ place, ownership }: { readonly place: Place; readonly ownership: Ownership }, folder: BytePath): Generator<Met> {
  const folders: BytePath[] = [folder];
  for (let inside = folders.pop(); inside !== undefined; inside = folders.pop()) {
    for (const name of namesIn(place, inside)) {
      const path = joinPath(inside, name);
      if (place.isKept(path)) continue;
      const host = place.host(path);
      const stats = reachable<BigIntStats | undefined>(path, () => lstatSync(host, { bigint: true, throwIfNoEntry: false }));
      if (stats === undefined) continue;
      const seen = ownership.see(path, host, stats);
      if (stats.isDirectory()) folders.push(path);
      yield { path, host, seen };
    }
  }
}

function namesIn(place: Place, folder: BytePath): string[] {
  try {
    return reachable(folder, () => readdirSync(place.host(folder), 'latin1'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

/** A command reaches any depth by steps; a layer is written, and laid again, by whole paths of at most 4095 bytes. */
function reachable<T>(path: BytePath, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENAMETOOLONG') throw cause;
    const start = textOf(path.slice(0, 60));
    throw new TsbuildError('BACKEND_FAILED', `the command left a path of ${path.length} bytes, too long for a layer: "/${start}..."`, {
      hint: 'remove such a deep folder in the same RUN; a path and that of the rootfs together may have 4095 bytes',
      cause,
    });
  }
}
