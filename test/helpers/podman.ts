/** Containers of Debian's podman, as a Kubernetes node starts them: runc, and the seccomp profile that Docker and containerd have as RuntimeDefault. */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { execute, type Outcome } from './builds.ts';
import { type BaseName, baseTar } from './debian-base.ts';
import { missing } from './tools.ts';

/** The public default profile of Docker and containerd; podman's own allows more. */
export const SECCOMP_PROFILE = fileURLToPath(new URL('../config/seccomp-runtime-default.json', import.meta.url));

/** Why no containers can be started here, or undefined. */
export function podmanMissing(): string | undefined {
  return missing(['root', 'podman', 'runc']);
}

export interface ContainerOptions {
  readonly image: string;
  /** Of `podman run`, beyond those that make the container like a pod's. */
  readonly flags?: readonly string[];
  /** Replaces the image's entry point: a container that others `exec` in needs something that waits. */
  readonly entrypoint?: string;
  readonly arguments?: readonly string[];
}

/** The command line that starts a container on the network of this machine. */
export function podmanRun({ image, flags = [], entrypoint, arguments: args = [] }: ContainerOptions): readonly string[] {
  // crun refuses the cgroups of some machines, and limits above this process's own are refused by all.
  const own = ['--runtime', 'runc', 'run', '--rm', '--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096', '--network=host'];
  const entry = entrypoint === undefined ? [] : [`--entrypoint=${entrypoint}`];
  return ['podman', ...own, `--security-opt=seccomp=${SECCOMP_PROFILE}`, ...entry, ...flags, image, ...args];
}

export interface Container extends AsyncDisposable {
  readonly name: string;
  /** Runs a program in it to its end. */
  exec(argv: readonly string[]): Promise<Outcome>;
}

/** Starts one that waits, by `entrypoint` and `arguments`. Throws what podman says when it does not start. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const name = `tsbuild-test-${randomUUID()}`;
  const started = await execute(podmanRun({ ...options, flags: ['--detach', '--name', name, ...(options.flags ?? [])] }));
  if (started.code !== 0) throw new Error(`no container of ${options.image}: ${started.log}`);
  return {
    name,
    exec: (argv) => execute(['podman', '--runtime', 'runc', 'exec', name, ...argv]),
    [Symbol.asyncDispose]: async () => void (await execute(['podman', '--runtime', 'runc', 'rm', '--force', '--time=0', name])),
  };
}

/** An image of a test base in podman's storage, by a name that `podman run` knows. */
export async function importBase(base: BaseName): Promise<string> {
  const name = `localhost/tsbuild-test-base-${base}:1`;
  const { code, log } = await execute(['podman', 'import', '--quiet', baseTar(base), name]);
  if (code !== 0) throw new Error(`podman imports no ${base}: ${log}`);
  return name;
}
