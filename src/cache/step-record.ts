/** A step of the local cache as bytes: a line with the sha256 of the rest, then JSON. Pure. */
import { TsbuildError } from '../errors.ts';
import { type Digest, digestOf } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { isTextRecord, parseJsonObject } from '../image/json.ts';
import { checkedDigest, checkedKind, checkedLayer, checkedTime } from './checked.ts';
import type { CachedKind, CacheKey, KeyParts } from './step-cache.ts';

export interface StepRecord {
  readonly kind: CachedKind;
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** RFC 3339: when the step ran. */
  readonly created: string;
  /** See FoundStep. */
  readonly below: Digest;
  /** For people who ask why a key is another one. */
  readonly parts: KeyParts;
}

/** Raise it with every change of the format. */
const VERSION = 1;
/** A step of a long Dockerfile has some dozen parts. */
const MOST_BYTES = 256 * 1024;

export function encodeRecord({ kind, descriptor, diffId, created, below, parts }: StepRecord, key: CacheKey): Buffer {
  const body = JSON.stringify({ version: VERSION, key, kind, created, below, diffId, layer: descriptor, parts });
  return Buffer.from(`${digestOf(body)}\n${body}`);
}

/** Null: damaged, of another version of tsbuild, or not the record of `key`. */
export function decodeRecord(bytes: Buffer, key: CacheKey): StepRecord | null {
  const end = bytes.indexOf('\n');
  const body = bytes.subarray(end + 1);
  if (bytes.length > MOST_BYTES || end < 0 || bytes.toString('latin1', 0, end) !== digestOf(body)) return null;
  try {
    const { version, key: own, kind, created, below, diffId, layer, parts } = parseJsonObject(body, 'the record');
    if (version !== VERSION || own !== key || !isTextRecord(parts)) return null;
    const checkedParts = Object.entries(parts).map(([name, value]) => [name, checkedDigest(value, name)] as const);
    return {
      kind: checkedKind(kind, 'its kind'),
      created: checkedTime(created, 'its date'),
      below: checkedDigest(below, 'what is below it'),
      diffId: checkedDigest(diffId, 'its diff id'),
      descriptor: checkedLayer(descriptorOf(layer)),
      parts: Object.fromEntries(checkedParts),
    };
  } catch (error) {
    if (error instanceof TsbuildError) return null;
    throw error;
  }
}

function descriptorOf(value: unknown): Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Record<string, unknown>;
  if (typeof mediaType !== 'string' || !Number.isSafeInteger(size) || Number(size) < 0)
    throw new TsbuildError('IMAGE_INVALID', 'its layer is none');
  return { mediaType, digest: checkedDigest(digest, 'its layer'), size: Number(size) };
}
