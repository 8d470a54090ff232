/**
 * Reads images back from a registry without any code of src/: plain HTTP, every size and digest recomputed, layers flattened
 * by Python's tarfile. What tsbuild pushes is judged by this, never by its own reader.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';

const run = promisify(execFile);
const FLATTEN = fileURLToPath(new URL('flatten.py', import.meta.url));
/** created_by of the layers of test bases. */
export const BASE_HISTORY = 'test base';
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface FileNode {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size?: number;
  readonly sha256?: string;
  /** Content of small UTF-8 files. */
  readonly text?: string;
  readonly target?: string;
  /** `major,minor` */
  readonly device?: string;
  /** Values in hexadecimal. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** All names of the hard-link group, when there are several. */
  readonly links?: readonly string[];
}

/** The image config as far as tests name its fields. */
export interface ConfigDocument {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  readonly author?: string;
  readonly created?: string;
  readonly config?: {
    readonly Env?: readonly string[];
    readonly Labels?: Readonly<Record<string, string>>;
    readonly WorkingDir?: string;
    readonly Cmd?: readonly string[];
    readonly Entrypoint?: readonly string[];
    readonly Shell?: readonly string[];
    readonly OnBuild?: readonly string[];
    readonly User?: string;
    readonly StopSignal?: string;
    readonly Healthcheck?: unknown;
    readonly ExposedPorts?: Readonly<Record<string, unknown>>;
    readonly Volumes?: Readonly<Record<string, unknown>>;
  };
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
  readonly history?: readonly {
    readonly empty_layer?: boolean;
    readonly created_by?: string;
    readonly created?: string;
    readonly comment?: string;
    readonly author?: string;
  }[];
}

export interface ReadImage {
  /** Of the manifest. */
  readonly digest: string;
  readonly manifest: { readonly mediaType?: string; readonly config: Descriptor; readonly layers: readonly Descriptor[] };
  /** The whole config document. */
  readonly config: ConfigDocument;
  readonly files: ReadonlyMap<string, FileNode>;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function get(url: string, accept = '*/*'): Promise<Buffer> {
  const response = await fetch(url, { headers: { accept } });
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

export type OciReader = ReturnType<typeof ociReader>;

/** Blobs are kept by digest for the life of the process: tests read the same bases again and again. */
export function ociReader(host: string) {
  const folder = mkdtempSync(join(tmpdir(), 'tsbuild-oci-reader-'));

  async function blobFile(repository: string, wanted: Descriptor): Promise<string> {
    const file = join(folder, wanted.digest.replace(':', '-'));
    if (!existsSync(file)) {
      const bytes = await get(`http://${host}/v2/${repository}/blobs/${wanted.digest}`);
      if (bytes.length !== wanted.size) throw new Error(`${wanted.digest}: ${bytes.length} bytes, the descriptor says ${wanted.size}`);
      if (digestOf(bytes) !== wanted.digest) throw new Error(`${wanted.digest}: the content has digest ${digestOf(bytes)}`);
      writeFileSync(`${file}.part`, bytes);
      renameSync(`${file}.part`, file);
    }
    return file;
  }

  const diffIds = new Map<string, Promise<string>>();
  /** Of a file of `folder`, whose content never changes. */
  function diffIdOf(file: string): Promise<string> {
    const known = diffIds.get(file) ?? computeDiffId(file);
    diffIds.set(file, known);
    return known;
  }

  async function computeDiffId(file: string): Promise<string> {
    const bytes = readFileSync(file);
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return digestOf(gunzipSync(bytes));
    if (bytes.readUInt32LE(0) === 0xfd2fb528) {
      const { stdout } = await run('zstd', ['-dc', file], { encoding: 'buffer', maxBuffer: 2 ** 31 });
      return digestOf(stdout);
    }
    return digestOf(bytes);
  }

  return {
    /** `own layers`: those above a test base must obey tsbuild's own layer rules too. */
    async read(repository: string, reference: string, judge: 'own layers' | 'content' = 'content'): Promise<ReadImage> {
      const body = await get(`http://${host}/v2/${repository}/manifests/${reference}`, MANIFEST_TYPES.join(', '));
      const digest = digestOf(body);
      if (reference.startsWith('sha256:') && reference !== digest) throw new Error(`${reference}: the manifest has digest ${digest}`);
      const manifest = JSON.parse(body.toString('utf8')) as ReadImage['manifest'] & { manifests?: readonly Descriptor[] };
      if (manifest.manifests?.[0] !== undefined) return this.read(repository, manifest.manifests[0].digest, judge);
      const config = JSON.parse(readFileSync(await blobFile(repository, manifest.config), 'utf8')) as ConfigDocument;
      const layers: string[] = [];
      for (const layer of manifest.layers) layers.push(await blobFile(repository, layer));
      const found = await Promise.all(layers.map(diffIdOf));
      const declared: readonly string[] = config.rootfs?.diff_ids ?? [];
      if (found.join() !== declared.join()) throw new Error(`diff_ids are ${declared.join()}, the layers have ${found.join()}`);
      const history = config.history ?? [];
      const made = history.filter((entry) => entry.empty_layer !== true).length;
      const foreign = history.filter((entry) => entry.created_by === BASE_HISTORY).length;
      if (config.history !== undefined && made !== layers.length)
        throw new Error(`history makes ${made} layers, there are ${layers.length}`);
      const strict = judge === 'own layers' ? layers.length - foreign : 0;
      const { stdout } = await run('python3', [FLATTEN, '--strict', String(strict), ...layers], { maxBuffer: 2 ** 30 });
      const flat = JSON.parse(stdout) as { files: Record<string, FileNode>; faults: readonly string[] };
      if (flat.faults.length > 0) throw new Error(`Faulty layers:\n${flat.faults.join('\n')}`);
      return { digest, manifest, config, files: new Map(Object.entries(flat.files)) };
    },
  };
}

/** One comparable line: `type mode uid:gid size path -> target {xattrs} =links sha256`. */
export function lineOf(path: string, node: FileNode): string {
  const parts = [
    node.type,
    // Modes of symlinks mean nothing and differ between builders.
    node.type === 'symlink' ? '-' : node.mode.toString(8).padStart(4, '0'),
    `${node.uid}:${node.gid}`,
    node.size === undefined ? '-' : String(node.size),
    JSON.stringify(path),
  ];
  if (node.target !== undefined) parts.push(`-> ${JSON.stringify(node.target)}`);
  if (node.device !== undefined) parts.push(node.device);
  if (Object.keys(node.xattrs).length > 0) parts.push(JSON.stringify(Object.entries(node.xattrs).sort()));
  if (node.links !== undefined) parts.push(`= ${JSON.stringify(node.links)}`);
  if (node.sha256 !== undefined) parts.push(node.sha256);
  return parts.join(' ');
}

/** What images are compared by: `Env.PATH`, `Labels.a`, `Cmd`, `ExposedPorts`... Absent and empty are the same. */
export function configFields(image: Pick<ReadImage, 'config'>): ReadonlyMap<string, unknown> {
  const { config } = image;
  const inner = config.config ?? {};
  const out = new Map<string, unknown>();
  const put = (key: string, value: unknown): void => {
    const empty = value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
    if (!empty) out.set(key, value);
  };
  for (const key of ['architecture', 'os', 'variant', 'author'] as const) put(key, config[key]);
  for (const pair of inner.Env ?? []) {
    const at = pair.indexOf('=');
    const name = `Env.${pair.slice(0, at)}`;
    if (out.has(name)) put('Env twice', name);
    // An empty value is a value: set, not put.
    out.set(name, pair.slice(at + 1));
  }
  for (const [name, value] of Object.entries(inner.Labels ?? {})) out.set(`Labels.${name}`, value);
  for (const key of ['Cmd', 'Entrypoint', 'Shell', 'OnBuild', 'User', 'StopSignal', 'Healthcheck'] as const) put(key, inner[key]);
  for (const key of ['ExposedPorts', 'Volumes'] as const) put(key, Object.keys(inner[key] ?? {}).sort());
  put('WorkingDir', inner.WorkingDir === '' || inner.WorkingDir === undefined ? '/' : inner.WorkingDir);
  return out;
}
