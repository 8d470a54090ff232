/** Whether this is a container, whose `/` may be given up, or a machine that people live on. */
import { existsSync, readFileSync } from 'node:fs';

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  exists(path: string): boolean;
  /** '' for what cannot be read. */
  read(path: string): string;
}

export function surroundings(): Surroundings {
  return {
    env: process.env,
    pid: process.pid,
    exists: existsSync,
    read(path) {
      try {
        return readFileSync(path, 'latin1');
      } catch {
        return '';
      }
    },
  };
}

/** What says that this is a container; undefined: nothing does. */
export function signOfContainer({ env, pid, exists, read }: Surroundings): string | undefined {
  // Made by Docker, by podman and CRI-O.
  for (const file of ['/.dockerenv', '/run/.containerenv']) if (exists(file)) return file;
  for (const name of ['KUBERNETES_SERVICE_HOST', 'container']) if (env[name]) return `the variable ${name}`;
  if (pid === 1) return 'tsbuild being process 1';
  if (/docker|containerd|kubepods|libpod|crio|lxc/.test(read('/proc/1/cgroup'))) return '/proc/1/cgroup';
  // The root of a machine is a file system of a device; that of a container comes from layers.
  return /^\S+ \S+ \S+ \S+ \/ .* - (?:overlay|fuse\.fuse-overlayfs|aufs) /m.test(read('/proc/self/mountinfo'))
    ? 'the overlay at /'
    : undefined;
}
