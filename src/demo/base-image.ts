/** Makes the demo's base image out of programs of this machine, as a gzip layer and a config. Writes no file. */
import { readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf } from '../image/digest.ts';
import { layerMediaType, OCI_CONFIG, OCI_MANIFEST } from '../image/media-types.ts';
import { hostPlatform } from '../image/platform.ts';
import type { ImageFile } from './programs.ts';

export interface MadeImage {
  readonly manifest: { readonly mediaType: string; readonly bytes: Buffer };
  /** Config and layer. */
  readonly blobs: readonly Buffer[];
}

const TEXT_FILES = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nvisitor:x:1000:1000:Visitor:/:/bin/sh\n',
  '/etc/group': 'root:x:0:\nvisitor:x:1000:\n',
  '/etc/os-release': 'ID=tsbuild-demo\nPRETTY_NAME="tsbuild demo base"\n',
} as const;

const FOLDERS = [
  ['/root', 0o700],
  ['/tmp', 0o1777],
] as const;

export async function makeBaseImage(files: readonly ImageFile[]): Promise<MadeImage> {
  const tar = await tarOf(files);
  const layer = gzipSync(tar, { level: 6 });
  const platform = hostPlatform(process.arch);
  const config = jsonBytes({
    ...platform,
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created_by: 'tsbuild demo: programs of this machine' }],
  });
  const manifest = jsonBytes({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
    layers: [{ mediaType: layerMediaType('oci', 'gzip'), digest: digestOf(layer), size: layer.length }],
  });
  return { manifest: { mediaType: OCI_MANIFEST, bytes: manifest }, blobs: [config, layer] };
}

async function tarOf(files: readonly ImageFile[]): Promise<Buffer> {
  const tar = pack();
  const made = new Set<string>(['/']);
  const common = { uid: 0, gid: 0, mtime: new Date(0) };
  const folder = (path: string, mode: number): void => {
    if (made.has(path)) return;
    made.add(path);
    folder(posix.dirname(path), 0o755);
    tar.entry({ ...common, name: `${path.slice(1)}/`, type: 'directory', mode });
  };
  for (const [path, mode] of FOLDERS) folder(path, mode);
  for (const [path, text] of Object.entries(TEXT_FILES)) {
    folder(posix.dirname(path), 0o755);
    tar.entry({ ...common, name: path.slice(1), mode: 0o644 }, text);
  }
  for (const { path, content } of files) {
    folder(posix.dirname(path), 0o755);
    if (content.kind === 'link') tar.entry({ ...common, name: path.slice(1), type: 'symlink', linkname: content.target, mode: 0o777 });
    else tar.entry({ ...common, name: path.slice(1), mode: statSync(content.from).mode & 0o755 }, readFileSync(content.from));
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
