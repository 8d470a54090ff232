/** --single-snapshot by the whole program: the same files in fewer layers, where RUN has an overlay and where it has none. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, removeCache, scratchFolder, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { lineOf, ociReader, type ReadImage } from '../helpers/oci-reader.ts';
import { missing } from '../helpers/tools.ts';

const sh = (script: string): string =>
  `RUN ["/bin/busybox", "sh", "-c", ${JSON.stringify(script.replaceAll(/\b(chmod|chown|ln|mkdir|mv|rm|touch)\b/g, '/bin/busybox $1'))}]`;

/** Hard links, whiteouts, a folder made anew, a file in a folder's place and back, what only lives between two steps. */
const DOCKERFILE = `FROM rootfs AS below
COPY files /below
${sh('echo x >/below/x; rm /opt/gone')}
FROM below
COPY files /files
${sh('rm -r /old; echo 1 >/temporary; echo h >/h; ln /h /opt/h; chmod 4755 /h')}
ENV A=1
${sh('rm /temporary; mkdir /old; echo n >/old/new; rm -r /files/d; echo file >/files/d; chown 7:8 /files/a')}
${sh('rm /files/d; mkdir -p /files/d/e; ln /h /files/d/h; rm /below/x')}
WORKDIR /w
CMD ["x"]
`;

describeUnless(missing(['root', 'busybox', 'docker-registry', 'python3']), 'a single snapshot', () => {
  let top: string;
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
    top = scratchFolder('single');
    for (const folder of ['rootfs/bin', 'rootfs/opt', 'rootfs/old/sub', 'context/files/d'])
      mkdirSync(join(top, folder), { recursive: true });
    copyFileSync('/bin/busybox', join(top, 'rootfs/bin/busybox'));
    for (const name of ['opt/gone', 'old/f', 'old/sub/f']) writeFileSync(join(top, 'rootfs', name), name);
    for (const name of ['a', 'd/c']) writeFileSync(join(top, 'context/files', name), name);
    writeFileSync(join(top, 'context/Dockerfile'), DOCKERFILE);
  });
  afterAll(async () => {
    removeCache(top);
    await registry[Symbol.asyncDispose]();
  });

  async function built(tag: string, ...flags: readonly string[]): Promise<ReadImage> {
    const argv = [
      ...[
        process.execPath,
        TSBUILD,
        '--reproducible',
        `--context=${join(top, 'context')}`,
        `--build-context=rootfs=${join(top, 'rootfs')}`,
      ],
      ...[`--cache-dir=${join(top, 'cache')}`, `--destination=${registry.host}/app:${tag}`, ...flags],
    ];
    const { code, log } = await execute(argv);
    expect([code, log]).toEqual([0, expect.stringContaining('Built in')]);
    return ociReader(registry.host).read('app', tag);
  }
  const filesOf = ({ files }: ReadImage): readonly string[] => [...files].map(([path, node]) => lineOf(path, node)).sort();

  test.each(['namespaces', 'chroot'])('has the files of all steps in one layer for each stage, with isolation %s', async (isolation) => {
    const many = await built(`many-${isolation}`, `--isolation=${isolation}`, '--no-cache');
    const single = await built(`single-${isolation}`, `--isolation=${isolation}`, '--no-cache', '--single-snapshot');
    expect(filesOf(single)).toEqual(filesOf(many));
    expect([many.manifest.layers.length, single.manifest.layers.length]).toEqual([8, 3]);
    expect((single.config.history ?? []).filter((entry) => entry.empty_layer !== true)).toHaveLength(3);
    expect(single.files.get('/h')?.links).toEqual(['/h', '/opt/h']);
  });

  test.each(['namespaces', 'chroot'])('is the same from cached steps, with isolation %s', async (isolation) => {
    const anew = await built('anew', `--isolation=${isolation}`, '--single-snapshot', '--no-cache');
    await built('filled', `--isolation=${isolation}`);
    const cached = await built('cached', `--isolation=${isolation}`, '--single-snapshot');
    expect(anew.manifest.layers).toHaveLength(3);
    expect(cached.digest).toBe(anew.digest);
  });
});
