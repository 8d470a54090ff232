/** `tsbuild warm`: fetches images ahead of builds. An ordinary user's runs where its builds would: in a user namespace. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Warmed } from '../build/warm.ts';
import { TsbuildError, TsbuildErrors } from '../errors.ts';
import { formatPlatform } from '../image/platform.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import { parseDuration } from '../plan/durations.ts';
import { createReporter } from '../report/create-reporter.ts';
import { type CommandFlag, type FlagSet, type Given, HELP_SWITCH, readGiven } from './command-flags.ts';
import type { CommandWorld, ExitKind } from './command-world.ts';
import { FLAGS as BUILD_FLAGS, type FlagName } from './flags.ts';
import { UNSUPPORTED_KANIKO_FLAGS } from './kaniko-flags.ts';
import type { WarmOptions } from './options.ts';
import { buildArgOptions, platformOptions } from './parse-image-options.ts';
import { registryOptions } from './parse-registry-options.ts';
import { collectProblems, type Problems } from './problems.ts';
import { resolveReport } from './resolve-report.ts';

/** Short names are those of Kaniko's warmer. */
const OWN = [
  {
    name: 'image',
    short: 'i',
    kind: 'list',
    value: 'reference',
    group: 'Images',
    help: 'Image to fetch, such as debian:12. Repeatable.',
  },
  {
    name: 'dockerfile',
    short: 'd',
    kind: 'value',
    value: 'file',
    group: 'Images',
    help: 'Fetch the images that this Dockerfile names in FROM, COPY --from and RUN --mount, of all its stages.',
  },
  { name: 'target', kind: 'value', value: 'stage', group: 'Images', help: 'Of the Dockerfile, only what this stage needs.' },
  {
    name: 'force',
    short: 'f',
    kind: 'boolean',
    group: 'Caches',
    help: 'Fetch again what is in the cache already.',
  },
  {
    name: 'cache-ttl',
    kind: 'value',
    value: 'duration',
    group: 'Caches',
    help: 'Accepted: a tag is looked up at its registry each time, and what a digest names never grows old.',
  },
  {
    name: 'unpack',
    kind: 'boolean',
    group: 'Caches',
    help: 'Unpack layers, too, for RUN steps on overlays. Without it, the first build that needs one unpacks it.',
  },
] as const satisfies readonly CommandFlag[];

/** They mean here what they mean for a build. */
const SHARED = [
  ...['build-arg', 'platform', 'cache-dir'],
  ...['registry-mirror', 'insecure-pull', 'insecure-registry', 'skip-tls-verify-pull', 'skip-tls-verify-registry'],
  ...['progress', 'verbosity', 'log-format', 'log-timestamp'],
] as const satisfies readonly string[];

/** Those of Kaniko's warmer. */
const UNSUPPORTED = ['registry-certificate', 'registry-client-cert', 'registry-map', 'skip-default-registry-fallback'];

const SHORT: Readonly<Record<string, string>> = { 'cache-dir': 'c' };

const FLAG_SET: FlagSet = {
  command: 'tsbuild warm',
  flags: [
    ...OWN,
    ...(BUILD_FLAGS as readonly CommandFlag[])
      .filter(({ name }) => (SHARED as readonly string[]).includes(name))
      .map((flag) => (SHORT[flag.name] === undefined ? flag : { ...flag, short: SHORT[flag.name] as string })),
  ],
  unsupported: UNSUPPORTED_KANIKO_FLAGS.filter(({ name }) => UNSUPPORTED.includes(name)),
  switches: [HELP_SWITCH],
};

type GivenHere = Given<(typeof OWN)[number]['name'] | FlagName>;

const INTRODUCTION =
  'Fetches images into the cache folder, so that builds with the same --cache-dir need nothing of them but the digest of their tag.';

const AFTER = [
  'Results go to stdout, one "reference@digest" per line; all else to stderr.',
  'Exit codes: 0 all images are in the cache, 1 some are not, 2 wrong command line, 130 interrupted.',
  '',
].join('\n');

/** Throws TsbuildErrors of the command line. */
export async function warm(argv: readonly string[], world: CommandWorld): Promise<ExitKind | number> {
  const problems = collectProblems();
  const given: GivenHere = readGiven(argv, FLAG_SET, problems);
  for (const word of given.operands) problems.usage(`unexpected argument "${word}"`, `write --image ${word}`);
  if (given.asks('help')) {
    const { formatHelp } = await import('./help.ts');
    world.writeResult(`${formatHelp(FLAG_SET, INTRODUCTION, world.columns)}\n${AFTER}`);
    return 'told';
  }
  const options = warmOptions(given, world, problems);
  problems.throwIfAny();
  const elsewhere = await world.runElsewhere();
  // The other process has told everything.
  if (elsewhere !== null) return elsewhere;
  return fetchAndTell(options, world);
}

async function fetchAndTell(options: WarmOptions, world: CommandWorld): Promise<ExitKind> {
  const reporter = await createReporter(options.report, world.report);
  const { notice } = options.report;
  if (notice !== undefined) reporter.report({ type: 'warning', message: notice });
  try {
    const warmed = await world.runWarm(options, { report: reporter.report, signal: world.signal });
    const there = warmed.flatMap((one) => ('image' in one ? [one.image] : []));
    world.writeResult(there.map(({ ref, digest }) => `${ref}@${digest}\n`).join(''));
    const failures = warmed.flatMap((one) => ('error' in one ? [notFetched(one, options)] : []));
    const [first, ...others] = failures;
    if (first !== undefined) throw new TsbuildErrors([first, ...others]);
    reporter.finish({ kind: 'warmed', images: there.length });
    return 'told';
  } catch (error) {
    const cancelled = world.signal.aborted;
    reporter.finish(cancelled ? { kind: 'cancelled' } : { kind: 'failed', error });
    return cancelled ? 'cancelled' : 'failed';
  } finally {
    reporter.close();
  }
}

/** Which image it is about. A fault of ours goes on as it is. */
function notFetched({ ref, platform, error }: Extract<Warmed, { error: unknown }>, { platforms }: WarmOptions): TsbuildError {
  if (!(error instanceof TsbuildError)) throw error;
  const { code, message, hint, at } = error;
  const where = platforms.length > 1 ? ` for ${formatPlatform(platform)}` : '';
  return new TsbuildError(code, `${ref}${where} is not in the cache: ${message}`, { hint, at, cause: error });
}

function warmOptions(given: GivenHere, world: CommandWorld, problems: Problems): WarmOptions {
  const images = new Set<string>();
  for (const text of given.list('image').filter((one) => one !== '')) {
    const reference = problems.attempt('--image', () => parseReference(text));
    if (reference !== undefined) images.add(formatReference(withDefaultTag(reference)));
  }
  const path = given.value('dockerfile');
  if (path === undefined) {
    for (const name of ['target', 'build-arg'] as const) {
      if (given.list(name).some((text) => text !== '')) problems.usage(`--${name} is for a Dockerfile`, 'add --dockerfile FILE');
    }
    if (given.list('image').every((text) => text === ''))
      problems.usage('there is nothing to fetch', 'add --image REFERENCE, or --dockerfile FILE for the images that it names');
  }
  const ttl = given.value('cache-ttl');
  if (ttl !== undefined) problems.attempt('--cache-ttl', () => parseDuration(ttl));
  const cacheDir = given.value('cache-dir');
  return {
    images: [...images],
    platforms: platformOptions(given, problems),
    dockerfile: path === undefined ? null : dockerfileOptions(path, given, world, problems),
    cacheDir: cacheDir === undefined ? null : resolve(world.cwd, cacheDir),
    fetch: given.boolean('force') === true ? 'again' : 'what is missing',
    layers: given.boolean('unpack') === true ? 'unpacked' : 'packed',
    registry: registryOptions(given, world, problems),
    report: resolveReport(
      {
        progress: given.value('progress'),
        logFormat: given.value('log-format'),
        verbosity: given.value('verbosity'),
        logTimestamp: given.boolean('log-timestamp') ?? false,
        env: world.env,
        stderr: world.stderr,
      },
      problems,
    ),
  };
}

function dockerfileOptions(path: string, given: GivenHere, world: CommandWorld, problems: Problems): WarmOptions['dockerfile'] {
  const buildArgs = buildArgOptions(given, world, problems);
  if (/^https?:/.test(path)) {
    problems.add('NOT_SUPPORTED', `not supported yet: --dockerfile ${path}`, 'fetch the file first and give its path');
    return null;
  }
  try {
    return { label: path, bytes: readFileSync(resolve(world.cwd, path)), buildArgs, target: given.value('target') ?? null };
  } catch (error) {
    problems.add(
      'CONTEXT_NOT_FOUND',
      `the Dockerfile ${path} cannot be read: ${(error as Error).message}`,
      'give a path from the working folder',
    );
    return null;
  }
}
