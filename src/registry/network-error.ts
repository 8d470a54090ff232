/** Failures below HTTP, in words: which of them may pass, and what to do about the others. */
import { RegistryError } from './registry-error.ts';

const TRANSIENT = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'there is no host of this name'],
  ['EAI_AGAIN', 'its name cannot be looked up right now'],
  ['ECONNREFUSED', 'it refuses connections'],
  ['ECONNRESET', 'the connection was reset'],
  ['EPIPE', 'the connection was closed'],
  ['ETIMEDOUT', 'the connection timed out'],
  ['EHOSTUNREACH', 'there is no route to it'],
  ['ENETUNREACH', 'there is no route to it'],
  ['ERR_STREAM_PREMATURE_CLOSE', 'the connection was closed in the middle of an answer'],
]);

export function networkError(method: string, url: string, cause: unknown): RegistryError {
  const code = codeOf(cause);
  const host = new URL(url).host;
  const base = { status: null, method, url, cause };
  if (isTlsMismatch(code)) {
    return new RegistryError('REGISTRY_FAILED', `${host} does not speak HTTPS`, {
      ...base,
      retryable: false,
      hint: `if it is meant to be plain HTTP, pass --insecure-registry=${host}`,
    });
  }
  if (isCertificateError(code)) {
    return new RegistryError('REGISTRY_FAILED', `the certificate of ${host} is not trusted (${code})`, {
      ...base,
      retryable: false,
      hint: `name its CA in NODE_EXTRA_CA_CERTS, or pass --skip-tls-verify-registry=${host}`,
    });
  }
  const reason = REASONS.get(code) ?? ((cause instanceof Error && cause.message) || code || 'unknown reason');
  return new RegistryError('REGISTRY_FAILED', `cannot reach ${host}: ${reason}`, { ...base, retryable: TRANSIENT.has(code) });
}

/** The first system code in the chain of causes; '' when there is none. */
export function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return '';
}

/** A plain HTTP server that was spoken to in TLS. */
export function isTlsMismatch(code: string): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_');
}

const CERTIFICATE_CODES = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'INVALID_CA',
  'HOSTNAME_MISMATCH',
]);

function isCertificateError(code: string): boolean {
  return CERTIFICATE_CODES.has(code);
}
