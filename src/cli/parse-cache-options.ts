/** The flags of step caches: Kaniko's, which are about a cache of single steps, and BuildKit's --cache-from and --cache-to. */
import { resolve } from 'node:path';
import type { CachedKind } from '../cache/step-cache.ts';
import { TsbuildError } from '../errors.ts';
import { parseReference, repositoryOf } from '../image/reference.ts';
import { parseDuration } from '../plan/durations.ts';
import type { CacheExport, CacheOptions, CachePlaceOption, OutputOptions } from './options.ts';
import { parseCacheFrom, parseCacheTo } from './parse-cache-entry.ts';
import type { Problems } from './problems.ts';
import type { GivenFlags } from './read-flags.ts';

/** Kaniko's: two weeks. */
const DEFAULT_TTL = '336h';
const LAYOUT_PREFIX = 'oci:';

export interface CacheWorld {
  /** Absolute. */
  readonly cwd: string;
  readonly destinations: OutputOptions['destinations'];
}

export function cacheOptions(flags: GivenFlags, { cwd, destinations }: CacheWorld, problems: Problems): CacheOptions {
  const cache = flags.boolean('cache');
  const noCache = flags.boolean('no-cache') === true;
  if (noCache && cache === true) problems.usage('--cache and --no-cache want different things', 'leave one of the two out');
  const given = flags.value('cache-repo');
  const named = given === undefined ? undefined : problems.attempt('--cache-repo', () => parseCacheRepo(given, cwd));
  const ttlMs = problems.attempt('--cache-ttl', () => parseTtl(flags.value('cache-ttl') ?? DEFAULT_TTL)) ?? 0;
  const place = named ?? besideDestination(destinations);
  if (cache === true && given === undefined && place === null && flags.list('destination').length === 0)
    problems.usage('--cache does not know where: there is no --destination', 'add --cache-repo REGISTRY/NAME');
  const access = flags.boolean('no-push-cache') === true ? 'read' : 'read and write';
  const entries = (name: 'cache-from' | 'cache-to'): readonly string[] => flags.list(name).filter((text) => text !== '');
  const exports = entries('cache-to').flatMap((text): readonly CacheExport[] => {
    const parsed = problems.attempt(`--cache-to ${text}`, () => parseCacheTo(text, cwd));
    return parsed === undefined ? [] : [parsed];
  });
  if (flags.boolean('single-snapshot') === true && exports.some((one) => one.kind === 'inline'))
    problems.usage(
      '--cache-to type=inline names the layers of steps in the image, and with --single-snapshot it has none of them',
      'leave one of the two out, or export to type=registry,ref=REF',
    );
  return {
    steps: noCache || cache === false ? 'run anew' : 'reused',
    kinds: kindsOf(flags),
    keyed: cache === true && place !== null ? { place, ttlMs, access } : null,
    imports: entries('cache-from').flatMap((text) => problems.attempt(`--cache-from ${text}`, () => parseCacheFrom(text, cwd)) ?? []),
    exports: exports.filter((one) => one.kind !== 'inline'),
    inline: exports.some((one) => one.kind === 'inline') ? 'written' : 'not written',
  };
}

/** A WORKDIR that makes a folder is neither. */
function kindsOf(flags: GivenFlags): readonly CachedKind[] {
  const run = flags.boolean('cache-run-layers') ?? true;
  const copy = flags.boolean('cache-copy-layers') ?? true;
  return [...(run ? (['run'] as const) : []), ...(copy ? (['copy'] as const) : []), 'workdir'];
}

/** A repository, or `oci:FOLDER`. */
function parseCacheRepo(text: string, cwd: string): CachePlaceOption {
  if (text.startsWith(LAYOUT_PREFIX)) {
    const folder = text.slice(LAYOUT_PREFIX.length);
    if (folder !== '') return { kind: 'layout', folder: resolve(cwd, folder) };
    throw new TsbuildError('USAGE', `"${text}" names no folder`, { hint: 'write oci:FOLDER' });
  }
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new TsbuildError('USAGE', `"${text}" is not a repository: it has a tag or a digest`, {
      hint: `write ${repositoryOf(reference)}`,
    });
  return { kind: 'registry', repository: repositoryOf(reference) };
}

/** Kaniko's default: `/cache` below the first destination. */
function besideDestination([first]: OutputOptions['destinations']): CachePlaceOption | null {
  return first === undefined ? null : { kind: 'registry', repository: `${repositoryOf(parseReference(first))}/cache` };
}

function parseTtl(text: string): number {
  try {
    return parseDuration(text) / 1e6;
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError('USAGE', error.message, { hint: 'for example 6h, or 336h for two weeks' });
  }
}
