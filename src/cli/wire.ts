/**
 * The one place where implementations are named: options become ports. Everything is made here, used by build/ through
 * its interfaces, and disposed of here.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { InPlaceOptions } from '../backend/in-place/probe.ts';
import type { ImageSource } from '../base-image/image-source.ts';
import { ociLayoutSource } from '../base-image/oci-layout-source.ts';
import { registrySource } from '../base-image/registry-source.ts';
import { build } from '../build/build.ts';
import type { Report } from '../build/events.ts';
import type { BuildRequest, Ports } from '../build/ports.ts';
import { type Places, places } from '../cache/places.ts';
import { folderCacheMounts } from '../cache-mounts/folder-cache-mounts.ts';
import type { ContextSource } from '../context/context.ts';
import { fetchGitCheckout } from '../context/git-source.ts';
import { download } from '../context/http-source.ts';
import { localContext } from '../context/local-context.ts';
import { statDigests } from '../context/stat-digests.ts';
import { type ErrorCode, TsbuildError } from '../errors.ts';
import type { Digest } from '../image/digest.ts';
import type { Image } from '../image/image.ts';
import { isLayoutReference } from '../image/layout-reference.ts';
import { hostPlatform } from '../image/platform.ts';
import { parseReference } from '../image/reference.ts';
import { checkDigestFiles, writeDigestFiles } from '../output/digest-files.ts';
import { digestSink } from '../output/digest-sink.ts';
import { dockerTarSink } from '../output/docker-tar-sink.ts';
import type { ImageSink } from '../output/image-sink.ts';
import { ociLayoutSink } from '../output/oci-layout-sink.ts';
import { registrySink } from '../output/registry-sink.ts';
import { dockerConfigFiles } from '../registry/credentials.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import { isDiskFull } from '../sys/disk-space.ts';
import { openCacheAt } from '../unpacked/cache-folder.ts';
import { datedLibrary } from '../unpacked/dated-library.ts';
import { openTemporaryFolder, openWorkFolder } from '../unpacked/work-folder.ts';
import { cachePlaces, homeFolder, temporaryFolderOf } from './cache-place.ts';
import { pruneAtEnd } from './cache-upkeep.ts';
import type { BuildEnd } from './command-world.ts';
import { filesOfBuild } from './files-of-build.ts';
import { openLayers } from './open-layers.ts';
import { openSource, type SourcePlace } from './open-source.ts';
import type { BuildOptions, OutputOptions, SecretOption } from './options.ts';
import { registryClient } from './registry-client.ts';
import { writeAfterPublishing } from './result-files.ts';
import type { BundledPrograms } from './rungs.ts';
import { type ReadFromCaches, stepCaches } from './step-caches.ts';
import { tellChecking, tellResolving } from './tell-waiting.ts';

export interface BuildContext {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** See SourcePlace. */
  readonly quote: SourcePlace['quote'];
  readonly programs: BundledPrograms;
}

/** What a damaged layer fails with, wherever it is read. */
const DAMAGE: readonly ErrorCode[] = ['BLOB_DIGEST_MISMATCH', 'BLOB_NOT_FOUND', 'LAYER_INVALID', 'LAYER_PATH_ESCAPE'];

/**
 * One build from its options, with this machine's environment. Where a layer that a cache gave turns out to be damaged, the build
 * is made again without it: a cache only ever costs time.
 */
export async function runBuild(options: BuildOptions, context: BuildContext): Promise<BuildEnd> {
  const [opened, failed] = [new Set<Digest>(), new Set<Digest>()];
  try {
    return await buildOnce(options, context, { opened, failed, refused: new Set() });
  } catch (error) {
    // What came by stdin cannot be read twice.
    const once = options.source.kind === 'archive' && options.source.from.kind === 'stdin';
    if (once || context.signal.aborted || !(error instanceof TsbuildError)) throw error;
    // A layer whose bytes are what its cache promises may still not be what the step made.
    if (failed.size === 0 && !(opened.size > 0 && DAMAGE.includes(error.code))) throw error;
    context.report({
      type: 'warning',
      message: `a layer of a cache cannot be used, so the build begins anew without it: ${error.message}`,
    });
    return buildOnce(options, context, { opened: new Set(), failed: new Set(), refused: opened });
  }
}

async function buildOnce(options: BuildOptions, context: BuildContext, caches: ReadFromCaches): Promise<BuildEnd> {
  const { report, signal } = context;
  await checkDigestFiles(options.resultFiles);
  const warn = (message: string): void => report({ type: 'warning', message });
  const now = (): Date => new Date();
  const { path: cacheFolder, folders } = openCacheAt(cachePlaces(options.execution.cacheDir, process.env, process.geteuid?.() ?? 0), warn);
  await using work = await openWorkFolder(folders.work, warn);
  await using _prune = pruneAtEnd({ cacheFolder, workFolder: work.path, maxBytes: options.execution.cacheMaxBytes, warn, signal });
  const { tmpDir } = options.execution;
  const temporaryFolder = tmpDir ?? temporaryFolderOf(process.env);
  await using temporary = temporaryFolder === null ? null : await openTemporaryFolder(temporaryFolder, warn);
  const scratch = (temporary ?? work).path;
  // What RUN writes needs a file system that can carry an overlay, which the /tmp of a container is not: TMPDIR does not move it.
  const rootfsFolder = tmpDir === null ? work.path : scratch;
  const { use, store, layers, devices, owners } = openLayers({ cacheFolder, folders, work });
  const delivered = places({ cacheFolder, workFolder: work.path });
  const { date } = options.image;
  const client = registryClient(options.registry, report);
  try {
    const place = { workFolder: scratch, env: process.env, stdin: () => process.stdin, report, signal, quote: context.quote };
    const source = await openSource(options.source, place);
    const ports: Ports = {
      context: source.context,
      namedContexts: folderContexts(options),
      images: imageSource({ registry: tellResolving(registrySource({ client, store }), { report }), layout: ociLayoutSource() }),
      backend: once(async () => {
        // Loaded here because many builds run no command.
        const { chooseBackend } = await import('./rungs.ts');
        const { isolation, inPlace } = options.execution;
        const wanted = inPlace.afterwards === 'the image' ? 'in-place' : isolation;
        const build = { inPlace: inPlaceOptions(options, [cacheFolder, scratch]), warn };
        return chooseBackend(wanted, { workFolder: join(rootfsFolder, 'rootfs'), programs: context.programs, devices, build }, report);
      }),
      layers: date === null ? layers : datedLibrary(layers, { store, date }),
      ...stepCaches(options.caches, { cacheFolder, workFolder: work.path, store, use, places: delivered, client, warn, now, ...caches }),
      fileDigests: statDigests({ ...rememberedContext(options.source, cacheFolder), workFolder: work.path, now }),
      cacheMounts: folderCacheMounts(folders.mounts, owners),
      secret: secretReader(options.execution.secrets, process.env),
      download: (url, own) => download(url, { folder: scratch, signal: own }),
      checkout: (repository, own) => fetchGitCheckout(repository, { folder: scratch, signal: own, env: process.env }),
      sinks: sinksOf(options.output, client, { report, places: delivered }),
      scratchFolder: scratch,
      fullDisk: () => (isDiskFull(rootfsFolder) ? rootfsFolder : null),
      // Commands wait for networks and disks as much as they compute; more at once would cost memory first.
      parallelRuns: 2 * availableParallelism(),
      report,
      now,
    };
    const { images, published } = await build(requestOf(options, source.dockerfile), ports, signal);
    if (options.execution.inPlace.afterwards === 'the image') await layImage(images[0], ports, signal);
    const digest = published[0]?.digest;
    if (digest === undefined) throw new Error('a build without a destination has no digest');
    const write = () => writeDigestFiles(options.resultFiles, digest, options.output.destinations.map(parseReference));
    return { published, unwritten: await writeAfterPublishing(options.output, write) };
  } finally {
    client.close();
  }
}

function inPlaceOptions(options: BuildOptions, own: readonly string[]): InPlaceOptions {
  const { inPlace, ignorePaths } = options.execution;
  const { afterwards, outsideContainer, varRun } = inPlace;
  const kept = [...filesOfBuild(options), ...own, ...dockerConfigFiles(process.env, homeFolder())];
  return { kept, ignored: ignorePaths, varRun, outsideContainer, afterwards: afterwards === 'the image' ? 'left' : afterwards };
}

/** Leaves the image's files in the rootfs: whether a RUN needed them there, and which stage came last, is nobody's concern. */
async function layImage({ layers }: Image, ports: Ports, signal: AbortSignal): Promise<void> {
  const materials = await Promise.all(layers.map((layer) => ports.layers.material(layer, 'index', signal)));
  const rootfs = await (await ports.backend()).open(materials, signal);
  await rootfs[Symbol.asyncDispose]();
}

/** Where the digests of a context's files are remembered. What is fetched is new each time. */
function rememberedContext(source: BuildOptions['source'], cacheFolder: string): { readonly folder: string | null; readonly root: string } {
  return source.kind === 'folder' ? { folder: join(cacheFolder, 'contexts'), root: source.contextFolder } : { folder: null, root: '' };
}

function requestOf({ image, execution }: BuildOptions, dockerfile: BuildRequest['dockerfile']): BuildRequest {
  const buildPlatform = hostPlatform(process.arch);
  return {
    dockerfile,
    target: image.target,
    buildArgs: image.buildArgs,
    labels: image.labels,
    buildPlatform,
    platforms: image.platforms,
    contexts: image.contexts,
    date: image.date,
    ignorePaths: execution.ignorePaths,
    layers: image.layers,
  };
}

function folderContexts({ image }: BuildOptions): Ports['namedContexts'] {
  const sources = new Map<string, ContextSource>();
  for (const [name, context] of image.contexts) {
    if (context.kind !== 'folder') continue;
    // A Dockerfile's own .dockerignore is for the build context alone.
    sources.set(name, localContext({ context: context.folder, label: context.label, dockerfilePath: null }));
  }
  return sources;
}

/** Layouts are folders of this machine; all else is a registry's. */
function imageSource({ registry, layout }: Readonly<Record<'registry' | 'layout', ImageSource>>): ImageSource {
  return { resolve: (ref, platform, signal) => (isLayoutReference(ref) ? layout : registry).resolve(ref, platform, signal) };
}

function sinksOf(
  { destinations, push, tarPath, ociLayoutPath }: OutputOptions,
  client: RegistryClient,
  { report, places }: { readonly report: Report; readonly places: Places },
): readonly ImageSink[] {
  const references = destinations.map(parseReference);
  const sinks = [
    ...(push === 'never' ? [] : references.map((destination) => tellChecking(registrySink({ client, destination, places }), { report }))),
    ...(tarPath === null ? [] : [dockerTarSink({ path: tarPath, references })]),
    ...(ociLayoutPath === null ? [] : [ociLayoutSink({ folder: ociLayoutPath, references })]),
  ];
  return sinks.length === 0 ? [digestSink()] : sinks;
}

function secretReader(secrets: readonly SecretOption[], env: NodeJS.ProcessEnv): Ports['secret'] {
  return async (id) => {
    const secret = secrets.find((one) => one.id === id);
    if (secret === undefined) return undefined;
    if (secret.from.kind === 'env') {
      const value = env[secret.from.name];
      if (value !== undefined) return Buffer.from(value);
      throw new TsbuildError('SECRET_NOT_FOUND', `the secret "${id}" comes from the variable ${secret.from.name}, which is not set`);
    }
    try {
      return readFileSync(secret.from.path);
    } catch (cause) {
      throw new TsbuildError('SECRET_NOT_FOUND', `the file of the secret "${id}" cannot be read: ${(cause as Error).message}`, { cause });
    }
  };
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
