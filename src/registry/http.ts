/**
 * One HTTP request and its answer, with time limits. Follows no redirects, knows no credentials and tries nothing again.
 * Bodies are as the server sent them: nothing is decompressed.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { type Connector, createAgents } from './agents.ts';
import { networkError } from './network-error.ts';
import { RegistryError } from './registry-error.ts';
import type { TimeLimits, Transport } from './registry-options.ts';
import { watchdog } from './watchdog.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  /** `commit`: the registry may take long to answer. */
  readonly patience?: 'answer' | 'commit' | undefined;
  /** Of the TLS connection. */
  readonly certificates: Transport['certificates'];
}

export type RequestBody =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  /** `sizeBytes` null: sent in chunks, its size unknown. */
  | { readonly kind: 'stream'; readonly chunks: AsyncIterable<Uint8Array>; readonly sizeBytes: number | null };

export interface HttpResponse {
  readonly status: number;
  readonly method: string;
  readonly url: string;
  /** Null when absent. `name` in any case. */
  header(name: string): string | null;
  /** The body, once. Fails with a retryable RegistryError when the connection breaks or stalls. */
  body(): AsyncGenerator<Buffer>;
  /** The whole body, once. Throws REGISTRY_FAILED when it is longer than `maxBytes`. */
  bytes(maxBytes: number): Promise<Buffer>;
  /** At most `maxBytes` of the body, once; the rest is not read. Never fails. */
  prefix(maxBytes: number): Promise<Buffer>;
  /** For those who do not want the body. Does nothing once its reading began. */
  discard(): void;
}

export interface Http {
  /** Throws a RegistryError when no answer comes, and the signal's reason. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpResponse>;
  /** Closes idle connections. */
  close(): void;
}

const MAX_DISCARD_BYTES = 64 * 1024;

export function createHttp(limits: TimeLimits): Http {
  const agents = createAgents(limits.connectMs);
  return {
    async send(request, signal) {
      signal.throwIfAborted();
      const connector = await agents.connectorFor(request.url, request.certificates);
      return exchange(request, { connector, limits, signal });
    },
    close: agents.close,
  };
}

interface ExchangeContext {
  readonly connector: Connector;
  readonly limits: TimeLimits;
  readonly signal: AbortSignal;
}

async function exchange(request: HttpRequest, { connector, limits, signal }: ExchangeContext): Promise<HttpResponse> {
  const { method, url } = request;
  signal.throwIfAborted();
  let sent: Readable | undefined;
  let outgoing: ClientRequest | undefined;
  const stop = (): void => void outgoing?.destroy();
  signal.addEventListener('abort', stop, { once: true });
  const watch = watchdog(stop);
  const end = (): void => {
    watch.stop();
    signal.removeEventListener('abort', stop);
    // The rest of a refused body is never sent, so the connection cannot serve again.
    if (sent?.destroyed === true && outgoing?.writableEnded === false) stop();
  };
  // What the source of a body throws is not the network's fault, and what the network throws reaches the source too.
  let sourceFailure: { readonly error: unknown } | undefined;
  const failure = (cause: unknown): unknown => {
    if (signal.aborted) return signal.reason;
    if (sourceFailure !== undefined) return sourceFailure.error;
    const expired = watch.expired();
    if (expired === null) return networkError(method, url, cause);
    return new RegistryError('REGISTRY_FAILED', `${new URL(url).host} ${expired}`, { status: null, method, url, retryable: true });
  };

  const answerMs = request.patience === 'commit' ? limits.commitMs : limits.answerMs;
  const { body } = request;
  // The answer may come before the body's source was asked for its end; a clock set then would keep the process alive.
  let phase: 'sending' | 'answered' = 'sending';
  const whileSending = (ms: number, complaint: string): void => {
    if (phase === 'sending') watch.start(ms, complaint);
  };
  const guarded = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const source = chunks[Symbol.asyncIterator]();
    const next = async (): Promise<IteratorResult<Uint8Array>> => {
      try {
        return await source.next();
      } catch (error) {
        sourceFailure = { error };
        throw error;
      }
    };
    try {
      for (let chunk = await next(); chunk.done !== true; chunk = await next()) {
        whileSending(limits.idleMs, `took no data for ${seconds(limits.idleMs)}`);
        yield chunk.value;
        if (phase === 'sending') watch.stop();
      }
    } finally {
      await source.return?.();
    }
    whileSending(answerMs, `did not answer for ${seconds(answerMs)}`);
  };
  try {
    if (body?.kind === 'stream') sent = Readable.from(guarded(body.chunks), { objectMode: false });
    else watch.start(answerMs + limits.connectMs, `did not answer for ${seconds(answerMs + limits.connectMs)}`);
    const { request: open, agent } = connector;
    outgoing = open(url, {
      method,
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'tsbuild', ...bodyHeaders(body), ...request.headers },
      agent,
    });
    const response = await answerOf(outgoing, body?.kind === 'bytes' ? body.bytes : sent);
    phase = 'answered';
    watch.stop();
    const status = response.statusCode ?? 0;
    // Who is refused stops talking: the answer may come long before the last byte was sent.
    if (status >= 300) sent?.destroy();
    // A body that nobody reads must not end the process when its connection breaks.
    response.on('error', () => undefined);
    const info = { status, method, url, header: (name: string) => headerOf(response, name) };
    return { ...info, ...readerOf({ stream: response, limits, watch, failure, end, stop, info }) };
  } catch (cause) {
    const error = failure(cause);
    phase = 'answered';
    end();
    throw error;
  }
}

function answerOf(outgoing: ClientRequest, body: Readable | Buffer | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Stays: a connection may break after its answer, too, which then fails the reading of the body.
    outgoing.on('error', reject);
    outgoing.once('response', resolve);
    if (!(body instanceof Readable)) {
      outgoing.end(body);
      return;
    }
    body.once('error', (error) => outgoing.destroy(error));
    // Whatever ended the request also ends the source of its body.
    outgoing.once('close', () => body.destroy());
    body.pipe(outgoing);
  });
}

/** Several of one name are one list. */
function headerOf({ headers }: IncomingMessage, name: string): string | null {
  const value = headers[name.toLowerCase()];
  return typeof value === 'string' ? value : (value?.join(', ') ?? null);
}

function bodyHeaders(body: RequestBody | undefined): Record<string, string> {
  if (body === undefined) return {};
  if (body.kind === 'stream') return body.sizeBytes === null ? {} : { 'content-length': String(body.sizeBytes) };
  return { 'content-length': String(body.bytes.length) };
}

interface ReaderContext {
  readonly stream: IncomingMessage;
  readonly limits: TimeLimits;
  readonly watch: ReturnType<typeof watchdog>;
  readonly failure: (cause: unknown) => unknown;
  readonly end: () => void;
  readonly stop: () => void;
  readonly info: Pick<HttpResponse, 'status' | 'method' | 'url' | 'header'>;
}

function readerOf(context: ReaderContext): Pick<HttpResponse, 'body' | 'bytes' | 'prefix' | 'discard'> {
  const { stream, limits, watch, failure, end, stop, info } = context;
  let used = false;
  async function* body(): AsyncGenerator<Buffer> {
    used = true;
    const chunks = stream.iterator() as AsyncIterableIterator<Buffer>;
    let complete = false;
    try {
      for (;;) {
        watch.start(limits.idleMs, `sent no data for ${seconds(limits.idleMs)}`);
        const next = await chunks.next();
        // A slow reader is not the registry's fault: the clock runs only while we wait for it.
        watch.stop();
        complete = next.done === true;
        if (complete) return;
        yield next.value as Buffer;
      }
    } catch (cause) {
      throw failure(cause);
    } finally {
      end();
      if (!complete) stop();
    }
  }
  const read = async (maxBytes: number): Promise<{ bytes: Buffer; complete: boolean }> => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body()) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > maxBytes) return { bytes: Buffer.concat(chunks).subarray(0, maxBytes), complete: false };
    }
    return { bytes: Buffer.concat(chunks), complete: true };
  };
  return {
    body,
    async bytes(maxBytes) {
      const { bytes, complete } = await read(maxBytes);
      if (complete) return bytes;
      throw new RegistryError('REGISTRY_FAILED', `${new URL(info.url).host} sent more than ${maxBytes} bytes`, {
        ...info,
        retryable: false,
      });
    },
    async prefix(maxBytes) {
      try {
        return (await read(maxBytes)).bytes;
      } catch {
        return Buffer.alloc(0);
      }
    },
    discard() {
      if (used) return;
      used = true;
      // A short rest is read, so that the connection can serve again.
      const length = info.header('content-length') ?? (info.header('transfer-encoding') === null ? '0' : '');
      if (info.method === 'HEAD' || (length !== '' && Number(length) <= MAX_DISCARD_BYTES)) stream.resume();
      else stop();
      end();
    },
  };
}

function seconds(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${Math.round(ms / 1000)} s`;
}
