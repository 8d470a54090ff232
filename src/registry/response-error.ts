/** An answer that was not hoped for, as an error that people can act upon. Spec: OCI distribution-spec, "Error Codes". */
import type { HttpResponse } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { parseRetryAfter } from './retry.ts';

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_SHOWN_CHARACTERS = 300;

export interface ResponseContext {
  /** What was tried, as the beginning of a sentence: "cannot push to host/path". */
  readonly what: string;
  readonly hint?: string | undefined;
}

/** Reads the answer's body. */
export async function responseError(response: HttpResponse, { what, hint }: ResponseContext): Promise<RegistryError> {
  const { status, method, url } = response;
  const body = await response.prefix(MAX_ERROR_BYTES);
  const { codes, text } = parseErrors(body.toString('utf8'), response.header('content-type') ?? '');
  const denied = status === 401 || status === 403;
  const answer = text === '' ? `${status}` : `${status}: ${text}`;
  return new RegistryError(denied ? 'REGISTRY_DENIED' : 'REGISTRY_FAILED', `${what}: ${new URL(url).host} answered ${answer}`, {
    status,
    method,
    url,
    registryCodes: codes,
    retryable: status === 408 || status === 429 || status >= 500,
    retryAfterMs: parseRetryAfter(response.header('retry-after'), Date.now()),
    hint: hint ?? hintFor(status, url),
  });
}

function hintFor(status: number, url: string): string | undefined {
  const hub = new URL(url).host.endsWith('docker.io');
  if (status === 429 && hub) return 'Docker Hub limits pulls: log in with "docker login", or name a mirror with --registry-mirror';
  return undefined;
}

function parseErrors(body: string, contentType: string): { codes: readonly string[]; text: string } {
  try {
    const { errors } = JSON.parse(body) as { errors?: unknown };
    if (Array.isArray(errors)) {
      const known = (errors as readonly ({ code?: unknown; message?: unknown } | null)[]).map((e) => ({
        code: textOr(e?.code),
        message: textOr(e?.message),
      }));
      return { codes: known.map((e) => e.code).filter(Boolean), text: shorten(known.map((e) => e.message || e.code).join('; ')) };
    }
  } catch {
    // Not every proxy on the way speaks the registry's language.
  }
  if (contentType.startsWith('text/html')) return { codes: [], text: 'a web page, not a registry' };
  return { codes: [], text: contentType.startsWith('text/') || contentType.includes('json') ? shorten(body) : '' };
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** One line without control characters: it ends up in terminals. */
function shorten(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > MAX_SHOWN_CHARACTERS ? `${line.slice(0, MAX_SHOWN_CHARACTERS)}...` : line;
}
