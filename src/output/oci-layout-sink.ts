/**
 * An OCI image layout folder. Other images that it holds stay; one of the same name is replaced. index.json is written
 * last and by a rename, so readers see the image whole or not at all. Spec: OCI image-spec image-layout.md.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { verifier } from '../blob/verify.ts';
import { TsbuildError } from '../errors.ts';
import { type AssembledPublication, assemblePublication, isForeignLayer, platformObject } from '../image/assemble.ts';
import { hexOf } from '../image/digest.ts';
import type { Descriptor, Images, Layer } from '../image/image.ts';
import { isObject, type JsonObject, parseJsonObject } from '../image/json.ts';
import { OCI_INDEX } from '../image/media-types.ts';
import { formatReference, type Reference, withDefaultTag } from '../image/reference.ts';
import { allOrStop } from './all-or-stop.ts';
import { outputFailure, prepareFolder, writeAtomically } from './atomic-file.ts';
import { bytesLayer } from './bytes-layer.ts';
import type { ImageSink } from './image-sink.ts';

export interface OciLayoutSinkOptions {
  /** Absolute. */
  readonly folder: string;
  /** The names of the image in the index; none: it has no name there. */
  readonly references: readonly Reference[];
}

const REF_NAME = 'org.opencontainers.image.ref.name';
/** What BuildKit and containerd look at, where `ref.name` is only the tag. */
const IMAGE_NAME = 'io.containerd.image.name';

export function ociLayoutSink({ folder, references }: OciLayoutSinkOptions): ImageSink {
  const blobFolder = join(folder, 'blobs', 'sha256');
  const copying = new Map<string, Promise<void>>();
  const halt = new AbortController();

  const store = (blob: Pick<Layer, 'descriptor' | 'open'>, signal: AbortSignal): Promise<void> => {
    const path = join(blobFolder, hexOf(blob.descriptor.digest));
    const known = copying.get(path);
    if (known !== undefined) return known;
    const copy = async (): Promise<void> => {
      const either = AbortSignal.any([signal, halt.signal]);
      await prepareFolder(blobFolder);
      if (!(await isWhole(path, blob.descriptor))) await writeAtomically(path, await blob.open(either), either);
    };
    const done = copy();
    // `write` awaits it; until then nobody does.
    done.catch(() => undefined);
    copying.set(path, done);
    return done;
  };

  return {
    label: folder,
    async check() {
      await prepareFolder(folder);
      await readIndex(folder);
    },
    offer(layer, signal) {
      if (!isForeignLayer(layer.descriptor)) void store(layer, signal);
    },
    async write(images, signal) {
      const publication = assemblePublication(images);
      const layers = images.flatMap((image) => image.layers).filter((layer) => !isForeignLayer(layer.descriptor));
      const documents = publication.images.flatMap(({ config, manifest }) => [config, manifest]);
      const blobs = [...layers, ...[...documents, publication.top].map(bytesLayer)];
      await allOrStop(
        blobs.map((blob) => store(blob, signal)),
        () => halt.abort(new Error('another blob could not be written')),
      );
      await writeJson(join(folder, 'oci-layout'), { imageLayoutVersion: '1.0.0' }, signal);
      const index = await readIndex(folder);
      await writeJson(join(folder, 'index.json'), withImage(index, entries(images, publication, references)), signal);
      return { where: folder, digest: publication.top.descriptor.digest };
    },
  };
}

/** Null for an empty folder. Throws OUTPUT_FAILED when the folder holds something else than a layout. */
async function readIndex(folder: string): Promise<JsonObject | null> {
  try {
    const names = await readdir(folder);
    if (!names.includes('index.json')) {
      // A layout that was begun, by an offer or by a build that was killed, is one.
      if (names.every((name) => name === 'blobs' || name === 'oci-layout' || name.endsWith('.tmp'))) return null;
      throw new TsbuildError('OUTPUT_FAILED', `${folder} is not empty and not an OCI image layout`, { hint: 'name a new folder' });
    }
    return parseJsonObject(await readFile(join(folder, 'index.json')), `the index of ${folder}`);
  } catch (error) {
    if (error instanceof TsbuildError && error.code === 'IMAGE_INVALID')
      throw new TsbuildError('OUTPUT_FAILED', error.message, { cause: error });
    throw outputFailure(folder, error);
  }
}

/** An index of several images is a blob like a manifest, as buildx writes it: its entry has no platform. */
function entries([image]: Images, { top, index }: AssembledPublication, references: readonly Reference[]): readonly JsonObject[] {
  const descriptor = { ...top.descriptor, ...(index === null ? { platform: platformObject(image.config) } : {}) };
  if (references.length === 0) return [descriptor];
  return references.map(withDefaultTag).map(({ registry, repository, tag }) => ({
    ...descriptor,
    annotations: {
      [IMAGE_NAME]: formatReference({ registry, repository, ...(tag === undefined ? {} : { tag }) }),
      ...(tag === undefined ? {} : { [REF_NAME]: tag }),
    },
  }));
}

function withImage(index: JsonObject | null, added: readonly JsonObject[]): JsonObject {
  const manifests = index?.['manifests'];
  const kept = (Array.isArray(manifests) ? manifests : []).filter((entry) => !added.some((a) => replaces(a, entry)));
  return { schemaVersion: 2, mediaType: OCI_INDEX, ...index, manifests: [...kept, ...added] };
}

/** The same name, or the same image without a name. */
function replaces(added: JsonObject, entry: unknown): boolean {
  if (!isObject(entry)) return false;
  const name = refName(added);
  return name === refName(entry) && (name !== null || added['digest'] === entry['digest']);
}

function refName(entry: JsonObject): string | null {
  const annotations = entry['annotations'];
  const name = isObject(annotations) ? annotations[REF_NAME] : undefined;
  return typeof name === 'string' ? name : null;
}

async function writeJson(path: string, value: object, signal: AbortSignal): Promise<void> {
  await writeAtomically(path, Readable.from([Buffer.from(JSON.stringify(value))], { objectMode: false }), signal);
}

/** What an earlier build left is believed only after it was read. */
async function isWhole(path: string, descriptor: Descriptor): Promise<boolean> {
  const check = verifier(descriptor, `in ${path}`);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) check.update(chunk as Buffer);
    check.finish();
    return true;
  } catch {
    return false;
  }
}
