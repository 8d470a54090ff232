/** A blob from the first place that has it, verified, and taken up where a broken connection left it. Keeps nothing. */
import { Readable } from 'node:stream';
import type { TransferReport } from '../blob/report-transfer.ts';
import { verifier } from '../blob/verify.ts';
import type { Descriptor } from '../image/image.ts';
import type { HttpResponse } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { type RetryContext, retry, waitToRetry } from './retry.ts';

export interface BlobPlace {
  /** `host/path`, or a URL without its query. */
  readonly name: string;
  /** The bytes from `offset` on: status 200 with all of them, or 206. Throws a RegistryError for any other answer. */
  get(offset: number, signal: AbortSignal): Promise<HttpResponse>;
}

const BUFFER_BYTES = 1 << 20;

/** Asks before it returns; throws the last place's error when no place has the blob. */
export async function download(
  descriptor: Descriptor,
  places: readonly [BlobPlace, ...BlobPlace[]],
  { context, report }: { readonly context: RetryContext; readonly report: TransferReport },
): Promise<Readable> {
  const { place, response } = await firstAnswer(places, context);
  const bytes = resume(descriptor, { place, response, context, report });
  const stream = Readable.from(bytes, { objectMode: false, highWaterMark: BUFFER_BYTES });
  // A stream that is given up before its first byte never starts the generator.
  return stream.once('close', () => response.discard());
}

async function firstAnswer(
  places: readonly [BlobPlace, ...BlobPlace[]],
  context: RetryContext,
): Promise<{ place: BlobPlace; response: HttpResponse }> {
  const [place, ...others] = places;
  try {
    return { place, response: await retry(() => place.get(0, context.signal), context) };
  } catch (error) {
    const [next, ...rest] = others;
    if (next === undefined || !(error instanceof RegistryError)) throw error;
    context.debug(`${error.message}; trying ${next.name}`);
    return firstAnswer([next, ...rest], context);
  }
}

interface Running {
  readonly place: BlobPlace;
  readonly response: HttpResponse;
  readonly context: RetryContext;
  readonly report: TransferReport;
}

async function* resume(descriptor: Descriptor, { place, response: first, context, report }: Running): AsyncGenerator<Buffer> {
  const check = verifier(descriptor, `from ${place.name}`);
  let response = first;
  for (let attempt = 1; ; attempt++) {
    const before = check.bytes;
    try {
      for await (const chunk of rest(response, before)) {
        check.update(chunk);
        report.advance(chunk.length);
        yield chunk;
      }
      if (check.bytes < descriptor.size) throw truncated(descriptor, check.bytes, response);
      check.finish();
      report.end('done');
      return;
    } catch (error) {
      // As long as each try brings us further, we go on.
      if (check.bytes > before) attempt = 1;
      await waitToRetry(error, attempt, context);
      response = await retry(() => place.get(check.bytes, context.signal), context);
    }
  }
}

function truncated(descriptor: Descriptor, bytes: number, response: HttpResponse): RegistryError {
  const message = `${new URL(response.url).host} sent ${bytes} of the ${descriptor.size} bytes of blob ${descriptor.digest}`;
  return new RegistryError('REGISTRY_FAILED', message, { ...response, retryable: true });
}

/** The answer's bytes from `offset` of the blob on, also from a server that always sends all. */
async function* rest(response: HttpResponse, offset: number): AsyncGenerator<Buffer> {
  const start = response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.header('content-range') ?? '')?.[1] ?? Number.NaN) : 0;
  if (!(start <= offset)) {
    throw new RegistryError('REGISTRY_FAILED', `${new URL(response.url).host} sent another part of a blob than was asked for`, {
      ...response,
      retryable: false,
    });
  }
  let toSkip = offset - start;
  for await (const chunk of response.body()) {
    if (chunk.length > toSkip) yield chunk.subarray(toSkip);
    toSkip = Math.max(0, toSkip - chunk.length);
  }
}
