/** The flags that say what the image is made of and for: arguments, labels, named contexts, date, platforms. */
import { formatPlatform, type Platform, parsePlatform } from '../image/platform.ts';
import type { CommandLineWorld } from './command-line-world.ts';
import type { ImageOptions, NamedContextOption } from './options.ts';
import { parseBuildContext } from './parse-build-context.ts';
import type { Problems } from './problems.ts';
import type { GivenFlags } from './read-flags.ts';

export function imageOptions(flags: GivenFlags, world: CommandLineWorld, problems: Problems): ImageOptions {
  const labels = new Map<string, string>();
  for (const text of flags.list('label')) {
    const [name, value] = splitPair(text);
    if (name === '' || value === undefined) problems.usage(`--label "${text}" is not NAME=VALUE`, 'write --label NAME=VALUE');
    else labels.set(name, value);
  }
  const contexts = new Map<string, NamedContextOption>();
  for (const text of flags.list('build-context')) {
    const parsed = problems.attempt(`--build-context ${text.split('=', 1)[0]}`, () => parseBuildContext(text, world.cwd));
    if (parsed !== undefined) contexts.set(parsed.key, parsed.context);
  }
  return {
    target: flags.value('target') ?? null,
    buildArgs: buildArgOptions(flags, world, problems),
    contexts,
    labels,
    date: (flags.boolean('reproducible') ?? false) ? reproducibleDate(world, problems) : null,
    platforms: platformOptions(flags, problems),
    layers: flags.boolean('single-snapshot') === true ? 'one for each stage' : 'one for each step',
  };
}

/** Values of --build-arg. */
export function buildArgOptions(
  flags: Pick<GivenFlags, 'list'>,
  { env }: Pick<CommandLineWorld, 'env'>,
  problems: Problems,
): ReadonlyMap<string, string> {
  const buildArgs = new Map<string, string>();
  for (const text of flags.list('build-arg')) {
    const [name, value] = splitPair(text);
    if (name === '') {
      problems.usage(`--build-arg "${text}" has no name`, 'write --build-arg NAME=VALUE');
      continue;
    }
    // Docker: without a value the environment's, and no argument at all when that is unset.
    const found = value ?? env[name];
    if (found !== undefined) buildArgs.set(name, found);
  }
  return buildArgs;
}

/** The last second of the year 9999: dates of images have years of four digits. */
const LAST_SECOND = 253_402_300_799;

/** Spec: reproducible-builds.org/specs/source-date-epoch. Kaniko's is always 1970. */
function reproducibleDate({ env }: CommandLineWorld, problems: Problems): Date {
  const text = env['SOURCE_DATE_EPOCH'] ?? '';
  if (text === '') return new Date(0);
  if (/^\d{1,12}$/.test(text) && Number(text) <= LAST_SECOND) return new Date(Number(text) * 1000);
  problems.usage(
    'the variable SOURCE_DATE_EPOCH is not a number of seconds since 1970',
    'unset it, or take the time of a commit: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)',
  );
  return new Date(0);
}

/** Each flag may hold several, separated by commas. */
export function platformOptions(flags: Pick<GivenFlags, 'list' | 'value'>, problems: Problems): readonly Platform[] {
  const found = new Map<string, Platform>();
  for (const text of flags.list('platform')) {
    // An unset variable of a pipeline.
    if (text === '') continue;
    for (const one of text.split(',')) {
      const platform = problems.attempt('--platform', () => parsePlatform(one.trim()));
      if (platform !== undefined) found.set(formatPlatform(platform), platform);
    }
  }
  if (found.size > 1 && flags.value('tar-path') !== undefined) {
    problems.usage('--tar-path cannot hold images of several platforms', 'push them, or write --oci-layout-path FOLDER');
  }
  return [...found.values()];
}

/** `NAME=value` in two; value undefined without `=`. */
export function splitPair(text: string): readonly [string, string | undefined] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}
