/**
 * What an image is: config, history and layers, as immutable values. A change makes a new image.
 * Spec: OCI image-spec config.md and manifest.md; Docker's config extensions (Healthcheck, Shell, OnBuild, ArgsEscaped).
 */
import type { Readable } from 'node:stream';
import type { Digest } from './digest.ts';
import type { ImageFormat } from './media-types.ts';

/** `size`: compressed bytes, as stored and sent. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly urls?: readonly string[];
}

/** A layer whose digests are known. `open` may be called many times; each stream yields the compressed bytes, verified. */
export interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Repositories that have this blob already, `host/path`: a push to a registry of theirs mounts it from there. The likeliest first. */
  readonly origins?: readonly string[];
  open(signal: AbortSignal): Promise<Readable>;
}

export interface Healthcheck {
  readonly Test?: readonly string[];
  /** Durations in nanoseconds. */
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** The `config` object of an image config, as in JSON; fields that we do not know are kept. */
export interface ContainerConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  /** `NAME=value` */
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: Healthcheck;
  readonly Shell?: readonly string[];
  readonly OnBuild?: readonly string[];
  readonly ArgsEscaped?: boolean;
  readonly [unknown: string]: unknown;
}

export interface HistoryEntry {
  /** RFC 3339 */
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** An image config as in JSON; fields that we do not know are kept. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly author?: string;
  readonly created?: string;
  readonly config?: ContainerConfig;
  readonly rootfs: { readonly type: 'layers'; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
  readonly [unknown: string]: unknown;
}

/** `layers[i].diffId === config.rootfs.diff_ids[i]`, lowest first. `format` is the family that the manifest will have. */
export interface Image {
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
  readonly format: ImageFormat;
}

/** What is published together under one name: one image for each platform. */
export type Images = readonly [Image, ...Image[]];
