/** Pulls an image and recomputes every digest and size in it. Shares no code with the registry client that pushed it. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

export interface CheckedLayer {
  readonly digest: string;
  readonly diffId: string;
  /** Compressed. */
  readonly bytes: number;
  /** The uncompressed tar. */
  readonly tar: Buffer;
}

export interface CheckedImage {
  readonly digest: string;
  readonly manifestBytes: number;
  readonly configDigest: string;
  readonly configBytes: number;
  readonly config: { readonly User?: string; readonly Env?: readonly string[]; readonly Cmd?: readonly string[] };
  readonly layers: readonly CheckedLayer[];
}

interface ManifestJson {
  readonly mediaType: string;
  readonly config: { readonly digest: string; readonly size: number };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

interface ConfigJson {
  readonly config: CheckedImage['config'];
  readonly rootfs: { readonly diff_ids: readonly string[] };
  readonly history: readonly { readonly empty_layer?: boolean }[];
}

const ACCEPT = ['application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v2+json'].join(', ');

/** Throws an Error that names the first thing that is not what it should be. */
export async function checkImage(place: {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
}): Promise<CheckedImage> {
  const base = `http://${place.host}/v2/${place.repository}`;
  const answer = await fetch(`${base}/manifests/${place.tag}`, { headers: { accept: ACCEPT } });
  const manifestBytes = await bytesOf(answer);
  const digest = sha256(manifestBytes);
  same('the digest that the registry tells', answer.headers.get('docker-content-digest'), digest);
  const manifest = JSON.parse(manifestBytes.toString('utf8')) as ManifestJson;
  same('the content type', answer.headers.get('content-type'), manifest.mediaType);

  const configBytes = await blob(base, manifest.config);
  const config = JSON.parse(configBytes.toString('utf8')) as ConfigJson;
  same('the number of layers', config.rootfs.diff_ids.length, manifest.layers.length);
  same(
    'the number of history entries with a layer',
    config.history.filter((entry) => entry.empty_layer !== true).length,
    manifest.layers.length,
  );
  const layers: CheckedLayer[] = [];
  for (const [i, layer] of manifest.layers.entries()) {
    const bytes = await blob(base, layer);
    const tar = gunzipSync(bytes);
    const diffId = sha256(tar);
    same(`the diffId of layer ${i + 1}`, config.rootfs.diff_ids[i], diffId);
    layers.push({ digest: layer.digest, diffId, bytes: bytes.length, tar });
  }
  return {
    digest,
    manifestBytes: manifestBytes.length,
    configDigest: manifest.config.digest,
    configBytes: configBytes.length,
    config: config.config,
    layers,
  };
}

/** A file's text as the topmost layer with it has it; undefined when none has. `path` has no leading `/`. */
export async function readFileOf(image: CheckedImage, path: string): Promise<string | undefined> {
  for (const layer of image.layers.toReversed()) {
    const unpack = Readable.from([layer.tar]).pipe(extract());
    for await (const entry of unpack) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
      if (entry.header.name === path && entry.header.type === 'file') return Buffer.concat(chunks).toString('utf8');
    }
  }
  return undefined;
}

async function blob(base: string, descriptor: { readonly digest: string; readonly size: number }): Promise<Buffer> {
  const bytes = await bytesOf(await fetch(`${base}/blobs/${descriptor.digest}`));
  same(`the size of ${descriptor.digest}`, descriptor.size, bytes.length);
  same('the digest of a blob', descriptor.digest, sha256(bytes));
  return bytes;
}

async function bytesOf(response: Response): Promise<Buffer> {
  const bytes = Buffer.from(await response.arrayBuffer());
  if (!response.ok) throw new Error(`${response.url} was answered with ${response.status}: ${bytes.toString('utf8')}`);
  return bytes;
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function same(what: string, told: unknown, real: unknown): void {
  if (told !== real) throw new Error(`${what} is wrong: told ${String(told)}, found ${String(real)}`);
}
