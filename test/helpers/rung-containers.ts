/** For each isolation that needs no namespaces, the container that it is made for, with tsbuild in it. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from './builds.ts';
import { type Container, type ContainerOptions, importBase, podmanRun, startContainer } from './podman.ts';
import { CHECKOUT } from './tsbuild-image.ts';

export type ContainerRung = 'in-place' | 'chroot' | 'proot';

export interface RungPlace {
  /** Of tsbuildImage(). */
  readonly tsbuildImage: string;
}

/** Waits until it is killed. */
const WAIT = ['--eval', 'setInterval(() => undefined, 2 ** 30)'];
/** What Docker and containerd give to root by default and podman does not. */
const RUNTIME_CAPABILITIES = '--cap-add=mknod,net_raw,audit_write';
/** Who restricted pods run as. */
export const RESTRICTED_USER = { uid: 1000, gid: 1000 } as const;

export interface RungContainer extends AsyncDisposable {
  readonly container: Container;
  /** Of this machine; the container's /workspace. */
  readonly workspace: string;
  /** The same of its /cache. */
  readonly cache: string;
  /** tsbuild with these arguments, in the container that runs already. */
  run(args: readonly string[]): Promise<Outcome>;
  /** A build with these flags, in there too. */
  tsbuild(flags: readonly string[]): Promise<Outcome>;
  /** The command line of a container of its own for one tsbuild, on the same volumes. */
  fresh(flags: readonly string[], podmanFlags?: readonly string[]): readonly string[];
}

/** The cache folder is a volume, /cache. */
export async function startRung(rung: ContainerRung, place: RungPlace): Promise<RungContainer> {
  const home = mkdtempSync(join(tmpdir(), `tsbuild-rung-${rung}-`));
  chmodSync(home, 0o755);
  const [workspace, cache] = [join(home, 'workspace'), join(home, 'cache')];
  for (const folder of [workspace, cache]) {
    mkdirSync(folder);
    if (rung === 'proot') chownSync(folder, RESTRICTED_USER.uid, RESTRICTED_USER.gid);
  }
  const { image, flags, node, tsbuild } = await shapeOf(rung, home, place);
  const all = [...flags, `--volume=${workspace}:/workspace`, `--volume=${cache}:/cache`, '--workdir=/workspace'];
  const own = [`--isolation=${rung}`, '--cache-dir=/cache'];
  const container = await startContainer({ image, flags: all, entrypoint: node, arguments: WAIT });
  return {
    container,
    workspace,
    cache,
    run: (args) => container.exec([...tsbuild, ...args]),
    tsbuild: (given) => container.exec([...tsbuild, ...own, ...given]),
    fresh(given, podmanFlags = []) {
      const [entrypoint = '', ...first] = tsbuild;
      return podmanRun({ image, flags: [...all, ...podmanFlags], entrypoint, arguments: [...first, ...own, ...given] });
    },
    async [Symbol.asyncDispose]() {
      await container[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface Shape extends Pick<ContainerOptions, 'image'> {
  readonly flags: readonly string[];
  readonly node: string;
  /** What starts tsbuild. */
  readonly tsbuild: readonly string[];
}

async function shapeOf(rung: ContainerRung, home: string, { tsbuildImage }: RungPlace): Promise<Shape> {
  const own = { image: tsbuildImage, node: '/tsbuild/bin/node', tsbuild: ['/kaniko/executor'] };
  switch (rung) {
    case 'in-place':
      return { ...own, flags: [RUNTIME_CAPABILITIES] };
    case 'proot': {
      const { uid, gid } = RESTRICTED_USER;
      return { ...own, flags: [`--user=${uid}:${gid}`, '--cap-drop=all', '--security-opt=no-new-privileges'] };
    }
    case 'chroot': {
      // "npm install --global tsbuild" in an image with Node.
      const node = '/opt/node/node';
      const program = join(home, 'tsbuild');
      // A copy, since dist/ may be made anew meanwhile.
      execFileSync(join(CHECKOUT, 'deploy/image/bundle.sh'), [program], { cwd: CHECKOUT, stdio: 'inherit' });
      return {
        image: await importBase('debian'),
        flags: [RUNTIME_CAPABILITIES, `--volume=${process.execPath}:${node}:ro`, `--volume=${program}:/opt/tsbuild:ro`],
        node,
        tsbuild: [node, '/opt/tsbuild/bin/tsbuild.js'],
      };
    }
  }
}
