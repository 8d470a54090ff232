/**
 * The plan of a build: what has to be done, fully expanded, as data. Made by pure functions from the Dockerfile, the
 * build arguments and the configs of the base images; printing it is `--dry-run` and the goldens of fixtures.
 *
 * An image's config never depends on what its steps do to files, so each stage carries its final config and the steps
 * only make layers and history. Reference: BuildKit frontend/dockerfile/dockerfile2llb.
 */
import type { SourceRange, TsbuildError } from '../errors.ts';
import type { ContainerConfig, ImageConfig } from '../image/image.ts';
import type { Platform } from '../image/platform.ts';
import type { GitSource } from './git-url.ts';

export type Origin =
  | { readonly kind: 'context' }
  /** A folder of --build-context; `name` is its key in `PlanInputs.contexts`. */
  | { readonly kind: 'folder'; readonly name: string }
  | { readonly kind: 'stage'; readonly index: number }
  /** `ref`: as in `Base`. */
  | { readonly kind: 'image'; readonly ref: string; readonly platform: Platform };

interface StepBase {
  readonly at: SourceRange;
  /** What users see: the instruction as written, on one line. */
  readonly title: string;
  /** history.created_by, as BuildKit writes it. */
  readonly createdBy: string;
  /** True for steps that came from a base's ONBUILD. */
  readonly onBuild: boolean;
}

export type Mount =
  | { readonly type: 'bind'; readonly target: string; readonly origin: Origin; readonly source: string; readonly writable: boolean }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly sharing: 'shared' | 'private' | 'locked';
      readonly readonly: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Initial content. */
      readonly seed: { readonly origin: Origin; readonly source: string } | null;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Null: only as an environment variable. */
      readonly target: string | null;
      readonly env: string | null;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

/** BuildKit's name for the host of a RUN. */
export const DEFAULT_HOSTNAME = 'buildkitsandbox';

export interface RunStep extends StepBase {
  readonly kind: 'run';
  readonly argv: readonly string[];
  /** `NAME=value`: ENV, then declared ARGs, default PATH. HOME comes from the user at run time unless it is here. */
  readonly env: readonly string[];
  /** Proxy variables given as build arguments: in the environment, in no key and no history. */
  readonly proxyEnv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** As in USER, '' for root: resolved in the rootfs when the step runs. */
  readonly user: string;
  readonly mounts: readonly Mount[];
  readonly network: 'host' | 'none';
  readonly hostname: string;
  /** A heredoc that begins with `#!`: file name under /dev/pipes and its text; mode 0755. */
  readonly scripts: readonly { readonly name: string; readonly body: string }[];
}

export type ModeChange =
  | { readonly kind: 'octal'; readonly mode: number }
  /** Symbolic, as chmod(1): applied to each file's own mode with umask 0. */
  | { readonly kind: 'symbolic'; readonly text: string };

export type CopySource =
  /** Relative to the origin's root, wildcards (Go filepath.Match) not yet matched. May begin with `/`; may hold `..`. */
  | { readonly kind: 'path'; readonly pattern: string }
  /** ADD only. */
  | { readonly kind: 'url'; readonly url: string }
  /** ADD only. `url`: as written, without credentials. */
  | { readonly kind: 'git'; readonly url: string; readonly repository: GitSource }
  /** A heredoc: text expanded already. */
  | { readonly kind: 'inline'; readonly name: string; readonly body: string };

export interface CopyStep extends StepBase {
  readonly kind: 'copy';
  readonly instruction: 'COPY' | 'ADD';
  readonly origin: Origin;
  readonly sources: readonly CopySource[];
  /** Absolute; ends with `/` when the user wrote a folder (trailing `/`, `.` or `./`, `..`). */
  readonly dest: string;
  /** As in --chown, expanded: resolved against the stage's passwd and group. */
  readonly chown: string | null;
  readonly chmod: ModeChange | null;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** `sha256:...` of the one URL; a git repository has its own. */
  readonly checksum: string | null;
  /** ADD --unpack; null: Docker's default (local archives yes, URLs no). */
  readonly unpack: boolean | null;
}

/** Makes the folder if missing: every missing component 0755, owned by the current USER. Always a layer, except for `/`. */
export interface WorkdirStep extends StepBase {
  readonly kind: 'workdir';
  /** Absolute. */
  readonly path: string;
  readonly user: string;
}

/** Only a history entry: its effect is in the stage's config. */
export interface ConfigStep extends StepBase {
  readonly kind: 'config';
}

export type Step = RunStep | CopyStep | WorkdirStep | ConfigStep;

export type Base =
  /** `ref`: a reference, or `oci-layout://FOLDER[:TAG][@DIGEST]` for an image in a folder of this machine. */
  | { readonly kind: 'image'; readonly ref: string; readonly platform: Platform }
  /** A folder of --build-context as the root file system. */
  | { readonly kind: 'folder'; readonly name: string }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'scratch' };

export interface Stage {
  /** Position in the Dockerfile, from 0. */
  readonly index: number;
  readonly name: string | null;
  readonly at: SourceRange;
  readonly base: Base;
  readonly platform: Platform;
  /** Stages that must be there first (base, COPY --from, mounts), ascending. */
  readonly needs: readonly number[];
  readonly steps: readonly Step[];
  /** The image's `config` when all steps are done. */
  readonly config: ContainerConfig;
  /** MAINTAINER, or the base's. */
  readonly author: string | null;
}

export interface BuildPlan {
  /** Only the stages that the target needs, ascending by index. */
  readonly stages: readonly Stage[];
  /** `index` of the target stage. */
  readonly target: number;
  readonly platform: Platform;
  readonly warnings: readonly TsbuildError[];
}

/** A base image whose config the plan needs. Configs are keyed by `baseKey`. */
export interface BaseRequest {
  readonly ref: string;
  readonly platform: Platform;
  readonly at: SourceRange;
}

export function baseKey(request: Pick<BaseRequest, 'ref' | 'platform'>): string {
  const { os, architecture, variant } = request.platform;
  return `${request.ref} ${os}/${architecture}${variant === undefined ? '' : `/${variant}`}`;
}

export type BaseConfigs = ReadonlyMap<string, ImageConfig>;

/** What a name of --build-context stands for, as far as the plan depends on it. */
export type NamedContext =
  | { readonly kind: 'folder' }
  /** `ref`: as in `Base`. */
  | { readonly kind: 'image'; readonly ref: string }
  | { readonly kind: 'scratch' };

/** The request's part that the plan depends on. */
export interface PlanInputs {
  readonly target: string | null;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** --label: set last, on the target only. */
  readonly labels: ReadonlyMap<string, string>;
  readonly platform: Platform;
  readonly buildPlatform: Platform;
  /** --build-context, by `contextKey`: replaces stages and images of the name. */
  readonly contexts: ReadonlyMap<string, NamedContext>;
}
