/** --build-context values: `NAME=FOLDER`, `NAME=docker-image://REF`, `NAME=oci-layout://FOLDER[:TAG][@DIGEST]`. Reference: docker buildx build --build-context. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { layoutReference, parseLayoutReference } from '../image/layout-reference.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import { contextKey } from '../plan/named-contexts.ts';
import type { NamedContextOption } from './options.ts';

const HINT = 'write --build-context NAME=FOLDER, NAME=docker-image://REFERENCE or NAME=oci-layout://FOLDER:TAG';

/** Folders have to be there; nothing in them is read. Throws USAGE, NOT_SUPPORTED, REFERENCE_INVALID, PLATFORM_INVALID, CONTEXT_NOT_FOUND, CONTEXT_READ. */
export function parseBuildContext(text: string, cwd: string): { readonly key: string; readonly context: NamedContextOption } {
  const equals = text.indexOf('=');
  const name = text.slice(0, Math.max(equals, 0));
  const value = text.slice(equals + 1);
  if (name === '' || value === '') throw new TsbuildError('USAGE', `"${text}" is not NAME=VALUE`, { hint: HINT });
  return { key: contextKey(name), context: contextOf(value, cwd) };
}

function contextOf(value: string, cwd: string): NamedContextOption {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1]?.toLowerCase();
  const rest = scheme === undefined ? value : value.slice(scheme.length + '://'.length);
  switch (scheme) {
    case 'docker-image':
      if (rest === 'scratch') return { kind: 'scratch' };
      return { kind: 'image', ref: formatReference(withDefaultTag(parseReference(rest))) };
    case 'oci-layout':
      return { kind: 'image', ref: layoutOf(rest, cwd) };
    case 'dir':
    case undefined:
      if (/^[\w.-]+@[\w.-]+:/.test(value)) throw unsupported('git repositories');
      requireFolder(resolve(cwd, rest), rest);
      return { kind: 'folder', folder: resolve(cwd, rest), label: rest };
    case 'git':
    case 'ssh':
      throw unsupported('git repositories');
    case 'http':
    case 'https':
      throw unsupported(`${scheme}:// addresses`);
    default:
      throw new TsbuildError('USAGE', `a context of the kind ${scheme}:// is not known`, { hint: HINT });
  }
}

function unsupported(what: string): TsbuildError {
  return new TsbuildError('NOT_SUPPORTED', `not supported yet: ${what} in --build-context`, {
    hint: 'fetch it into a folder first and give that folder',
  });
}

function layoutOf(written: string, cwd: string): string {
  const { folder, ...image } = parseLayoutReference(written);
  const absolute = resolve(cwd, folder);
  requireFolder(absolute, folder);
  if (existsSync(join(absolute, 'index.json'))) return layoutReference({ folder: absolute, ...image });
  throw new TsbuildError('CONTEXT_NOT_FOUND', `${folder} is not an OCI image layout: it has no index.json`, {
    hint: 'make one with --oci-layout-path, or with skopeo copy ... oci:FOLDER:TAG',
  });
}

function requireFolder(folder: string, written: string): void {
  let what: 'folder' | 'file' | 'missing';
  try {
    const stat = statSync(folder, { throwIfNoEntry: false });
    what = stat === undefined ? 'missing' : stat.isDirectory() ? 'folder' : 'file';
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new TsbuildError('CONTEXT_READ', `the folder ${written} cannot be read: ${code ?? message}`, { cause });
  }
  if (what === 'missing')
    throw new TsbuildError('CONTEXT_NOT_FOUND', `the folder ${written} does not exist`, { hint: 'give an existing folder' });
  if (what === 'file')
    throw new TsbuildError('CONTEXT_NOT_FOUND', `${written} is a file, not a folder`, { hint: 'give the folder that holds your files' });
}
