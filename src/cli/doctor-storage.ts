/** Where a build writes, for doctor: what kind of place each folder is, and how much room it has. */
import { readFileSync, statfsSync } from 'node:fs';
import type { StorageFacts } from '../report/doctor-facts.ts';

export interface Mount {
  readonly folder: string;
  readonly fileSystem: string;
}

export interface StoragePlace extends Pick<StorageFacts, 'use' | 'folder' | 'overlay'> {
  readonly mounts: readonly Mount[];
  readonly inContainer: boolean;
}

/** `folder` exists. */
export function storageFacts({ use, folder, overlay, mounts, inContainer }: StoragePlace): StorageFacts {
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  const mount = mountOf(folder, mounts);
  return {
    use,
    folder,
    place: !inContainer ? 'host' : mount?.folder === '/' ? 'container' : 'volume',
    fileSystem: mount?.fileSystem ?? null,
    freeBytes: bavail * bsize,
    freeInodes: files === 0 ? null : ffree,
    overlay,
  };
}

/** The mount that holds `folder`; of several at one place the last one, which hides the others. */
function mountOf(folder: string, mounts: readonly Mount[]): Mount | undefined {
  const holding = mounts.filter((mount) => folder === mount.folder || folder.startsWith(mount.folder === '/' ? '/' : `${mount.folder}/`));
  const longest = Math.max(...holding.map((mount) => mount.folder.length));
  return holding.findLast((mount) => mount.folder.length === longest);
}

/** What /proc/self/mountinfo says; empty where it cannot be read. Format: proc_pid_mountinfo(5). */
export function readMounts(): readonly Mount[] {
  try {
    return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  } catch {
    return [];
  }
}

/** Blanks and the like are written as `\040`. */
export function parseMounts(text: string): readonly Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const folder = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      return { folder, fileSystem: after.split(' ')[0] ?? '' };
    });
}
