/**
 * The first journey of a user, as root and as an ordinary user: a compiler installed on Debian, a program compiled in one stage
 * and copied into the next, pushed, and run from the registry by podman. Both builds must make the same file systems.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compareImages, execute, runTsbuild, scratchFolder } from '../helpers/builds.ts';
import { baseMissing, pushBase } from '../helpers/debian-base.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { type OciReader, ociReader } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';
import { type UnprivilegedUser, unprivilegedUser } from '../helpers/unprivileged-user.ts';

/** Logs and ldconfig's cache of inode numbers differ from one installation to the next, whoever makes it. */
const DOCKERFILE = `FROM debian:12 AS build
RUN apt-get update \\
 && apt-get install -y --no-install-recommends libc6-dev tcc \\
 && apt-get clean \\
 && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/ldconfig/aux-cache /var/cache/apt/*.bin
WORKDIR /src
COPY hello.c .
RUN tcc -Wall -Werror -o hello hello.c

FROM debian:12
RUN groupadd --gid 4321 app && useradd --uid 4321 --gid app --create-home app
COPY --from=build --chown=app:app /src/hello /usr/local/bin/hello
WORKDIR /home/app
USER app
ENV GREETING=hello
ENTRYPOINT ["/usr/local/bin/hello"]
CMD ["world"]
`;

const HELLO = `#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) {
  printf("%s, %s; uid %d gid %d\\n", getenv("GREETING"), argc > 1 ? argv[1] : "?", getuid(), getgid());
  return 0;
}
`;

const ordinary = unprivilegedUser();
const lacking = missing(['root', 'docker-registry', 'podman', 'runc', 'python3']) ?? baseMissing('debian');

describeUnless(lacking, 'a compiled program in an image', () => {
  let registry: DockerRegistry;
  let reader: OciReader;
  const scratch: string[] = [];
  const folder = (prefix: string, owner?: UnprivilegedUser): string => {
    const made = scratchFolder(prefix, owner);
    scratch.push(made);
    return made;
  };

  beforeAll(async () => {
    registry = await startDockerRegistry();
    reader = ociReader(registry.host);
    await pushBase(registry.host, 'debian');
  });
  afterAll(async () => {
    await registry[Symbol.asyncDispose]();
    for (const path of scratch) rmSync(path, { recursive: true, force: true });
  });

  async function build(name: string, user?: UnprivilegedUser): Promise<void> {
    const cacheFolder = folder('cache', user);
    const context = folder('context');
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE, { mode: 0o644 });
    writeFileSync(join(context, 'hello.c'), HELLO, { mode: 0o644 });
    const staged = { folder: context, context, dockerfile: join(context, 'Dockerfile') };
    const common = { host: registry.host, staged, cacheFolder, ...(user === undefined ? {} : { user }) };
    for (const [to, target] of [
      [`${name}/app:1`, undefined],
      [`${name}/build:1`, 'build'],
    ] as const) {
      const outcome = await runTsbuild({ ...common, to, options: target === undefined ? {} : { target } });
      expect(outcome.code, outcome.log).toBe(0);
    }
  }

  async function run(image: string): Promise<string> {
    const storage = folder('podman');
    const podman = ['podman', '--root', join(storage, 'root'), '--runroot', join(storage, 'run'), '--storage-driver', 'overlay'];
    const limits = ['--runtime', 'runc', '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096', '--network=host'];
    try {
      const outcome = await execute([...podman, 'run', '--rm', '--quiet', '--tls-verify=false', ...limits, `${registry.host}/${image}`]);
      expect(outcome.code, outcome.log).toBe(0);
      return outcome.stdout;
    } finally {
      await execute([...podman, 'system', 'reset', '--force']);
    }
  }

  test('built by root, it runs under podman as its own user', async () => {
    await build('root');
    expect(await run('root/app:1')).toBe('hello, world; uid 4321 gid 4321\n');
    const image = await reader.read('root/app', '1', 'own layers');
    expect(image.files.get('/usr/local/bin/hello')).toMatchObject({ type: 'file', mode: 0o755, uid: 4321, gid: 4321 });
    expect([...image.files.keys()].filter((path) => path.includes('tcc') && path.startsWith('/usr/bin'))).toEqual([]);
  });

  describeUnless(typeof ordinary === 'string' ? ordinary : undefined, 'rootless', () => {
    test('built by an ordinary user, it runs and is the same image', async () => {
      if (typeof ordinary === 'string') throw new Error(ordinary);
      await build('rootless', ordinary);
      expect(await run('rootless/app:1')).toBe('hello, world; uid 4321 gid 4321\n');
      for (const repository of ['app', 'build']) {
        const [byRoot, rootless] = [
          await reader.read(`root/${repository}`, '1'),
          await reader.read(`rootless/${repository}`, '1', 'own layers'),
        ];
        expect(compareImages(byRoot, rootless)).toEqual([]);
      }
    });
  });
});
