/**
 * argv -> BuildOptions, with every fault of the line at once. Looks at the file system only to see that the context, the
 * Dockerfile and secret files are there. Names and meanings of flags are Kaniko's where Kaniko has them.
 */
import { isAbsolute, posix, resolve } from 'node:path';
import { readDockerfile } from '../dockerfile/parse.ts';
import { formatReference, parseReference, withDefaultTag } from '../image/reference.ts';
import type { CommandLineWorld } from './command-line-world.ts';
import { ISOLATION_CHOICES } from './flags.ts';
import type {
  BuildOptions,
  ExecutionOptions,
  FolderSource,
  InPlaceWishes,
  OutputOptions,
  ResultFileOptions,
  SecretOption,
} from './options.ts';
import { cacheOptions } from './parse-cache-options.ts';
import { imageOptions, splitPair } from './parse-image-options.ts';
import { registryOptions } from './parse-registry-options.ts';
import { parseSecret } from './parse-secret.ts';
import { DEFAULT_CACHE_SIZE, parseBound } from './parse-size.ts';
import { collectProblems, type Problems } from './problems.ts';
import { type GivenFlags, readFlags } from './read-flags.ts';
import { resolveReport } from './resolve-report.ts';
import { readDockerfile as dockerfileBytes, resolveSource } from './resolve-source.ts';

export type CommandLine =
  | { readonly asks: 'help' }
  | { readonly asks: 'version' }
  | { readonly asks: 'build'; readonly options: BuildOptions };

/** `argv` without node and script. Throws TsbuildErrors (USAGE, NOT_SUPPORTED, REFERENCE_INVALID, ...): exit code 2. */
export function parseCommandLine(argv: readonly string[], world: CommandLineWorld): CommandLine {
  const problems = collectProblems();
  const flags = readFlags(argv, problems);
  if (flags.asks !== 'build') return { asks: flags.asks };
  const source = resolveSource(
    {
      context: flags.value('context'),
      contextSubPath: flags.value('context-sub-path'),
      dockerfile: flags.value('dockerfile'),
      git: flags.list('git'),
      keepGitDir: keepGitDir(flags, world),
      env: world.env,
      cwd: world.cwd,
    },
    problems,
  );
  const noPush = flags.boolean('no-push') ?? booleanVariable('KANIKO_NO_PUSH', world, problems);
  const output = outputOptions(flags, noPush, world, problems);
  const parts = {
    image: imageOptions(flags, world, problems),
    output,
    resultFiles: resultFileOptions(flags, world),
    registry: registryOptions(flags, world, problems),
    execution: executionOptions(flags, world, problems),
    caches: cacheOptions(flags, { cwd: world.cwd, destinations: output.destinations }, problems),
    report: resolveReport(
      {
        progress: flags.value('progress'),
        logFormat: flags.value('log-format'),
        verbosity: flags.value('verbosity'),
        logTimestamp: flags.boolean('log-timestamp') ?? false,
        env: world.env,
        stderr: world.stderr,
      },
      problems,
    ),
  };
  if (problems.any() && source?.kind === 'folder') problems.attempt('the Dockerfile', () => addFaults(source, problems));
  problems.throwIfAny();
  if (source === undefined) throw new Error('the source is missing although nothing is wrong with the command line');
  return { asks: 'build', options: freeze({ source, ...parts }) };
}

/** Both rounds in one: what the line does not change is told of the file, too. */
function addFaults(source: FolderSource, problems: Problems): void {
  for (const error of readDockerfile(dockerfileBytes(source), source.dockerfileLabel).errors) problems.found(error);
}

/** BuildKit's switch for a context that is a git repository; a build argument of Docker, and no ARG. */
function keepGitDir(flags: GivenFlags, { env }: CommandLineWorld): string | undefined {
  const name = 'BUILDKIT_CONTEXT_KEEP_GIT_DIR';
  const given = flags
    .list('build-arg')
    .map(splitPair)
    .findLast(([key]) => key === name);
  return given === undefined ? undefined : (given[1] ?? env[name]);
}

function outputOptions(flags: GivenFlags, noPush: boolean, world: CommandLineWorld, problems: Problems): OutputOptions {
  const destinations = new Set<string>();
  for (const text of flags.list('destination')) {
    const reference = problems.attempt('--destination', () => parseReference(text));
    if (reference === undefined) continue;
    if (reference.digest !== undefined) {
      problems.usage(`--destination ${text} has a digest`, 'a digest is known only after the build; give a tag');
      continue;
    }
    destinations.add(formatReference(withDefaultTag(reference)));
  }
  const tarPath = absolute(flags.value('tar-path'), world);
  const none = flags.list('destination').length === 0;
  if (none && tarPath !== null) {
    problems.usage('--tar-path needs a --destination: the archive holds the image under that name', 'add --destination NAME:TAG');
  } else if (none && !noPush) {
    problems.usage('there is no --destination', 'add --destination REGISTRY/NAME:TAG to push, or --no-push to build only');
  }
  for (const name of ['image-name-with-digest-file', 'image-name-tag-with-digest-file'] as const) {
    if (none && flags.value(name) !== undefined) problems.usage(`--${name} needs a --destination`, 'add --destination REGISTRY/NAME:TAG');
  }
  return {
    destinations: [...destinations],
    push: noPush || tarPath !== null ? 'never' : 'to-destinations',
    tarPath,
    ociLayoutPath: absolute(flags.value('oci-layout-path'), world),
  };
}

function resultFileOptions(flags: GivenFlags, world: CommandLineWorld): ResultFileOptions {
  return {
    digestFile: absolute(flags.value('digest-file'), world),
    imageNameWithDigestFile: absolute(flags.value('image-name-with-digest-file'), world),
    imageNameTagWithDigestFile: absolute(flags.value('image-name-tag-with-digest-file'), world),
  };
}

function executionOptions(flags: GivenFlags, world: CommandLineWorld, problems: Problems): ExecutionOptions {
  const secrets = new Map<string, SecretOption>();
  for (const text of flags.list('secret')) {
    const secret = problems.attempt('--secret', () => parseSecret(text, world));
    if (secret === undefined) continue;
    if (secrets.has(secret.id)) problems.usage(`--secret has the id "${secret.id}" twice`, 'give each secret its own id');
    secrets.set(secret.id, secret);
  }
  const ignorePaths: string[] = [];
  for (const path of flags.list('ignore-path')) {
    const clean = posix.normalize(path).replace(/(?<=.)\/$/, '');
    if (!isAbsolute(path))
      problems.usage(`--ignore-path "${path}" is not absolute`, `paths in the image begin with "/": write --ignore-path /${path}`);
    else if (clean === '/') problems.usage('--ignore-path / would leave out everything', 'name a folder or file below /');
    else ignorePaths.push(clean);
  }
  if (flags.boolean('ignore-var-run') === true) ignorePaths.push('/var/run');
  return {
    isolation: ISOLATION_CHOICES.find((name) => name === flags.value('isolation')) ?? 'auto',
    cacheDir: absolute(flags.value('cache-dir'), world),
    cacheMaxBytes: problems.attempt('--cache-max-size', () => parseBound(flags.value('cache-max-size') ?? DEFAULT_CACHE_SIZE)) ?? null,
    tmpDir: absolute(flags.value('tmp-dir'), world),
    secrets: [...secrets.values()],
    ignorePaths,
    inPlace: inPlaceWishes(flags, problems),
  };
}

function inPlaceWishes(flags: GivenFlags, problems: Problems): InPlaceWishes {
  const [materialize, preserve, cleanup] = [flags.boolean('materialize'), flags.boolean('preserve-context'), flags.boolean('cleanup')];
  if (materialize === true) {
    const isolation = flags.value('isolation') ?? 'auto';
    if (isolation !== 'auto' && isolation !== 'in-place')
      problems.usage(`--materialize leaves the image in /, which isolation ${isolation} does not use`, 'leave one of the two out');
    for (const name of ['cleanup', 'preserve-context'] as const) {
      if (flags.boolean(name) === true)
        problems.usage(`--materialize and --${name} want different things of /`, 'leave one of the two out');
    }
    if (
      flags
        .list('platform')
        .flatMap((text) => text.split(','))
        .filter((text) => text !== '').length > 1
    )
      problems.usage('--materialize cannot leave images of several platforms in /', 'name one platform');
  }
  return {
    outsideContainer: flags.boolean('force') === true ? 'allowed' : 'refused',
    varRun: flags.boolean('ignore-var-run') === false ? 'keep mounts' : 'keep',
    // Kaniko restores what it preserved when it cleans up.
    afterwards: materialize === true ? 'the image' : preserve === true ? 'as before' : cleanup === true ? 'cleared' : 'left',
  };
}

function absolute(path: string | undefined, world: CommandLineWorld): string | null {
  return path === undefined ? null : resolve(world.cwd, path);
}

/** Kaniko takes some settings from variables, written like Go's strconv.ParseBool takes them. */
function booleanVariable(name: string, world: CommandLineWorld, problems: Problems): boolean {
  const word = world.env[name] ?? '';
  if (/^(?:1|t|true)$/i.test(word)) return true;
  if (word !== '' && !/^(?:0|f|false)$/i.test(word))
    problems.usage(`the variable ${name} is true or false, not "${word}"`, `export ${name}=true`);
  return false;
}

/** Frozen through all plain objects and arrays. */
function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null && !(part instanceof Map)) freeze(part as object);
  }
  return Object.freeze(value);
}
