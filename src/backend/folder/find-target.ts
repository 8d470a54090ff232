/** Where the target of a mount leads inside a rootfs that is a plain folder, while no command runs in it. */
import { type BigIntStats, lstatSync, readlinkSync } from 'node:fs';
import { type BytePath, type ByteString, bytesOf, joinPath, parentOf, textOf } from '../../bytes/byte-path.ts';
import { noMountPoint, SetupError } from '../command/setup-error.ts';

/** As many as Linux follows in one path (MAXSYMLINKS). */
const MAX_SYMLINKS = 40;

export interface Target {
  /** None of its parents is a symlink, nor itself. */
  readonly path: BytePath;
  /** undefined: not there, and parents of it may be missing, too. */
  readonly stats: BigIntStats | undefined;
}

/**
 * Symlinks and `..` stay inside the root; a dangling symlink leads to what it names, as it does for Docker. `target`: absolute.
 * Throws SetupError where it leads below a file.
 */
export function findTarget(host: (path: BytePath) => string | Buffer, target: string): Target {
  const rest = partsOf(bytesOf(target)).reverse();
  let path: BytePath = '';
  let stats = lookAt(host(''));
  let symlinks = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '..') {
      // As the kernel does: there is no way up from a folder that is not there.
      if (stats === undefined) throw noMountPoint(target, `/${textOf(path)}`);
      path = parentOf(path);
      stats = lookAt(host(path));
      continue;
    }
    const child = joinPath(path, name);
    const found = stats === undefined ? undefined : lookAt(host(child));
    if (found?.isSymbolicLink() === true) {
      if ((symlinks += 1) > MAX_SYMLINKS) throw new SetupError(`mount ${target}`, 'too many symlinks in the image lead there');
      const link = readlinkSync(host(child), 'latin1');
      rest.push(...partsOf(link).reverse());
      if (link.startsWith('/')) path = '';
      stats = lookAt(host(path));
      continue;
    }
    if (rest.length > 0 && found !== undefined && !found.isDirectory()) {
      throw new SetupError(`mount ${target}`, `/${textOf(child)} is not a folder in the image`);
    }
    path = child;
    stats = found;
  }
  return { path, stats };
}

function lookAt(path: string | Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

function partsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
