/** Mounts an overlay whose folders tsbuild has laid out (see OverlaySpec). Spec: kernel Documentation/filesystems/overlayfs.rst. */
import { join } from 'node:path';
import { MOUNT, mount } from '../../../sys/mount.ts';
import { step } from '../../command/setup-error.ts';
import type { OverlaySpec } from '../init-spec.ts';

/**
 * What an upper folder must not hold to be a plain layer: redirects, copied-up metadata without content, index entries.
 * `volatile` because nobody needs these files after a crash, and without it each unmount writes everything to disk.
 * Older kernels refuse options that they do not know, so there are three sets: 5.10, 4.19, 4.13.
 */
const OPTION_SETS = [
  'redirect_dir=nofollow,metacopy=off,index=off,xino=off,volatile',
  'redirect_dir=nofollow,metacopy=off,index=off,xino=off',
  'redirect_dir=off,index=off',
];

/** Returns the mount point, absolute. Changes the working directory. nodev: a RUN may make device nodes, never use them. */
export function mountOverlay({ folder, lowers, writable, style }: OverlaySpec): string {
  const names = Array.from({ length: lowers }, (_, i) => i).join(':');
  const upper = writable ? ',upperdir=u,workdir=w' : '';
  const xattrs = style === 'user' ? ',userxattr' : '';
  const flags = MOUNT.nodev | (writable ? 0 : MOUNT.readonly);
  step(`mount the overlay of ${lowers} folders`, () => {
    process.chdir(folder);
    for (const [i, options] of OPTION_SETS.entries()) {
      try {
        mount({ source: 'overlay', target: 'm', type: 'overlay', flags, data: `lowerdir=${names}${upper},${options}${xattrs}` });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EINVAL' || i === OPTION_SETS.length - 1) throw error;
      }
    }
  });
  return join(folder, 'm');
}
