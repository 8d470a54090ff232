/**
 * The files that say where names of hosts lead, for RUNs and for tsbuild alike: a container's runtime mounts them, so what a command
 * writes to them would stay. As in Docker, no RUN sees what another one wrote there; nor does a push.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILES = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname'];

/** Remembers them; the returned function puts back what is other then. Throws system errors. */
export function keepNetworkFiles(): () => void {
  const before = FILES.map((path) => ({ path, bytes: read(path) }));
  return () => {
    // In place, because a mount can be replaced by nothing.
    for (const { path, bytes } of before) if (bytes !== undefined && read(path)?.equals(bytes) !== true) writeFileSync(path, bytes);
  };
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
