/** An upload that is fed while its bytes are made; what was sent is gone, so it cannot be tried again. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { BlobUpload } from '../blob/blob.ts';
import type { TransferReport } from '../blob/report-transfer.ts';
import type { RequestBody } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { type RetryContext, retry } from './retry.ts';
import { cancelUpload, finishUpload, openUpload, sendBytes, type UploadApi } from './upload.ts';

const BUFFER_BYTES = 1 << 20;

/** `context.signal` ends the upload at any time. */
export async function beginStream(to: UploadApi, report: TransferReport, context: RetryContext): Promise<BlobUpload> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  const opened = await retry(() => openUpload(to, signal), context);
  const bytes = new PassThrough({ highWaterMark: BUFFER_BYTES });
  let taken = false;
  const body = (): RequestBody => {
    if (taken) {
      const failure = { status: 401, method: 'PATCH', url: opened, retryable: false };
      throw new RegistryError('REGISTRY_DENIED', `${to.endpoint.host} refuses the login in the middle of an upload`, failure);
    }
    taken = true;
    return { kind: 'stream', chunks: bytes as AsyncIterable<Uint8Array>, sizeBytes: null };
  };
  const sending = sendBytes(to, { location: opened, body }, signal);
  // Told by the next write or the commit.
  sending.catch(() => bytes.destroy());
  bytes.on('error', () => undefined);
  return {
    async write(chunk) {
      if (bytes.destroyed) await sending;
      report.advance(chunk.length);
      if (!bytes.write(chunk)) await Promise.race([once(bytes, 'drain', { signal }), sending]);
    },
    async commit({ digest }) {
      bytes.end();
      const location = await sending;
      await retry(() => finishUpload(to, { location, digest }, signal), context);
      report.end('done');
    },
    async abort() {
      stop.abort(new Error('the upload was given up'));
      bytes.destroy();
      await sending.catch(() => undefined);
      await cancelUpload(to, opened, AbortSignal.timeout(5000)).catch(() => undefined);
    },
  };
}
