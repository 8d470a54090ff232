/**
 * The download of ADD URL: one GET, redirects followed, streamed to a file while it is hashed. Tried again when the
 * failure may pass. Says nothing about caching. Reference: BuildKit source/http; names as in Docker's ADD.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'node-fetch';
import { TsbuildError } from '../errors.ts';

export interface HttpDownload {
  readonly path: string;
  readonly size: number;
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly lastModified: Date | null;
  /** Last part of the URL's path, else the one of Content-Disposition; null when neither names a file. */
  readonly name: string | null;
}

export interface DownloadOptions {
  /** An existing folder of this machine. The file stays there, in a folder of its own. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** `totalBytes` null: not known. Counts from 0 again when the download is tried again. */
  readonly onProgress?: (bytes: number, totalBytes: number | null) => void;
  /** How often in all; default 4. */
  readonly attempts?: number;
  /** Before the second attempt, doubled each time; default 500 ms. */
  readonly firstDelayMs?: number;
  /** Longest silence of the server, before its answer and within it; default 60 s. */
  readonly stallMs?: number;
}

/** Go's limit, so that what works with Docker works here. */
const MOST_REDIRECTS = 10;
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const TRANSIENT_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** What only a file system says. */
const DISK_CODES = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EFBIG']);

/** A failure that may pass. */
class Transient extends Error {}

/** Throws ADD_FAILED, and STORE_FAILED when the file cannot be written; credentials of the URL are sent and never shown. An abort rejects with the signal's reason. */
export async function download(url: string, options: DownloadOptions): Promise<HttpDownload> {
  const target = parseUrl(url);
  const { attempts = 4, firstDelayMs = 500, signal } = options;
  const folder = mkdtempSync(join(options.folder, 'download-'));
  try {
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await fetchTo(join(folder, 'content'), target, options);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Transient)) throw error;
        if (attempt >= attempts)
          throw failed(target, `${error.message} (tried ${attempts === 1 ? 'once' : `${attempts} times`})`, error.cause);
        await sleep(firstDelayMs * 2 ** (attempt - 1), undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The URL as people may see it: without user, password, query and fragment, which carry credentials. */
export function redactedUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : '?...'}`;
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new TsbuildError('ADD_FAILED', 'the URL of an ADD is malformed', { hint: 'it has to be like https://host/path/file' });
  const url = new URL(text);
  if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  throw new TsbuildError('ADD_FAILED', `${redactedUrl(url)}: only http and https URLs can be downloaded`);
}

function failed(url: URL, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ADD_FAILED', `cannot download ${redactedUrl(url)}: ${why}`, { cause });
}

async function fetchTo(path: string, url: URL, options: DownloadOptions): Promise<HttpDownload> {
  const { stallMs = 60_000, onProgress } = options;
  const stalled = new AbortController();
  const timer = setTimeout(() => stalled.abort(), stallMs);
  const signal = AbortSignal.any([options.signal, stalled.signal]);
  try {
    const response = await ask(url, signal);
    const announced = Number(response.headers.get('content-length') ?? Number.NaN);
    const total = Number.isSafeInteger(announced) ? announced : null;
    const hash = createHash('sha256');
    let size = 0;
    async function* counted(): AsyncGenerator<Buffer, void, undefined> {
      for await (const chunk of response.body ?? []) {
        const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk);
        timer.refresh();
        hash.update(bytes);
        size += bytes.length;
        onProgress?.(size, total);
        yield bytes;
      }
    }
    await pipeline(counted, createWriteStream(path, { mode: 0o600 }), { signal });
    if (total !== null && size !== total) throw new Transient(`the connection ended after ${size} of ${total} bytes`);
    const digest = `sha256:${hash.digest('hex')}`;
    return { path, size, digest, lastModified: dateOf(response), name: nameOf(url, response) };
  } catch (error) {
    if (error instanceof TsbuildError || error instanceof Transient) throw error;
    options.signal.throwIfAborted();
    if (stalled.signal.aborted) throw new Transient(`the server sent nothing for ${stallMs / 1000} s`, { cause: error });
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (DISK_CODES.has(code))
      throw new TsbuildError('STORE_FAILED', `cannot keep the download in ${dirname(path)}: ${message}`, { cause: error });
    throw networkFailure(url, error);
  } finally {
    clearTimeout(timer);
    // Closes the connection of an answer that was not read to its end.
    stalled.abort();
  }
}

async function ask(url: URL, signal: AbortSignal): Promise<Response> {
  // Loaded here because most builds download nothing.
  const { default: fetch } = await import('node-fetch');
  // fetch refuses credentials in the URL; it drops the header when a redirect leads to another host.
  const bare = new URL(url);
  bare.username = bare.password = '';
  const user = `${decoded(url.username)}:${decoded(url.password)}`;
  const headers = user === ':' ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` };
  const response = await fetch(bare, {
    headers: { 'user-agent': 'tsbuild', accept: '*/*', ...headers },
    // The digest is that of the bytes as served.
    compress: false,
    follow: MOST_REDIRECTS,
    highWaterMark: 256 * 1024,
    signal,
  });
  if (response.ok) return response;
  const status = `the server answered ${response.status} ${response.statusText}`.trimEnd();
  if (TRANSIENT_STATUS.has(response.status)) throw new Transient(status);
  throw failed(url, status);
}

function networkFailure(url: URL, error: unknown): Error {
  let code = '';
  for (let at = error; at instanceof Error && code === ''; at = at.cause) code = (at as NodeJS.ErrnoException).code ?? '';
  // node-fetch's own texts quote the URL with its query.
  const why = code === '' ? `${url.host} gave no valid answer` : `${url.host}: ${code}`;
  if (TRANSIENT_CODES.has(code)) return new Transient(why, { cause: error });
  return failed(url, code === '' && /redirect/i.test(String(error)) ? `more than ${MOST_REDIRECTS} redirects` : why, error);
}

function dateOf(response: Response): Date | null {
  const date = new Date(response.headers.get('last-modified') ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? null : date;
}

function nameOf(url: URL, response: Response): string | null {
  const disposition = response.headers.get('content-disposition') ?? '';
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  const [, quoted, plain] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition) ?? [];
  const offered = extended !== undefined ? decoded(extended) : (quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
  return fileName(decoded(url.pathname)) ?? fileName(offered);
}

/** Only the last part: a server must not choose a folder. */
function fileName(path: string): string | null {
  const name = basename(path);
  return name === '' || name === '.' || name === '..' || name.includes('\0') ? null : name;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Percent signs that encode nothing are part of the name.
    return text;
  }
}
