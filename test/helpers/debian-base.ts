/**
 * Base images for tests, made without tsbuild: Debian 12 and 13 by mmdebstrap, a busybox by GNU tar. The tars are kept between runs in
 * the user's cache folder (or TSBUILD_TEST_CACHE); making one twice at once is wasteful, never wrong.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { BASE_HISTORY } from './oci-reader.ts';
import { findProgram, missing } from './tools.ts';

export type BaseName = 'debian' | 'debian-13' | 'busybox';

/** Changes with anything below that changes a tar. */
const VERSION = 2;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Kept between runs. */
export function cacheFolder(): string {
  const folder = process.env['TSBUILD_TEST_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tsbuild-tests');
  mkdirSync(folder, { recursive: true });
  return folder;
}

function cachedFile(name: BaseName): string {
  return join(cacheFolder(), `${name}-${VERSION}-${process.arch}.tar`);
}

/** Why a base cannot be had here, or undefined. */
export function baseMissing(name: BaseName): string | undefined {
  if (existsSync(cachedFile(name))) return undefined;
  if (name !== 'busybox') return missing(['root', 'mmdebstrap']);
  const busybox = findProgram('busybox');
  if (busybox === undefined) return 'needs busybox-static';
  return isStatic(busybox) ? undefined : 'needs busybox-static (the busybox here needs a libc)';
}

/** An ELF program without a PT_INTERP segment. */
function isStatic(program: string): boolean {
  const bytes = readFileSync(program);
  const at = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  return Array.from({ length: count }, (_, i) => bytes.readUInt32LE(at + i * size)).every((type) => type !== 3);
}

/** Path of the base's uncompressed tar; made when it is not there yet. */
export function baseTar(name: BaseName): string {
  const file = cachedFile(name);
  if (existsSync(file)) return file;
  const scratch = mkdtempSync(join(cacheFolder(), '.making-'));
  try {
    const made = join(scratch, 'base.tar');
    if (name === 'busybox') makeBusybox(scratch, made);
    else makeDebian(name === 'debian' ? 'bookworm' : 'trixie', made);
    renameSync(made, file);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return file;
}

function makeDebian(suite: 'bookworm' | 'trixie', tar: string): void {
  const env = { ...process.env, SOURCE_DATE_EPOCH: '1700000000', TMPDIR: tmpdir() };
  execFileSync('mmdebstrap', ['--quiet', '--variant=minbase', '--format=tar', suite, tar], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  chmodSync(tar, 0o644);
}

function makeBusybox(scratch: string, tar: string): void {
  const root = join(scratch, 'root');
  for (const folder of ['bin', 'etc', 'home/app', 'root', 'tmp', 'usr/bin', 'var/empty'])
    mkdirSync(join(root, folder), { recursive: true });
  const busybox = join(root, 'bin/busybox');
  copyFileSync(findProgram('busybox') ?? '', busybox);
  chmodSync(busybox, 0o755);
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).split('\n');
  for (const applet of applets) if (applet !== '' && applet !== 'busybox') linkSync(busybox, join(root, 'bin', applet));
  const passwd = [
    'root:x:0:0:root:/root:/bin/sh',
    'www-data:x:33:33:www-data:/var/www:/bin/false',
    'app:x:1000:1000:App:/home/app:/bin/sh',
  ];
  const group = ['root:x:0:', 'www-data:x:33:', 'staff:x:50:app', 'app:x:1000:'];
  writeFileSync(join(root, 'etc/passwd'), `${passwd.join('\n')}\n`);
  writeFileSync(join(root, 'etc/group'), `${group.join('\n')}\n`);
  for (const [path, mode] of [
    ['tmp', 0o1777],
    ['root', 0o700],
    ['home/app', 0o755],
    ['etc/passwd', 0o644],
    ['etc/group', 0o644],
  ] as const) {
    chmodSync(join(root, path), mode);
  }
  const common = ['--format=gnu', '--sort=name', '--mtime=@1700000000', '--numeric-owner', '-C', root];
  execFileSync('tar', ['-cf', tar, ...common, '--owner=0', '--group=0', '--exclude=./home/app', '.']);
  execFileSync('tar', ['-rf', tar, ...common, '--owner=1000', '--group=1000', './home/app']);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function pushBlob(host: string, repository: string, bytes: Uint8Array): Promise<{ digest: string; size: number }> {
  const digest = digestOf(bytes);
  const head = await fetch(`http://${host}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
  if (head.status !== 200) {
    const begun = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
    const location = begun.headers.get('location');
    if (location === null) throw new Error(`${host} begins no upload: ${begun.status}`);
    const target = new URL(location, `http://${host}`);
    target.searchParams.set('digest', digest);
    const done = await fetch(target, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } });
    if (done.status !== 201) throw new Error(`PUT of ${digest}: ${done.status} ${await done.text()}`);
  }
  return { digest, size: bytes.length };
}

export interface PushedImage {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
  /** Uncompressed tars, lowest first. */
  readonly tars: readonly Uint8Array[];
  /** The `config` of the image config. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Pushes an image made of tars in Docker's schema 2, by plain HTTP. */
export async function pushImage(image: PushedImage): Promise<void> {
  const { host, repository } = image;
  const layers = [];
  for (const tar of image.tars) {
    const blob = await pushBlob(host, repository, gzipSync(tar, { level: 1 }));
    layers.push({ mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...blob });
  }
  const config = {
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '2023-11-14T22:13:20Z',
    config: image.config ?? { Env: [PATH], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: image.tars.map(digestOf) },
    history: image.tars.map(() => ({ created: '2023-11-14T22:13:20Z', created_by: BASE_HISTORY })),
  };
  const pushed = await pushBlob(host, repository, Buffer.from(JSON.stringify(config)));
  const mediaType = 'application/vnd.docker.distribution.manifest.v2+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...pushed },
    layers,
  };
  const url = `http://${host}/v2/${repository}/manifests/${image.tag}`;
  const response = await fetch(url, { method: 'PUT', body: JSON.stringify(manifest), headers: { 'content-type': mediaType } });
  if (response.status !== 201) throw new Error(`PUT ${url}: ${response.status} ${await response.text()}`);
}

const HUB_NAMES = {
  debian: ['library/debian', '12'],
  'debian-13': ['library/debian', '13'],
  busybox: ['library/busybox', 'latest'],
} as const;

/** Pushes a base as Docker Hub would name it: `busybox` (library/busybox:latest), `debian:12` (library/debian:12). */
export async function pushBase(host: string, name: BaseName): Promise<void> {
  const [repository, tag] = HUB_NAMES[name];
  await pushImage({ host, repository, tag, tars: [readFileSync(baseTar(name))] });
}
