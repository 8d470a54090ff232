/**
 * Names of images: parsing with Docker's defaults, and the spellings that files and people want.
 * Does not know where a registry's API is served. Reference: github.com/distribution/reference (ParseNormalizedNamed).
 */
import { TsbuildError } from '../errors.ts';
import { type Digest, parseDigest } from './digest.ts';

export const DOCKER_HUB = 'docker.io';

/** `docker.io` and its older spellings are one registry. */
export function isDockerHub(registry: string): boolean {
  return registry === DOCKER_HUB || registry === 'index.docker.io' || registry === 'registry-1.docker.io';
}

/** In full: `docker.io` and `library/` are spelt out. A reference without tag and digest stands for the tag `latest`. */
export interface Reference {
  /** Host, with port when one was written. */
  readonly registry: string;
  /** Path inside the registry. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** `host/path` */
export type Repository = `${string}/${string}`;

const HOST = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
/** Docker's limit for host and path together. */
const MAX_NAME_CHARACTERS = 255;

/** Throws REFERENCE_INVALID. */
export function parseReference(text: string): Reference {
  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const name = tagged ? named.slice(0, colon) : named;
  const tag = tagged ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(
      text,
      `"${tag}" is not a tag`,
      'a tag has at most 128 letters, digits, "_", "." and "-", and begins with none of the last two',
    );
  }
  const { registry, repository } = splitName(text, name);
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function splitName(text: string, name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasHost = first === 'localhost' || /[.:]/.test(first);
  const path = hasHost ? name.slice(slash + 1) : name;
  if (path === '') throw invalid(text, 'the name is missing', 'write registry/name:tag, for example docker.io/library/debian:12');
  if (hasHost && !HOST.test(first)) throw invalid(text, `"${first}" is not a registry's host`, undefined);
  const registry = !hasHost || isDockerHub(first) ? DOCKER_HUB : first;
  const repository = registry === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path;
  checkPath(text, repository);
  if (`${registry}/${repository}`.length > MAX_NAME_CHARACTERS) {
    throw invalid(text, `the name is longer than ${MAX_NAME_CHARACTERS} characters`, undefined);
  }
  if (/^[0-9a-f]{64}$/.test(name)) throw invalid(text, '64 hex digits are not a name', 'write name@sha256:<digest>');
  return { registry, repository };
}

function checkPath(text: string, path: string): void {
  for (const part of path.split('/')) {
    if (PATH_PART.test(part)) continue;
    if (part === '') throw invalid(text, 'a part of the name is empty', undefined);
    if (PATH_PART.test(part.toLowerCase())) {
      // Docker Hub's `library/` was not written.
      const written = text.includes(path) ? path : path.replace(/^library\//, '');
      throw invalid(text, 'names are lower case', `write ${text.replace(written, written.toLowerCase())}`);
    }
    throw invalid(text, `"${part}" is not a part of a name`, 'lower-case letters and digits, between them ".", "_", "__" or "-"');
  }
}

function invalid(text: string, why: string, hint: string | undefined): TsbuildError {
  return new TsbuildError(
    'REFERENCE_INVALID',
    text === '' ? 'an image reference is empty' : `"${text}" is not an image reference: ${why}`,
    { hint },
  );
}

export function repositoryOf({ registry, repository }: Reference): Repository {
  return `${registry}/${repository}`;
}

/** The same reference with `latest` written out where it is meant. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined ? { ...reference, tag: 'latest' } : reference;
}

/** In full: `docker.io/library/debian:12@sha256:...`. Parses to the same reference again. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryOf(reference)}${tag}${digest}`;
}

/** As Docker shows it: without `docker.io/` and `library/`. */
export function familiarReference(reference: Reference): string {
  const full = formatReference(reference);
  return full.replace(/^docker\.io\/(?:library\/)?/, '');
}
