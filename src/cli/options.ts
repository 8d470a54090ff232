/**
 * What the user asked for on the command line, checked and resolved, as one frozen record grouped by area. Says nothing of
 * how it is done: wire.ts turns it into ports.
 */
import type { IsolationName } from '../backend/backend.ts';
import type { CachedKind } from '../cache/step-cache.ts';
import type { Platform } from '../image/platform.ts';
import type { GitSource } from '../plan/git-url.ts';
import type { NamedContext } from '../plan/plan.ts';
import type { ReportOptions } from '../report/reporter.ts';

/** Where the Dockerfile and the files it may copy are. */
export type SourceOptions = FolderSource | RepositorySource | ArchiveSource;

export interface FolderSource {
  readonly kind: 'folder';
  /** Absolute folder of this machine, --context-sub-path applied. It exists. */
  readonly contextFolder: string;
  /** For messages: the context as the user wrote it, --context-sub-path joined. */
  readonly contextLabel: string;
  /** Absolute path of a readable file. */
  readonly dockerfilePath: string;
  /** For messages and error places: the Dockerfile as the user wrote it, relative to the context or the working folder. */
  readonly dockerfileLabel: string;
}

/** Fetched when the build begins. */
export interface RepositorySource {
  readonly kind: 'git';
  /** --context-sub-path is in its `subdir`. `remote` may hold credentials. */
  readonly repository: Omit<GitSource, 'at'> & {
    readonly at:
      | Exclude<GitSource['at'], { kind: 'commit' }>
      | (Extract<GitSource['at'], { kind: 'commit' }> & { readonly among?: string });
  };
  readonly certificates: 'verify' | 'accept-any';
  /** GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD, for a remote that holds no credentials. */
  readonly login: { readonly username: string; readonly password: string } | null;
  readonly dockerfile: FetchedDockerfile;
}

/** A tar, compressed or not, unpacked when the build begins. */
export interface ArchiveSource {
  readonly kind: 'archive';
  readonly from: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdin' };
  /** For messages. */
  readonly label: string;
  /** --context-sub-path: relative, clean, '' is the root. */
  readonly subPath: string;
  readonly dockerfile: FetchedDockerfile;
}

/** The Dockerfile of a context that is not here yet. */
export type FetchedDockerfile =
  /** Relative to the context, clean. */
  | { readonly kind: 'in-context'; readonly path: string }
  /** An absolute path that is a readable file of this machine, such as a mounted one; `label`: as the user wrote it. */
  | { readonly kind: 'file'; readonly path: string; readonly label: string };

export type NamedContextOption =
  /** `folder`: absolute, and there. `label`: as the user wrote it. */
  { readonly kind: 'folder'; readonly folder: string; readonly label: string } | Exclude<NamedContext, { kind: 'folder' }>;

/** What the image is made of. Feeds BuildRequest. */
export interface ImageOptions {
  readonly target: string | null;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** --build-context, by the names that plan/named-contexts.ts compares. */
  readonly contexts: ReadonlyMap<string, NamedContextOption>;
  readonly labels: ReadonlyMap<string, string>;
  /** --reproducible: what everything that the build makes is dated, in whole seconds. Null: by the clock. */
  readonly date: Date | null;
  /** Each gets an image, without duplicates. None: one image for the platform of this machine. */
  readonly platforms: readonly Platform[];
  /** --single-snapshot: `one for each stage`. */
  readonly layers: 'one for each step' | 'one for each stage';
}

/** Where the image goes. At least one of the fields asks for something, or the build only checks that the Dockerfile works (--no-push). */
export interface OutputOptions {
  /** References in the user's order, each valid, without duplicates. They also name the image in `tarPath`. */
  readonly destinations: readonly string[];
  /** `never`: --no-push, or --tar-path, which Kaniko defines as "instead of pushing". */
  readonly push: 'to-destinations' | 'never';
  /** Absolute path of a `docker load` archive. */
  readonly tarPath: string | null;
  /** Absolute path of an OCI image layout folder. */
  readonly ociLayoutPath: string | null;
}

/** Files that tell the next step of a pipeline what was published. All paths are absolute. */
export interface ResultFileOptions {
  readonly digestFile: string | null;
  /** Lines of `name@digest`. */
  readonly imageNameWithDigestFile: string | null;
  /** Lines of `name:tag@digest`. */
  readonly imageNameTagWithDigestFile: string | null;
}

export interface TransportOptions {
  /** Plain HTTP is tried, whatever the host. */
  readonly http: 'https-only' | 'http-allowed';
  readonly certificates: 'verify' | 'accept-any';
}

export interface RegistryOptions {
  /** --insecure, --skip-tls-verify. */
  readonly push: TransportOptions;
  /** --insecure-pull, --skip-tls-verify-pull. */
  readonly pull: TransportOptions;
  /** --insecure-registry: hosts (`host[:port]`) that may be spoken to in plain HTTP, for push and pull. */
  readonly httpHosts: readonly string[];
  /** --skip-tls-verify-registry: hosts whose certificate is not verified, for push and pull. */
  readonly unverifiedHosts: readonly string[];
  /** --registry-mirror: `host[:port][/path]`, tried in this order before docker.io. */
  readonly mirrors: readonly string[];
}

export interface SecretOption {
  readonly id: string;
  readonly from: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'env'; readonly name: string };
}

/** How and with what the steps run. */
export interface ExecutionOptions {
  /** `auto`: the first rung of the ladder that works here. */
  readonly isolation: 'auto' | IsolationName;
  /** Absolute; null: the default place for this user. Holds layers, unpacked layers and cache mounts. */
  readonly cacheDir: string | null;
  /** Of all that is in it, after the build. Null: no bound. */
  readonly cacheMaxBytes: number | null;
  /** Absolute: what only this build needs, what RUN writes included. Null: inside the cache folder, or in TMPDIR where that does. */
  readonly tmpDir: string | null;
  /** Ids are unique. */
  readonly secrets: readonly SecretOption[];
  /** Absolute paths inside the rootfs that a RUN's layer leaves out. */
  readonly ignorePaths: readonly string[];
  readonly inPlace: InPlaceWishes;
}

/** What is taken from earlier builds, and what is left for later ones. */
export interface CacheOptions {
  /** `run anew` (--no-cache, --cache=false): no cache is asked; what is made is kept for later builds on this machine, as by Docker. */
  readonly steps: 'reused' | 'run anew';
  /** Of the steps that caches are asked for and told of: --cache-run-layers, --cache-copy-layers. */
  readonly kinds: readonly CachedKind[];
  /** --cache: one image for each step. Null: none. */
  readonly keyed: { readonly place: CachePlaceOption; readonly ttlMs: number; readonly access: 'read' | 'read and write' } | null;
  /** --cache-from. */
  readonly imports: readonly CacheImport[];
  /** --cache-to, without inline ones. */
  readonly exports: readonly Exclude<CacheExport, { kind: 'inline' }>[];
  /** --cache-to type=inline. */
  readonly inline: 'written' | 'not written';
}

/** `repository`: `host/path` in full. `folder`: absolute; it need not be there. */
export type CachePlaceOption =
  | { readonly kind: 'registry'; readonly repository: string }
  | { readonly kind: 'layout'; readonly folder: string };

/** `name`: a tag or a digest. */
export type CacheImport = CachePlaceOption & { readonly name: string };

export type CacheExport = (CachePlaceOption & { readonly tag: string; readonly mode: 'min' | 'max' }) | { readonly kind: 'inline' };

/** What is asked of a build whose rootfs is `/` itself. */
export interface InPlaceWishes {
  /** --force. */
  readonly outsideContainer: 'refused' | 'allowed';
  /** --ignore-var-run=false: `keep mounts`. */
  readonly varRun: 'keep' | 'keep mounts';
  /** --cleanup, --preserve-context (which `/` as the rootfs cannot give), --materialize. */
  readonly afterwards: 'left' | 'cleared' | 'as before' | 'the image';
}

export interface BuildOptions {
  readonly source: SourceOptions;
  readonly image: ImageOptions;
  readonly output: OutputOptions;
  readonly resultFiles: ResultFileOptions;
  readonly registry: RegistryOptions;
  readonly execution: ExecutionOptions;
  readonly caches: CacheOptions;
  readonly report: ReportOptions;
}

/** `tsbuild warm`. At least one image, or a Dockerfile. */
export interface WarmOptions {
  /** References, each valid, without duplicates. */
  readonly images: readonly string[];
  /** Of the images; none: that of this machine. */
  readonly platforms: readonly Platform[];
  readonly dockerfile: {
    /** As the user wrote it. */
    readonly label: string;
    readonly bytes: Uint8Array;
    readonly buildArgs: ReadonlyMap<string, string>;
    /** Null: the images of all stages are wanted. */
    readonly target: string | null;
  } | null;
  /** As in ExecutionOptions. */
  readonly cacheDir: string | null;
  /** --force: `again`. */
  readonly fetch: 'what is missing' | 'again';
  /** --unpack. */
  readonly layers: 'packed' | 'unpacked';
  readonly registry: RegistryOptions;
  readonly report: ReportOptions;
}
