/**
 * The ports of a build, in memory: layers are really packed and indexed, nothing is unpacked, mounted or sent. What a RUN does is
 * said by the test. Everything that happens is written to one log, so that tests can tell what came before what.
 */
import type { Backend, ExitStatus, RootfsForm, RunSpec } from '../../src/backend/backend.ts';
import type { BaseImage } from '../../src/base-image/image-source.ts';
import { build } from '../../src/build/build.ts';
import type { BuildEvent } from '../../src/build/events.ts';
import type { BuildRequest, BuildResult, Ports } from '../../src/build/ports.ts';
import type { FoundStep, StepCache } from '../../src/cache/step-cache.ts';
import type { CacheMountRequest } from '../../src/cache-mounts/cache-mounts.ts';
import { TsbuildError } from '../../src/errors.ts';
import { assemblePublication } from '../../src/image/assemble.ts';
import { digestOf } from '../../src/image/digest.ts';
import type { ContainerConfig, Image, ImageConfig, Layer } from '../../src/image/image.ts';
import type { Platform } from '../../src/image/platform.ts';
import { createIndexBuilder } from '../../src/layer/build-index.ts';
import type { FileContent, LayerEntries, LayerEntry, PutEntry } from '../../src/layer/entry.ts';
import { indexEntries } from '../../src/layer/index-entries.ts';
import type { LayerMaterial } from '../../src/layer/layer-material.ts';
import { replayIndex } from '../../src/layer/replay.ts';
import { sealLayer } from '../../src/layer/seal.ts';
import { createTarReader } from '../../src/layer/tar/read.ts';
import type { TreeEntry } from '../../src/layer/tree.ts';
import type { ImageSink } from '../../src/output/image-sink.ts';
import type { LayerLibrary, Seal } from '../../src/unpacked/layer-library.ts';
import { dir, file, memoryTree, type TreeLiteral } from './memory-tree.ts';

/** What a RUN comes to: its end and what it changed. Nothing: exit code 0, no change. */
export interface RunOutcome {
  readonly status?: ExitStatus;
  readonly changes?: readonly LayerEntry[];
}

export interface FakeOptions {
  readonly dockerfile: string;
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly contexts?: BuildRequest['contexts'];
  readonly context?: TreeLiteral;
  /** By the name that FROM or --from gives. */
  readonly images?: Readonly<Record<string, FakeImage>>;
  readonly secrets?: Readonly<Record<string, string>>;
  /** --platform. */
  readonly platforms?: readonly Platform[];
  readonly ignorePaths?: readonly string[];
  readonly layers?: BuildRequest['layers'];
  readonly date?: Date;
  readonly parallelRuns?: number;
  /** Architectures whose programs the backend can execute; all when absent. */
  readonly executes?: readonly string[];
  /** `overlay` when absent. */
  readonly form?: RootfsForm;
  /** `command`: the text of a shell form. */
  run?(command: string, spec: RunSpec, signal: AbortSignal): Promise<RunOutcome | undefined> | RunOutcome | undefined;
  readonly ports?: Partial<Ports>;
}

export interface FakeImage {
  /** Each a layer. */
  readonly layers?: readonly Readonly<Record<string, string>>[];
  readonly config?: ContainerConfig;
  readonly fields?: Partial<ImageConfig>;
}

export interface FakeWorld {
  readonly ports: Ports;
  readonly events: readonly BuildEvent[];
  /** `run a`, `end a`, `open rootfs 1`, `dispose context`, `offer FILES`, ... */
  readonly log: readonly string[];
  readonly specs: readonly RunSpec[];
  readonly cacheRequests: readonly CacheMountRequest[];
  /** Paths that a layer of the image puts. */
  paths(layer: Layer | undefined): readonly string[];
  /** The same with what they are. */
  puts(layer: Layer): readonly (readonly [string, TreeEntry])[];
  build(signal?: AbortSignal): Promise<BuildResult & { readonly image: Image }>;
}

/** What the clock shows first; each look moves it on by a second. */
export const FIRST_MOMENT = new Date('2026-01-01T00:00:00.000Z');
const PLATFORM = { os: 'linux', architecture: 'amd64' } as const;

export function put(path: string, text = path): PutEntry {
  const { meta, node } = file(text);
  return { kind: 'put', path, meta, node };
}

export function putDir(path: string): PutEntry {
  const { meta, node } = dir();
  return { kind: 'put', path, meta, node };
}

interface FakeLibrary extends LayerLibrary {
  paths(layer: Layer): readonly string[];
  puts(layer: Layer): readonly (readonly [string, TreeEntry])[];
}

function fakeLibrary(log: string[]): FakeLibrary {
  const made = new Map<string, LayerMaterial>();

  const pack = async (entries: LayerEntries, signal: AbortSignal) => {
    const contents = new Map<string, FileContent>();
    async function* seen(): AsyncGenerator<LayerEntry> {
      for await (const entry of entries) {
        if (entry.kind === 'put' && entry.node.type === 'file') contents.set(entry.path, entry.node.content);
        yield entry;
      }
    }
    const builder = createIndexBuilder((path) => contents.get(path) ?? { at: 'memory', bytes: Buffer.alloc(0) });
    const taps = [createTarReader(builder)];
    const options = { sinks: [], format: 'oci', compression: 'gzip', level: 1, taps, mtime: 'seconds', signal } as const;
    const { descriptor, diffId } = await sealLayer(seen(), options);
    const index = builder.index();
    const folder = (): Promise<string> => Promise.resolve(`/unpacked/${diffId}`);
    const material: LayerMaterial = { diffId: async () => diffId, index, folder, replay: (to, own) => replayIndex(index, to, own) };
    made.set(diffId, material);
    const layer: Layer = { descriptor, diffId, open: () => Promise.reject(new Error('a fake layer has no bytes')) };
    return { layer, material };
  };

  const seal = (entries: LayerEntries, signal: AbortSignal): Seal => {
    const packed = pack(entries, signal);
    const layer = packed.then((made) => made.layer);
    const kept = packed.then((made) => made.material);
    for (const promise of [layer, kept]) promise.catch(() => undefined);
    const material: LayerMaterial = {
      index: indexEntries([...(entries as readonly LayerEntry[])]),
      diffId: async () => (await layer).diffId,
      folder: async (own) => (await kept).folder(own),
      replay: async (to, own) => (await kept).replay(to, own),
    };
    return { layer, kept, material };
  };

  return {
    paths: (layer) => [...(made.get(layer.diffId)?.index.puts.keys() ?? [])],
    puts: (layer) => [...(made.get(layer.diffId)?.index.puts ?? [])],
    async material(layer, need, signal) {
      signal.throwIfAborted();
      const material = made.get(layer.diffId);
      if (material === undefined) throw new Error('a layer that nobody made');
      log.push(`material ${need}`);
      return material;
    },
    seal: (entries, _how, signal) => seal(entries, signal),
    place: async (entries, signal) => (await pack(entries, signal)).material,
  };
}

/** Keeps steps as long as the world lives. */
function memoryCache(log: string[]): StepCache {
  const steps = new Map<string, FoundStep>();
  return {
    label: 'memory',
    find: (key) => Promise.resolve(steps.get(key) ?? null),
    async keep({ key, kind, layer, created, below }) {
      if (!steps.has(key)) log.push(`keep ${kind}`);
      steps.set(key, { layer, created, below });
    },
    finish: () => Promise.resolve(),
  };
}

export function fakeWorld(options: FakeOptions): FakeWorld {
  const log: string[] = [];
  const events: BuildEvent[] = [];
  const specs: RunSpec[] = [];
  const cacheRequests: CacheMountRequest[] = [];
  const library = fakeLibrary(log);
  const images = new Map<string, Promise<BaseImage>>();
  let moments = 0;
  let roots = 0;

  const imageOf = async (ref: string, fake: FakeImage): Promise<BaseImage> => {
    const layers: Layer[] = [];
    for (const files of fake.layers ?? []) {
      const entries = Object.entries(files).map(([path, text]) => put(path, text));
      layers.push(await library.seal(entries, { format: 'oci', need: 'index' }, new AbortController().signal).layer);
    }
    const config: ImageConfig = {
      ...PLATFORM,
      ...fake.fields,
      config: fake.config ?? {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    };
    return { ref, digest: digestOf(Buffer.from(ref)), format: 'oci', config, layers, warnings: [] };
  };

  const backend: Backend = {
    name: 'namespaces',
    executes: ({ architecture }) => options.executes?.includes(architecture) ?? true,
    form: options.form ?? { kind: 'overlay' },
    async open(layers, openSignal) {
      openSignal.throwIfAborted();
      const number = ++roots;
      log.push(`open rootfs ${number} on ${layers.length}`);
      let changes: readonly LayerEntry[] = [];
      return {
        async lay(layer) {
          log.push(`lay ${[...layer.index.puts.keys()].join(' ')} on ${number}`);
        },
        async run(spec, signal) {
          signal.throwIfAborted();
          specs.push(spec);
          const command = spec.argv.at(-1) ?? '';
          log.push(`run ${command}`);
          const outcome = (await options.run?.(command, spec, signal)) ?? {};
          log.push(`end ${command}`);
          changes = outcome.changes ?? [];
          return outcome.status ?? { kind: 'code', code: 0 };
        },
        async *changes() {
          yield* changes;
        },
        adopt: (layer) => layer,
        async [Symbol.asyncDispose]() {
          log.push(`dispose rootfs ${number}`);
        },
      };
    },
  };

  const sink: ImageSink = {
    label: 'memory',
    check: () => Promise.resolve(),
    offer: (layer) => void log.push(`offer ${library.paths(layer).join(' ')}`),
    async write(written, signal) {
      signal.throwIfAborted();
      log.push('write');
      return { where: 'memory', digest: assemblePublication(written).top.descriptor.digest };
    },
  };

  const ports: Ports = {
    context: {
      label: 'the context',
      async open() {
        log.push('open context');
        return {
          tree: memoryTree(options.context ?? {}),
          hiddenBy: () => null,
          ignores: () => false,
          async [Symbol.asyncDispose]() {
            log.push('dispose context');
          },
        };
      },
    },
    namedContexts: new Map(),
    images: {
      async resolve(ref, _platform, signal) {
        signal.throwIfAborted();
        const name = ref.replace(/^.*\//, '').replace(/:latest$/, '');
        log.push(`resolve ${name}`);
        const fake = options.images?.[name];
        if (fake === undefined) throw new TsbuildError('REGISTRY_FAILED', `there is no image ${name}`);
        const made = images.get(name) ?? imageOf(ref, fake);
        images.set(name, made);
        return made;
      },
    },
    async backend() {
      log.push('backend');
      return backend;
    },
    layers: library,
    cacheMounts: {
      async open(request) {
        cacheRequests.push(request);
        log.push(`open cache ${request.id}`);
        return { hostPath: `/caches/${request.id}`, [Symbol.dispose]: () => void log.push(`close cache ${request.id}`) };
      },
    },
    cache: memoryCache(log),
    earlierSteps: 'maybe',
    inlineCache: null,
    fileDigests: {
      async digestOf(content, _size, signal) {
        const found = content.at === 'deferred' ? await content.locate(signal) : content;
        if (found.at !== 'memory') throw new Error('a fake file is in memory');
        return digestOf(found.bytes);
      },
      save: () => Promise.resolve(),
    },
    secret: (id) => {
      const text = options.secrets?.[id];
      return Promise.resolve(text === undefined ? undefined : Buffer.from(text));
    },
    download: () => Promise.reject(new Error('this test downloads nothing')),
    checkout: () => Promise.reject(new Error('this test fetches no git repository')),
    sinks: [sink],
    scratchFolder: '/nowhere',
    fullDisk: () => null,
    parallelRuns: options.parallelRuns ?? 4,
    report: (event) => void events.push(event),
    now: () => new Date(FIRST_MOMENT.getTime() + 1000 * moments++),
    ...options.ports,
  };

  const request: BuildRequest = {
    dockerfile: { file: 'Dockerfile', bytes: Buffer.from(options.dockerfile) },
    target: options.target ?? null,
    buildArgs: new Map(Object.entries(options.buildArgs ?? {})),
    labels: new Map(),
    buildPlatform: PLATFORM,
    platforms: options.platforms ?? [],
    contexts: options.contexts ?? new Map(),
    date: options.date ?? null,
    ignorePaths: options.ignorePaths ?? [],
    layers: options.layers ?? 'one for each step',
  };

  return {
    ports,
    events,
    log,
    specs,
    cacheRequests,
    paths: (layer) => (layer === undefined ? [] : library.paths(layer)),
    puts: (layer) => library.puts(layer),
    async build(signal = new AbortController().signal) {
      const result = await build(request, ports, signal);
      return { ...result, image: result.images[0] };
    },
  };
}

export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

/** Rejects with the reason when the signal is aborted, as a killed command does. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
