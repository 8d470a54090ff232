/** What a command knows of the process that it runs in: everything comes in as values, so that tests can give others. */
import type { Pruned, PruneWish } from '../blob/prune.ts';
import type { CachedThing, ShelfKind } from '../blob/shelf.ts';
import type { Report } from '../build/events.ts';
import type { Warmed } from '../build/warm.ts';
import type { SourceText } from '../dockerfile/instruction.ts';
import type { TsbuildError } from '../errors.ts';
import type { Published } from '../output/image-sink.ts';
import type { DoctorFacts } from '../report/doctor-facts.ts';
import type { ReportWorld } from '../report/reporter.ts';
import type { CommandLineWorld } from './command-line-world.ts';
import type { BuildOptions, WarmOptions } from './options.ts';

export interface BuildEnd {
  readonly published: readonly Published[];
  /** Why a result file is missing although the image is everywhere it should be. */
  readonly unwritten: TsbuildError | null;
}

/** Resolves when the image is everywhere it should be. Rejects with what stopped it. */
export type RunBuild = (options: BuildOptions, context: RunContext) => Promise<BuildEnd>;

export interface RunContext {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Keeps the lines of a Dockerfile that is no file of this machine, for errors that quote it. */
  quote(source: SourceText): void;
}

/** `cacheDir`: absolute; null: where a build keeps its cache by default. */
export type Examine = (request: { readonly cacheDir: string | null }) => Promise<DoctorFacts>;

/** A cache folder, for whoever looks after it. */
export interface CacheUpkeep extends AsyncDisposable {
  /** Absolute. */
  readonly path: string;
  list(): Promise<readonly CachedThing[]>;
  /** `kinds`: what may go; undefined: all. */
  prune(wish: PruneWish, kinds: readonly ShelfKind[] | undefined): Promise<Pruned>;
  /** Every thing, checked. What is damaged is removed when it is told. */
  verify(): AsyncIterable<{ readonly thing: CachedThing; readonly damage: DamagedThing | null }>;
}

export interface DamagedThing {
  readonly why: string;
  readonly outcome: 'evicted' | 'in use' | 'failed';
}

/** `cacheDir`: absolute; null: where a build keeps its cache by default. */
export type OpenCache = (cacheDir: string | null) => Promise<CacheUpkeep>;

/** Resolves with what became of each image. Rejects for a Dockerfile at fault, a cache folder that cannot be used, and the signal's reason. */
export type RunWarm = (options: WarmOptions, context: Pick<RunContext, 'report' | 'signal'>) => Promise<readonly Warmed[]>;

export interface CommandWorld extends CommandLineWorld {
  readonly stdout: 'terminal' | 'pipe';
  readonly signal: AbortSignal;
  readonly report: ReportWorld;
  /** Width for the help text. */
  readonly columns: number;
  /** stdout. */
  writeResult(text: string): void;
  /** Runs the same command in another process that may do more, and gives its exit code; null: go on here. */
  runElsewhere(): Promise<number | null>;
  readonly runBuild: RunBuild;
  readonly examine: Examine;
  readonly openCache: OpenCache;
  readonly runWarm: RunWarm;
}

/** `told`: help, version, or what else was asked for. */
export type ExitKind = 'built' | 'told' | 'failed' | 'usage' | 'cancelled';
