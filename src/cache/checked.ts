/** Fields of what a cache answers. It is data from elsewhere: what is not as it should be is IMAGE_INVALID. */
import { TsbuildError } from '../errors.ts';
import { isForeignLayer } from '../image/assemble.ts';
import { type Digest, parseDigest } from '../image/digest.ts';
import type { Descriptor } from '../image/image.ts';
import { compressionOf } from '../image/media-types.ts';
import type { CachedKind } from './step-cache.ts';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** RFC 3339, as image configs have it. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const KINDS: readonly CachedKind[] = ['run', 'copy', 'workdir'];

export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

export function checkedDigest(value: unknown, what: string): Digest {
  if (typeof value === 'string' && isDigest(value)) return parseDigest(value);
  throw new TsbuildError('IMAGE_INVALID', `${what} is not a digest`);
}

export function checkedTime(value: unknown, what: string): string {
  if (typeof value === 'string' && TIME.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw new TsbuildError('IMAGE_INVALID', `${what} is not a time`);
}

export function checkedKind(value: unknown, what: string): CachedKind {
  const kind = KINDS.find((one) => one === value);
  if (kind === undefined) throw new TsbuildError('IMAGE_INVALID', `${what} is not a kind of step`);
  return kind;
}

/** Without what only others may say: no step makes a layer that is fetched from addresses of its own. */
export function checkedLayer({ mediaType, digest, size, urls }: Descriptor): Descriptor {
  const foreign = isForeignLayer({ mediaType, digest, size }) || urls !== undefined;
  if (foreign || compressionOf(mediaType) === null)
    throw new TsbuildError('IMAGE_INVALID', `a layer has the media type ${JSON.stringify(mediaType.slice(0, 100))}, which no step makes`);
  return { mediaType, digest, size };
}
