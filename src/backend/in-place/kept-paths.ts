/**
 * What of `/` is this container's and not the image's: never written, removed or reported. A path that the user named is kept as
 * far as tsbuild reaches it: with the symlinks on the way.
 */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { type BytePath, type ByteString, bytesOf, cleanPath, forFs, joinPath, parentOf } from '../../bytes/byte-path.ts';

export interface KeptPaths {
  /** Relative to `/`; none is the root. */
  readonly all: readonly BytePath[];
  /** Those of them that an image may hold too without anybody minding: they are about the machine. */
  readonly quiet: ReadonlySet<BytePath>;
}

/** tsbuild's own, and Kaniko's, which people mount their credentials in. */
const OWN = ['/tsbuild', '/kaniko'];
const OF_THE_KERNEL = ['/proc', '/sys', '/dev'];
const OF_THE_MACHINE = ['/etc/resolv.conf', '/etc/hosts', '/etc/hostname', '/etc/mtab', '/.dockerenv', '/run/.containerenv'];
/** Kept where they hold something before the build: a context, a shell of a debug image. */
const WHERE_IN_USE = ['/workspace', '/busybox'];

export interface KeptQuestion {
  /** Absolute: files and folders of the build. Need not exist. */
  readonly named: readonly string[];
  /** Absolute: --ignore-path. Kept where they exist. */
  readonly ignored: readonly string[];
  /** Absolute, bytes: of /proc/self/mountinfo. */
  readonly mounts: readonly ByteString[];
  readonly varRun: 'keep' | 'keep mounts';
}

export function keptPaths({ named, ignored, mounts, varRun }: KeptQuestion): KeptPaths {
  const inRun = (path: ByteString): boolean => path.startsWith('/var/run/');
  const quiet = [...OF_THE_KERNEL, ...OF_THE_MACHINE, ...ignored.filter(exists)].map(bytesOf);
  // A mount in it keeps /var/run a folder, where an image mostly has a symlink to /run: as a whole it is not the image's then.
  if (varRun === 'keep' && mounts.some(inRun)) quiet.push('/var/run');
  const loud = [...OWN, ...WHERE_IN_USE.filter(isInUse), ...named].map(bytesOf);
  // The kernel names mounts by where they are.
  const all = new Set([...[...quiet, ...loud].flatMap(placesOf), ...mounts.map(cleanPath)]);
  return { all: [...all].filter((path) => path !== ''), quiet: new Set(quiet.flatMap(placesOf)) };
}

/** A path that holds `/` itself leaves nothing to build in. */
export function holdsRoot(named: readonly string[]): string | undefined {
  return named.find((path) => placesOf(bytesOf(path)).includes(''));
}

/** Where a path leads, and each symlink on the way. What is not there leads to itself. */
function placesOf(path: ByteString): BytePath[] {
  const found: BytePath[] = [];
  const rest = path
    .split('/')
    .filter((part) => part !== '')
    .reverse();
  let at: BytePath = '';
  for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
    if (name === '..') {
      at = parentOf(at);
      continue;
    }
    const child = name === '.' ? at : joinPath(at, name);
    const link = linkAt(child);
    // Loops end: Linux follows no more links than this either.
    if (link === undefined || found.length >= 40) at = child;
    else {
      found.push(child);
      rest.push(
        ...link
          .split('/')
          .filter((part) => part !== '')
          .reverse(),
      );
      if (link.startsWith('/')) at = '';
    }
  }
  return [...found, cleanPath(at)];
}

function linkAt(path: BytePath): ByteString | undefined {
  const host = forFs(`/${path}`);
  return lstatSync(host, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(host, 'latin1') : undefined;
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isInUse(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && readdirSync(path).length > 0;
}
