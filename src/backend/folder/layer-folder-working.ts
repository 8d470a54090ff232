/** The working directory of a RUN inside a rootfs, made where it is missing, as runc does. */
import { lstatSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { type BytePath, type ByteString, bytesOf, joinPath, parentOf, textOf } from '../../bytes/byte-path.ts';
import { TsbuildError } from '../../errors.ts';
import { systemError } from '../../sys/libc.ts';
import type { Place } from './layer-folder-place.ts';

const { ENOTDIR, ELOOP, EEXIST } = constants.errno;
const MAX_SYMLINKS = 40;

/**
 * Where `cwd`, absolute inside the rootfs, leads a process whose root that is: `..` and symlinks stop at the root. Parts that are
 * missing are made by `make`, but not what a symlink leads to. Throws BACKEND_FAILED.
 */
export function findWorkingFolder(place: Place, cwd: string, make: (path: BytePath) => void): BytePath {
  try {
    return partsOf(bytesOf(cwd)).reduce((at, name) => enterOrMake(place, joinPath(at, name), make), '');
  } catch (error) {
    if (error instanceof TsbuildError) throw error;
    throw new TsbuildError('BACKEND_FAILED', `cannot make the working directory ${cwd}: ${(error as Error).message}`, {
      hint: 'WORKDIR must name a folder or a place where one can be made: not below /proc or /sys, nor a file or a dangling symlink',
      cause: error,
    });
  }
}

/** The parent of `path` is a folder. */
function enterOrMake(place: Place, path: BytePath, make: (path: BytePath) => void): BytePath {
  const found = follow(place, path);
  if (found !== undefined) return found;
  if (lstatSync(place.host(path), { throwIfNoEntry: false }) !== undefined) throw systemError(EEXIST, 'mkdir', `/${textOf(path)}`);
  if (place.isKept(path)) throw new Error(`"/${textOf(path)}" is out of the build's reach`);
  make(path);
  return path;
}

/** The folder that `path` is or leads to; undefined: ENOENT. */
function follow(place: Place, path: BytePath): BytePath | undefined {
  const rest = partsOf(path).reverse();
  let at: BytePath = '';
  let symlinks = 0;
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const child = joinPath(at, name);
    const stats = lstatSync(place.host(child), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    if (stats.isSymbolicLink()) {
      if ((symlinks += 1) > MAX_SYMLINKS) throw systemError(ELOOP, 'chdir', `/${textOf(path)}`);
      const target = readlinkSync(place.host(child), 'latin1');
      if (target.startsWith('/')) at = '';
      rest.push(...partsOf(target).reverse());
    } else if (stats.isDirectory()) at = child;
    else throw systemError(ENOTDIR, 'chdir', `/${textOf(child)}`);
  }
  return at;
}

function partsOf(path: ByteString): ByteString[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
