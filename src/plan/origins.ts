/**
 * Where `--from` and a mount's `from` point: a stage above, what --build-context says, or an image. Names of stages win
 * (--build-context replaces the stages of its names), and variables are not expanded. Reference: BuildKit dockerfile2llb, toCommand and detectRunMount.
 */
import type { Platform } from '../image/platform.ts';
import { nearestTypo } from '../words/nearest.ts';
import { semanticError } from './faults.ts';
import { findContext } from './named-contexts.ts';
import type { Origin, PlanInputs } from './plan.ts';
import { checkReference } from './references.ts';
import type { StageOutline } from './stages.ts';

export interface OriginContext {
  readonly stages: readonly StageOutline[];
  /** The stage that asks. */
  readonly index: number;
  /** For images. */
  readonly platform: Platform;
  readonly contexts: PlanInputs['contexts'];
}

export type FromOption = 'COPY --from' | 'RUN --mount from';

/** What is wrong with a `from` whatever the stages are. Throws DOCKERFILE_SEMANTICS. */
export function checkFromText(from: string, option: FromOption): void {
  if (from === '') throw semanticError(`${option} is empty`);
  if (/\$./.test(from)) {
    throw semanticError(
      `variables are not expanded in ${option}`,
      `give it a name above: FROM ${from} AS name, with the ARG before the first FROM`,
    );
  }
}

/** What is wrong with a `from` wherever it stands, reachable or not. Throws DOCKERFILE_SEMANTICS. */
export function checkFrom(from: string, option: FromOption, { stages, index }: Pick<OriginContext, 'stages' | 'index'>): void {
  checkFromText(from, option);
  const number = /^\d+$/.test(from) ? Number(from) : null;
  if (number !== null && option === 'RUN --mount from') {
    const named = stages[number]?.name ?? null;
    throw semanticError(
      `a mount cannot name a stage by its number (from=${from})`,
      named === null ? 'name it: FROM ... AS name' : `write from=${named}`,
    );
  }
  if (number !== null && number >= stages.length)
    throw semanticError(`there is no stage ${number}`, `the last one is ${stages.length - 1}`);
  const own = stages[index];
  if (number === index || (own?.name === from.toLowerCase() && earlierStage(from, stages, index) === undefined)) {
    throw semanticError(`${option}=${from} is this stage itself`, 'to copy within a stage use RUN cp');
  }
}

/** Throws DOCKERFILE_SEMANTICS. */
export function resolveOrigin(from: string, option: FromOption, context: OriginContext): Origin {
  const { stages, index, platform, contexts } = context;
  checkFrom(from, option, context);
  const earlier = /^\d+$/.test(from) ? stages.slice(0, index)[Number(from)] : earlierStage(from, stages, index);
  if (earlier !== undefined) return { kind: 'stage', index: earlier.index };
  const later = /^\d+$/.test(from) ? stages[Number(from)] : stages.find(({ name }) => name === from.toLowerCase());
  if (later !== undefined) {
    throw semanticError(`${option}=${from} is a stage that comes later (line ${later.at.startLine})`, 'move it above this one');
  }
  const named = findContext(from, platform, contexts);
  if (named?.context.kind === 'folder') return { kind: 'folder', name: named.key };
  if (from === 'scratch' || named?.context.kind === 'scratch') throw semanticError(`${option}=${from} holds no files`);
  if (named !== null) return { kind: 'image', ref: named.context.ref, platform };
  checkReference(from);
  return { kind: 'image', ref: from, platform };
}

/** So many stages above are looked at for a name that is near. */
const MOST_NAMES = 100;

/** The stage above that `from`, which names an image, was perhaps meant to be: names with `/`, `:` or `.` are images' alone. */
export function meantStage(from: string, { stages, index, platform, contexts }: OriginContext): string | undefined {
  if (/[/:.@]/.test(from) || findContext(from, platform, contexts) !== null) return undefined;
  return nearestTypo(
    from,
    stages.slice(Math.max(0, index - MOST_NAMES), index).flatMap(({ name }) => name ?? []),
  );
}

function earlierStage(from: string, stages: readonly StageOutline[], index: number): StageOutline | undefined {
  return stages.slice(0, index).findLast(({ name }) => name === from.toLowerCase());
}
