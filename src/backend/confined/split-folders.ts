/** The split folders of a confinement, held open, and which entry of theirs a caller may change. */
import { closeSync, constants, openSync, readlinkSync, statSync } from 'node:fs';
import { type ByteString, baseName, forFs } from '../../bytes/byte-path.ts';
import { AT_FDCWD } from '../supervised/caller.ts';
import type { Confinement } from './confinement.ts';

const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

export interface CallerPath {
  /** Of the caller. */
  readonly pid: number;
  /** AT_FDCWD or a descriptor of the caller. */
  readonly folder: number;
  readonly path: ByteString;
}

export interface SplitFolders extends Disposable {
  /**
   * Where the entry is, by the folder's descriptor, so that whatever the caller moves meanwhile it is an entry of that folder.
   * undefined: the path names something elsewhere, or what is closed or split itself. Throws system errors.
   */
  entry(path: CallerPath): string | Buffer | undefined;
}

interface OpenFolder {
  readonly path: string;
  readonly fd: number;
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Throws system errors. */
export function openSplitFolders({ split, pinned }: Pick<Confinement, 'split' | 'pinned'>): SplitFolders {
  const fixed = new Set(pinned);
  const folders: OpenFolder[] = [];
  const close = (): void => {
    for (const { fd } of folders.splice(0)) closeSync(fd);
  };
  try {
    for (const path of split) folders.push(openFolder(path));
  } catch (error) {
    close();
    throw error;
  }
  return {
    entry({ pid, folder, path }) {
      const name = baseName(path);
      if (name === '' || name === '.' || name === '..') return undefined;
      // In a chroot of its own the caller's paths mean something else.
      if (readlinkSync(`/proc/${pid}/root`) !== '/') return undefined;
      const above = path.slice(0, path.length - name.length);
      const from = folder === AT_FDCWD ? 'cwd' : `fd/${folder}`;
      const parent = statSync(forFs(path.startsWith('/') ? above : `/proc/${pid}/${from}/${above}`), { bigint: true });
      const found = folders.find(({ dev, ino }) => dev === parent.dev && ino === parent.ino);
      if (found === undefined || fixed.has(found.path === '/' ? `/${name}` : `${found.path}/${name}`)) return undefined;
      return forFs(`/proc/self/fd/${found.fd}/${name}`);
    },
    [Symbol.dispose]: close,
  };
}

function openFolder(path: string): OpenFolder {
  const fd = openSync(forFs(path), O_PATH | constants.O_DIRECTORY | O_CLOEXEC);
  const { dev, ino } = statSync(`/proc/self/fd/${fd}`, { bigint: true });
  return { path, fd, dev, ino };
}
