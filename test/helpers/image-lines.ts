/**
 * What an image is, layer by layer, as lines that two builds of the same input have to agree on: everything but times. Read by
 * plain HTTP and tar-stream, without any code of src/.
 */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import type { ConfigDocument, ReadImage } from './oci-reader.ts';

export interface ImageLines {
  /** Of the manifest. */
  readonly digest: string;
  /** Lowest first; each line `type mode uid:gid size "name" -> target sha256`. */
  readonly layers: readonly (readonly string[])[];
  readonly mediaTypes: readonly (string | undefined)[];
  /** Of the compressed layers. */
  readonly layerDigests: readonly string[];
  readonly diffIds: readonly string[];
  /** The config document without times and diffIds. */
  readonly config: unknown;
}

const ACCEPT = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json';

/** Reads images of one registry; layers that were read before are not read again. */
export function imageLinesReader(host: string): (repository: string, tag: string) => Promise<ImageLines> {
  const known = new Map<string, Promise<readonly string[]>>();
  const get = async (repository: string, what: string): Promise<Buffer> => {
    const response = await fetch(`http://${host}/v2/${repository}/${what}`, { headers: { accept: ACCEPT } });
    const body = Buffer.from(await response.arrayBuffer());
    if (!response.ok) throw new Error(`GET ${repository}/${what}: ${response.status} ${body.toString()}`);
    return body;
  };
  const blob = async (repository: string, digest: string): Promise<Buffer> => {
    const bytes = await get(repository, `blobs/${digest}`);
    if (sha256(bytes) !== digest) throw new Error(`the blob ${digest} has digest ${sha256(bytes)}`);
    return bytes;
  };
  return async (repository, tag) => {
    const bytes = await get(repository, `manifests/${tag}`);
    const manifest = JSON.parse(bytes.toString()) as ReadImage['manifest'];
    const { rootfs, ...config } = JSON.parse((await blob(repository, manifest.config.digest)).toString()) as ConfigDocument;
    const diffIds = rootfs?.diff_ids ?? [];
    const layers = manifest.layers.map(({ digest }, index) => {
      const lines = known.get(digest) ?? blob(repository, digest).then((layer) => layerLines(layer, diffIds[index]));
      known.set(digest, lines);
      return lines;
    });
    return {
      digest: sha256(bytes),
      layers: await Promise.all(layers),
      mediaTypes: [manifest.mediaType, manifest.config.mediaType, ...manifest.layers.map(({ mediaType }) => mediaType)],
      layerDigests: manifest.layers.map(({ digest }) => digest),
      diffIds,
      config: { ...config, created: null, history: config.history?.map((entry) => ({ ...entry, created: null })) },
    };
  };
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function layerLines(compressed: Buffer, diffId: string | undefined): Promise<readonly string[]> {
  const tar = gunzipSync(compressed);
  if (sha256(tar) !== diffId) throw new Error(`a layer has diffId ${sha256(tar)}, the config says ${diffId}`);
  const lines: string[] = [];
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const { type, mode = 0, uid, gid, size, name, linkname } = entry.header;
    const hash = createHash('sha256');
    for await (const chunk of entry) hash.update(chunk as Buffer);
    const target = linkname === undefined || linkname === null ? '' : ` -> ${linkname}`;
    lines.push(`${type} ${mode.toString(8)} ${uid}:${gid} ${size} ${JSON.stringify(name)}${target} ${hash.digest('hex')}`);
  }
  return lines.sort();
}
