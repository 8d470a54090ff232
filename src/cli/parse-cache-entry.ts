/** --cache-from and --cache-to as docker buildx spells them: `type=registry,ref=..`, comma-separated, quoted where need be. */
import { resolve } from 'node:path';
import { type ErrorCode, TsbuildError } from '../errors.ts';
import { parseDigest } from '../image/digest.ts';
import { parseReference, type Reference, repositoryOf } from '../image/reference.ts';
import { parseCsvRecord } from '../plan/csv.ts';
import type { CacheExport, CacheImport } from './options.ts';

/** Types of BuildKit that need the services of others. */
const OTHER_TYPES = ['gha', 's3', 'azblob'];
/** Options of BuildKit for the types that we have. */
const OTHER_OPTIONS = ['compression', 'compression-level', 'force-compression', 'reset'];

/** Some for references without a type. Throws USAGE, NOT_SUPPORTED, REFERENCE_INVALID. */
export function parseCacheFrom(text: string, cwd: string): readonly CacheImport[] {
  const fields = fieldsOf(text);
  if (fields.every((field) => !field.includes('='))) return fields.map((ref) => ({ kind: 'registry', ...namedImage(ref) }));
  const entry = entryOf(fields);
  switch (entry.type) {
    case 'registry': {
      const found: CacheImport = { kind: 'registry', ...namedImage(entry.required('ref')) };
      entry.end();
      return [found];
    }
    case 'local': {
      const digest = entry.optional('digest');
      const folder = resolve(cwd, entry.required('src'));
      const found: CacheImport = { kind: 'layout', folder, name: digest === undefined ? entry.tag() : parseDigest(digest) };
      entry.end();
      return [found];
    }
    case 'inline':
      throw usage('an inline cache is read from the image that has it', 'write type=registry,ref=IMAGE');
    default:
      throw unknownType(entry.type);
  }
}

/** Throws as `parseCacheFrom` does. */
export function parseCacheTo(text: string, cwd: string): CacheExport {
  const fields = fieldsOf(text);
  const [only, ...others] = fields;
  if (only !== undefined && others.length === 0 && !only.includes('=')) return { kind: 'registry', mode: 'min', ...exportedImage(only) };
  const entry = entryOf(fields);
  const { type } = entry;
  if (type !== 'registry' && type !== 'local' && type !== 'inline') throw unknownType(type);
  const mode = entry.choice('mode', ['min', 'max']) ?? 'min';
  if (entry.choice('ignore-error', ['true', 'false']) === 'false')
    throw unsupported('ignore-error=false', 'leave it out: what goes wrong with a cache is a warning, and never fails a build');
  const oci = type === 'inline' ? [] : (['oci-mediatypes', 'image-manifest'] as const);
  for (const name of oci) {
    if (entry.choice(name, ['true', 'false']) === 'false')
      throw unsupported(`${name}=false`, 'leave it out: a cache is written as an OCI image');
  }
  const found = exportOf(type, mode, entry, cwd);
  entry.end();
  return found;
}

function exportOf(type: 'registry' | 'local' | 'inline', mode: 'min' | 'max', entry: Entry, cwd: string): CacheExport {
  switch (type) {
    case 'registry':
      return { kind: 'registry', mode, ...exportedImage(entry.required('ref')) };
    case 'local':
      return { kind: 'layout', mode, folder: resolve(cwd, entry.required('dest')), tag: entry.tag() };
    case 'inline':
      if (mode === 'max')
        throw usage(
          'an image has only its own layers: type=inline cannot have mode=max',
          'write mode=min, or type=registry,ref=..,mode=max',
        );
      return { kind: 'inline' };
  }
}

function namedImage(text: string): { readonly repository: string; readonly name: string } {
  const reference = parseReference(text);
  return { repository: repositoryOf(reference), name: reference.digest ?? reference.tag ?? 'latest' };
}

function exportedImage(text: string): { readonly repository: string; readonly tag: string } {
  const reference: Reference = parseReference(text);
  if (reference.digest !== undefined) throw usage(`${text} has a digest, which is known only when the cache is written`, 'give a tag');
  return { repository: repositoryOf(reference), tag: reference.tag ?? 'latest' };
}

interface Entry {
  readonly type: string;
  required(name: string): string;
  optional(name: string): string | undefined;
  choice<const C extends string>(name: string, choices: readonly C[]): C | undefined;
  /** The name of an image in a layout. */
  tag(): string;
  /** Throws for what nobody asked for. */
  end(): void;
}

function entryOf(fields: readonly string[]): Entry {
  const values = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf('=');
    if (equals <= 0) throw usage(`"${field}" is not NAME=VALUE`, 'for example type=registry,ref=registry.example/team/app:cache');
    values.set(field.slice(0, equals).trim().toLowerCase(), field.slice(equals + 1));
  }
  const optional = (name: string): string | undefined => {
    const value = values.get(name);
    values.delete(name);
    return value === '' ? undefined : value;
  };
  const type = optional('type');
  if (type === undefined) throw usage('it has no type', 'for example type=registry,ref=registry.example/team/app:cache');
  return {
    type,
    optional,
    required(name) {
      const value = optional(name);
      if (value === undefined)
        throw usage(`type=${type} needs ${name}=..`, `write type=${type},${name}=${name === 'ref' ? 'REFERENCE' : 'FOLDER'}`);
      return value;
    },
    choice(name, choices) {
      const value = optional(name);
      const found = choices.find((one) => one === value);
      if (value !== undefined && found === undefined)
        throw usage(`${name} is ${choices.join(' or ')}, not "${value}"`, `write ${name}=${choices[0]}`);
      return found;
    },
    tag: () => optional('tag') ?? 'latest',
    end() {
      for (const name of values.keys()) {
        if (OTHER_OPTIONS.includes(name)) throw unsupported(name, 'leave it out: cached layers are those of the image');
        throw usage(`type=${type} has no option "${name}"`, 'leave it out');
      }
    },
  };
}

function fieldsOf(text: string): readonly string[] {
  try {
    return parseCsvRecord(text);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw usage(error.message, `quote a field that has a comma as a whole, and the quotes, too: type=local,'"src=a,b"'`);
  }
}

function unknownType(type: string): TsbuildError {
  if (OTHER_TYPES.includes(type))
    return unsupported(`type=${type}`, 'tsbuild has type=registry, type=local and, for --cache-to, type=inline');
  return usage(`"${type}" is not a type of cache`, 'tsbuild has type=registry, type=local and, for --cache-to, type=inline');
}

function unsupported(what: string, hint: string): TsbuildError {
  return fault('NOT_SUPPORTED', `not supported yet: ${what}`, hint);
}

function usage(message: string, hint: string): TsbuildError {
  return fault('USAGE', message, hint);
}

function fault(code: ErrorCode, message: string, hint: string): TsbuildError {
  return new TsbuildError(code, message, { hint });
}
