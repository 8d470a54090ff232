/**
 * The image of deploy/Dockerfile in podman's storage, made of this checkout's dist/. What does not change with dist/ (Debian's
 * programs, Node) is kept as an OCI layout in the tests' cache folder; the rest takes seconds. Making one twice at once is
 * wasteful, never wrong.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute } from './builds.ts';
import { baseMissing, cacheFolder, pushBase } from './debian-base.ts';
import { startDockerRegistry } from './docker-registry.ts';
import { missing } from './tools.ts';

export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const RUNTIME_SOURCES = ['deploy/Dockerfile', 'deploy/image/collect.sh'];
const PROGRAM_SOURCES = ['bin', 'deploy/image', 'dist', 'node_modules/koffi/package.json'];
const ONLINE_MS = 10_000;

/** Why the image cannot be had here, or undefined. */
export async function tsbuildImageMissing(): Promise<string | undefined> {
  const lacking = missing(['root', 'docker-registry', 'podman', 'runc', 'skopeo']) ?? baseMissing('debian-13');
  if (lacking !== undefined || existsSync(runtimeLayout())) return lacking;
  return offline();
}

/** Why a build from nothing, with packages from their registries, cannot be done here, or undefined. */
export async function offline(): Promise<string | undefined> {
  try {
    await fetch(npmRegistry(), { method: 'HEAD', signal: AbortSignal.timeout(ONLINE_MS) });
    return undefined;
  } catch {
    return 'needs the registry of npm';
  }
}

/** A name for `podman run`. The image is kept until podman's storage is cleared. */
export async function tsbuildImage(): Promise<{ readonly name: string }> {
  const runtime = await runtimeImage();
  const name = `localhost/tsbuild-test:${keyOf([...RUNTIME_SOURCES, ...PROGRAM_SOURCES])}`;
  if ((await execute(['podman', 'image', 'exists', name])).code === 0) return { name };
  const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-image-'));
  try {
    const bundle = join(scratch, 'bundle');
    execFileSync(join(CHECKOUT, 'deploy/image/bundle.sh'), [join(bundle, 'out/tsbuild/app')], { cwd: CHECKOUT, stdio: 'inherit' });
    const layout = join(scratch, 'layout');
    const contexts = [`--build-context=runtime=oci-layout://${runtime}`, `--build-context=bundle=${bundle}`];
    await buildImage(layout, [...contexts, '--target=executor', `--cache-dir=${join(scratch, 'cache')}`]);
    await load(layout, name);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { name };
}

/** Puts the image of an OCI layout into podman's storage. */
export async function load(layout: string, name: string): Promise<void> {
  await succeed(['skopeo', 'copy', '--quiet', `oci:${layout}`, `containers-storage:${name}`]);
}

/** `npm run image`, with flags; throws what it said when it fails. */
export async function buildImage(layout: string, flags: readonly string[]): Promise<void> {
  await succeed([process.execPath, join(CHECKOUT, 'deploy/image/build.mjs'), layout, ...flags]);
}

/** A build from nothing but a Debian 13, which a registry of its own serves meanwhile. */
export async function buildImageFromBase(layout: string, flags: readonly string[]): Promise<void> {
  await using registry = await startDockerRegistry();
  await pushBase(registry.host, 'debian-13');
  const base = [`--build-arg=BASE=${registry.host}/library/debian:13`, `--insecure-registry=${registry.host}`];
  await buildImage(layout, [...base, ...flags]);
}

/** Folder of the image without the program; made when it is not there yet. */
async function runtimeImage(): Promise<string> {
  const folder = runtimeLayout();
  if (existsSync(folder)) return folder;
  const scratch = mkdtempSync(join(cacheFolder(), '.making-'));
  try {
    await buildImageFromBase(join(scratch, 'layout'), ['--target=runtime', `--cache-dir=${join(scratch, 'cache')}`]);
    if (!existsSync(folder)) renameSync(join(scratch, 'layout'), folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return folder;
}

function runtimeLayout(): string {
  return join(cacheFolder(), `image-runtime-${keyOf(RUNTIME_SOURCES)}-${process.arch}`);
}

function npmRegistry(): string {
  return execFileSync('npm', ['config', 'get', 'registry'], { cwd: CHECKOUT, encoding: 'utf8' }).trim();
}

/** Of names and contents of files and folders of the checkout. What V8 compiled is no source. */
function keyOf(paths: readonly string[]): string {
  const hash = createHash('sha256');
  const add = (path: string): void => {
    const file = resolve(CHECKOUT, path);
    if (path.endsWith('.code')) return;
    hash.update(`${path}\0`).update(readFileSync(file)).update('\0');
  };
  const walk = (path: string): void => {
    const entries = entriesOf(resolve(CHECKOUT, path));
    if (entries === null) add(path);
    else for (const name of entries) walk(`${path}/${name}`);
  };
  for (const path of paths) walk(path);
  return hash.digest('hex').slice(0, 20);
}

/** Null for a file. */
function entriesOf(path: string): readonly string[] | null {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return null;
    throw error;
  }
}

async function succeed(argv: readonly string[]): Promise<void> {
  const { code, log } = await execute(argv, process.env, 600_000);
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}:\n${log}`);
}
