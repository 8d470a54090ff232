/** What Node and the kernel say, in plain words. Errors that it does not know keep their own words. */

interface SystemError {
  readonly code: string;
  readonly message: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

/** Troubles of this machine that any call can meet: no bug, wherever they come from. */
const MACHINE_TROUBLES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the disk cannot be read or written (input/output error)',
  ENOMEM: 'there is not enough memory',
  EMFILE: 'too many files are open (ulimit -n)',
  ENFILE: 'too many files are open on this machine',
};

const NETWORK: Readonly<Record<string, (place: string) => string>> = {
  ECONNREFUSED: (place) => `nothing listens at ${place}`,
  ECONNRESET: (place) => `the connection to ${place} was cut`,
  EPIPE: (place) => `the connection to ${place} was cut`,
  ETIMEDOUT: (place) => `${place} does not answer`,
  EHOSTUNREACH: (place) => `there is no route to ${place}`,
  ENETUNREACH: (place) => `there is no network to reach ${place}`,
  ENOTFOUND: (place) => `the name ${place} is not known (DNS)`,
  EAI_AGAIN: (place) => `the name ${place} cannot be looked up now (DNS)`,
};

const CERTIFICATES: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that this machine does not trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that this machine does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that this machine does not know',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: is the clock of this machine right?',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

const FILES: Readonly<Record<string, (path: string) => string>> = {
  ENOENT: (path) => `${path} does not exist`,
  EACCES: (path) => `no permission for ${path}`,
  EPERM: (path) => `not permitted: ${path}`,
  EEXIST: (path) => `${path} exists already`,
  EISDIR: (path) => `${path} is a folder`,
  ENOTDIR: (path) => `a part of ${path} is not a folder`,
};

export function plainCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const error = cause as Error & Partial<SystemError>;
  const code = error.code ?? '';
  const trouble = MACHINE_TROUBLES[code];
  if (trouble !== undefined) return error.path === undefined ? trouble : `${trouble} (${error.path})`;
  const certificate = CERTIFICATES[code];
  if (certificate !== undefined) return certificate;
  if (code === 'EPROTO' && /wrong version number/i.test(error.message)) return 'it does not speak TLS: is it a plain HTTP registry?';
  const place = placeOf(error);
  const network = NETWORK[code];
  if (network !== undefined && place !== undefined) return network(place);
  const file = FILES[code];
  if (file !== undefined && error.path !== undefined) return file(error.path);
  return error.message;
}

/** The error, or what caused it, is that a file system took no more. */
export function isForWantOfSpace(error: unknown): boolean {
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    if (['ENOSPC', 'EDQUOT'].includes((at as Partial<SystemError>).code ?? '')) return true;
  }
  return false;
}

export function isMachineTrouble(error: unknown): error is Error {
  return error instanceof Error && MACHINE_TROUBLES[(error as Partial<SystemError>).code ?? ''] !== undefined;
}

function placeOf(error: Partial<SystemError>): string | undefined {
  if (error.address !== undefined) return error.port === undefined ? error.address : `${error.address}:${error.port}`;
  // node-fetch keeps only the code and the words.
  return error.hostname ?? /\b[a-z]+ E[A-Z_]+ (\S+)$/.exec(error.message ?? '')?.[1];
}
