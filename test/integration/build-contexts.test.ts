/** --build-context by the whole program: folders, layouts, and what is in the image for them. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { execute, type Outcome, TSBUILD } from '../helpers/builds.ts';
import { describeUnless } from '../helpers/describe-unless.ts';
import { missing } from '../helpers/tools.ts';

describeUnless(missing(['umoci', 'busybox']), '--build-context', () => {
  let top: string;
  beforeAll(() => {
    top = mkdtempSync(join(tmpdir(), 'tsbuild-contexts-'));
    for (const path of ['main', 'rootfs/bin', 'more/kept']) mkdirSync(join(top, path), { recursive: true });
    writeFileSync(join(top, 'main/f'), 'main');
    // As `busybox-static` installs it: it needs no libraries.
    copyFileSync('/bin/busybox', join(top, 'rootfs/bin/busybox'));
    writeFileSync(join(top, 'more/kept/x'), 'x');
    writeFileSync(join(top, 'more/hidden'), 'hidden');
    writeFileSync(join(top, 'more/.dockerignore'), 'hidden\n');
    writeFileSync(join(top, 'Dockerfile.dockerignore'), 'kept\n');
  });
  afterAll(() => rmSync(top, { recursive: true }));

  function build(dockerfile: string, flags: readonly string[]): Promise<Outcome> {
    writeFileSync(join(top, 'Dockerfile'), dockerfile);
    const files = [`--context=${join(top, 'main')}`, `--dockerfile=${join(top, 'Dockerfile')}`, `--cache-dir=${join(top, 'cache')}`];
    return execute([process.execPath, TSBUILD, ...files, '--no-push', ...flags]);
  }

  /** The files of an image in a layout, by umoci. */
  function unpacked(layout: string): string {
    const bundle = mkdtempSync(join(top, 'bundle-'));
    execFileSync('umoci', ['unpack', '--rootless', '--image', layout, join(bundle, 'image')], { stdio: 'pipe' });
    return join(bundle, 'image/rootfs');
  }

  test('a folder is a base, a source and a mount, by its own .dockerignore', async () => {
    const layout = join(top, 'one');
    const built = await build(
      `FROM rootfs
COPY --from=more / /more/
RUN --mount=from=more,source=kept,target=/m ["/bin/busybox", "cp", "/m/x", "/from-mount"]
`,
      [
        `--build-context=rootfs=${join(top, 'rootfs')}`,
        `--build-context=more=${join(top, 'more')}`,
        `--oci-layout-path=${layout}`,
        '-d',
        'app:v1',
      ],
    );
    expect([built.code, built.log]).toEqual([0, expect.not.stringContaining('warning')]);
    const files = unpacked(`${layout}:v1`);
    const listed = execFileSync('find', ['.', '-type', 'f', '-printf', '%P\n'], { cwd: files, encoding: 'utf8' }).trim().split('\n');
    expect(listed.sort()).toEqual(['bin/busybox', 'from-mount', 'more/.dockerignore', 'more/kept/x']);
    expect(readFileSync(join(files, 'from-mount'), 'utf8')).toBe('x');
  });

  test('an image of a layout replaces a stage, for the platform that is built', async () => {
    const several = join(top, 'several');
    const platforms = '--platform=linux/amd64,linux/arm64';
    const first = await build('FROM scratch\nARG TARGETARCH\nCOPY f /$TARGETARCH\n', [
      platforms,
      `--oci-layout-path=${several}`,
      '-d',
      'app:base',
    ]);
    expect([first.code, first.log]).toEqual([0, expect.stringContaining('[linux/arm64 stage-0 ')]);
    const layout = join(top, 'two');
    const built = await build('FROM nowhere AS base\nRUN never\nFROM base\nCOPY f /f\n', [
      '--platform=linux/arm64',
      `--build-context=base=oci-layout://${several}:base`,
      `--oci-layout-path=${layout}`,
      '-d',
      'app:v1',
    ]);
    expect([built.code, built.log]).toEqual([0, expect.stringContaining('Built')]);
    const files = unpacked(`${layout}:v1`);
    expect(execFileSync('find', ['.', '-type', 'f', '-printf', '%P\n'], { cwd: files, encoding: 'utf8' })).toMatch(
      /^(arm64\nf\n|f\narm64\n)$/,
    );
  });

  test('a path that a named folder hides is told with the line that hides it', async () => {
    const failed = await build('FROM scratch\nCOPY --from=more hidden /\n', [`--build-context=more=${join(top, 'more')}`]);
    expect(failed.code).toBe(1);
    expect(failed.log).toContain('.dockerignore');
    expect(failed.log).toContain('Dockerfile:2');
  });

  test('a name that nothing has is told with the nearest one', async () => {
    const built = await build('FROM scratch\nCOPY --from=more kept /\n', [
      `--build-context=more=${join(top, 'more')}`,
      `--build-context=mor=${join(top, 'more')}`,
    ]);
    expect([built.code, built.log]).toEqual([0, expect.stringContaining('--build-context mor is not used')]);
    expect(built.log).toContain('did you mean "more"?');
  });
});
