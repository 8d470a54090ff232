/**
 * OCI image layouts as they are written: folders that others may read and write meanwhile. A blob appears whole by a rename;
 * other images that the folder holds stay, one of the same name is replaced. Spec: OCI image-spec image-layout.md.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import type { Descriptor, Layer } from '../image/image.ts';
import { isObject, type JsonObject, parseJsonObject } from '../image/json.ts';
import { OCI_INDEX } from '../image/media-types.ts';
import { outputFailure, prepareFolder, writeAtomically } from './atomic-file.ts';
import { layoutBlobFolder, layoutBlobPath, REF_NAME } from './layout-reader.ts';
import { verifier } from './verify.ts';

/** Makes sure that the folder is a layout or can become one. Throws OUTPUT_FAILED. */
export async function prepareLayout(folder: string): Promise<void> {
  await prepareFolder(folder);
  await readIndex(folder);
}

/** Copies the blob unless it is there, whole. Throws OUTPUT_FAILED, and what `blob.open` throws. */
export async function writeLayoutBlob(folder: string, blob: Pick<Layer, 'descriptor' | 'open'>, signal: AbortSignal): Promise<void> {
  const path = layoutBlobPath(folder, blob.descriptor.digest);
  await prepareFolder(layoutBlobFolder(folder));
  if (!(await isWhole(path, blob.descriptor))) await writeAtomically(path, await blob.open(signal), signal);
}

/** Descriptors of images whose blobs are there become visible, index.json last. Throws OUTPUT_FAILED. */
export async function addToLayoutIndex(folder: string, added: readonly JsonObject[], signal: AbortSignal): Promise<void> {
  await writeJson(join(folder, 'oci-layout'), { imageLayoutVersion: '1.0.0' }, signal);
  await writeJson(join(folder, 'index.json'), withImages(await readIndex(folder), added), signal);
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

function withImages(index: JsonObject | null, added: readonly JsonObject[]): JsonObject {
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
