/** What a build is asked for and what it works with. Everything that touches the world comes in here, as interfaces. */
import type { Backend } from '../backend/backend.ts';
import type { ImageSource } from '../base-image/image-source.ts';
import type { MadeStep, StepCache } from '../cache/step-cache.ts';
import type { CacheMounts } from '../cache-mounts/cache-mounts.ts';
import type { ContextSource } from '../context/context.ts';
import type { FileDigests } from '../context/file-digests.ts';
import type { ImageConfig, Images } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { FileTree } from '../layer/tree.ts';
import type { ImageSink, Published } from '../output/image-sink.ts';
import type { GitSource } from '../plan/git-url.ts';
import type { PlanInputs } from '../plan/plan.ts';
import type { LayerLibrary } from '../unpacked/layer-library.ts';
import type { Report } from './events.ts';

export interface BuildRequest extends Omit<PlanInputs, 'platform'> {
  readonly dockerfile: { readonly file: string; readonly bytes: Uint8Array };
  /** Each gets an image, whose config names it. None: one image for `buildPlatform`, whose config names what its base's does. */
  readonly platforms: readonly Platform[];
  /** Of the image's config and of what this build adds to its history; null: the time at which a layer was made. */
  readonly date: Date | null;
  /** Paths (absolute inside the rootfs) that a RUN's layer leaves out. */
  readonly ignorePaths: readonly string[];
  /** What the image gets of its stages; caches always have the layers of single steps. */
  readonly layers: 'one for each step' | 'one for each stage';
}

/** A file that ADD fetched. */
export interface Download {
  readonly path: string;
  readonly size: number;
  /** `sha256:<hex>` */
  readonly digest: string;
  readonly lastModified: Date | null;
  /** From Content-Disposition or the URL's path; null when neither has one. */
  readonly name: string | null;
}

/** A git repository's files at one commit. */
export interface Checkout {
  /** Owners 0:0; contents stay until the build has ended. */
  readonly tree: FileTree;
  /** For messages, without credentials. */
  readonly label: string;
}

export interface Ports {
  readonly context: ContextSource;
  /** The folders among `PlanInputs.contexts`, by the same keys. */
  readonly namedContexts: ReadonlyMap<string, ContextSource>;
  readonly images: ImageSource;
  /** Asked for when the first RUN comes: a build without RUN works where no rung does. */
  backend(): Promise<Backend>;
  readonly layers: LayerLibrary;
  readonly cacheMounts: CacheMounts;
  /** Its own failures are misses and warnings. */
  readonly cache: StepCache;
  /** `none`: the cache has no step at all, so nobody need wait for keys to ask for one. */
  readonly earlierSteps: 'maybe' | 'none';
  /** Writes into an image's config which steps made its layers, so that the image is a cache itself; null: it is not to be one. */
  readonly inlineCache: ((config: ImageConfig, steps: readonly MadeStep[]) => ImageConfig) | null;
  readonly fileDigests: FileDigests;
  /** Contents of a secret; undefined when the user gave none by this id. */
  secret(id: string): Promise<Uint8Array | undefined>;
  /** Throws ADD_FAILED. */
  download(url: string, signal: AbortSignal): Promise<Download>;
  /** Throws GIT_FAILED. */
  checkout(repository: GitSource, signal: AbortSignal): Promise<Checkout>;
  readonly sinks: readonly ImageSink[];
  /** A folder for this build's own files. */
  readonly scratchFolder: string;
  /** A folder on the file system that takes what commands write, when that has no room left; null: it has. */
  fullDisk(): string | null;
  /** How many RUN steps may run at once. */
  readonly parallelRuns: number;
  readonly report: Report;
  now(): Date;
}

export interface BuildResult {
  /** In the order of the request's platforms. */
  readonly images: Images;
  readonly published: readonly Published[];
}
