/**
 * Which stages the target needs, and which base configs are still to be fetched. A base's ONBUILD triggers count: they
 * may copy from further stages. Reference: BuildKit dockerfile2llb, resolveStages and initOnBuildTriggers.
 */
import type { Instruction } from '../dockerfile/instruction.ts';
import { parseTrigger } from '../dockerfile/parse.ts';
import { TsbuildError } from '../errors.ts';
import { type Faults, semanticError } from './faults.ts';
import { mountFields, mountFrom } from './mounts.ts';
import { type FromOption, resolveOrigin } from './origins.ts';
import type { Outline, StageOutline } from './stages.ts';
import { type BaseConfigs, type BaseRequest, baseKey } from './plan.ts';

export interface Reach {
  /** Indices, ascending. */
  readonly stages: readonly number[];
  /** By stage: what its base makes it do first. */
  readonly triggers: ReadonlyMap<number, readonly Instruction[]>;
  readonly missing: readonly BaseRequest[];
}

/** Faults of references and triggers go to `faults`. */
export function reach(outline: Outline, known: BaseConfigs, faults: Faults): Reach {
  const triggers = new Map<number, readonly Instruction[]>();
  const missing = new Map<string, BaseRequest>();
  const pending = outline.target === null ? [] : [outline.target];
  const seen = new Set<number>();
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const stage = outline.stages[index];
    if (stage === undefined || seen.has(index)) continue;
    seen.add(index);
    const first = triggersOf(stage, { outline, known, faults, missing });
    triggers.set(index, first);
    if (stage.base?.kind === 'stage') pending.push(stage.base.index);
    for (const instruction of [...first, ...stage.instructions]) {
      for (const { from, option } of references(instruction)) {
        const origin = faults.collect(instruction.at, () =>
          resolveOrigin(from, option, { stages: outline.stages, index: stage.index, platform: outline.platform }),
        );
        if (origin?.kind === 'stage') pending.push(origin.index);
      }
    }
  }
  return { stages: [...seen].sort((a, b) => a - b), triggers, missing: [...missing.values()] };
}

export interface FromReference {
  readonly from: string;
  readonly option: FromOption;
}

/** The stages and images that an instruction names. Mounts that cannot be read are the lowering's to report. */
export function references(instruction: Instruction): readonly FromReference[] {
  if (instruction.keyword === 'COPY') {
    return instruction.flags.filter(({ name }) => name === 'from').map(({ value }) => ({ from: value ?? '', option: 'COPY --from' }));
  }
  if (instruction.keyword !== 'RUN') return [];
  const found: FromReference[] = [];
  for (const { name, value } of instruction.flags) {
    const from = name === 'mount' && value !== null ? fromOfMount(value) : null;
    if (from !== null && from !== '' && from !== 'scratch') found.push({ from, option: 'RUN --mount from' });
  }
  return found;
}

function fromOfMount(flag: string): string | null {
  try {
    return mountFrom(mountFields(flag));
  } catch (error) {
    if (error instanceof TsbuildError) return null;
    throw error;
  }
}

interface TriggerContext {
  readonly outline: Outline;
  readonly known: BaseConfigs;
  readonly faults: Faults;
  readonly missing: Map<string, BaseRequest>;
}

function triggersOf(stage: StageOutline, { outline, known, faults, missing }: TriggerContext): readonly Instruction[] {
  const { base, at } = stage;
  if (base === null || base.kind === 'scratch') return [];
  if (base.kind === 'stage') {
    const instructions = outline.stages[base.index]?.instructions ?? [];
    return instructions.flatMap(({ keyword, trigger }) => (keyword === 'ONBUILD' && trigger !== null ? [trigger] : []));
  }
  const key = baseKey(base);
  const image = known.get(key);
  if (image === undefined) {
    missing.set(key, { ref: base.ref, platform: base.platform, at });
    return [];
  }
  const triggers: Instruction[] = [];
  for (const text of image.config?.OnBuild ?? []) {
    const parsed = faults.collect(at, () => trigger(text, base.ref));
    // A trigger has no place in this file: the FROM line is where it comes from.
    if (parsed !== null) triggers.push({ ...parsed, at });
  }
  return triggers;
}

function trigger(text: string, ref: string): Instruction {
  try {
    return parseTrigger(text, ref, '\\');
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw semanticError(`the base image's trigger "ONBUILD ${text}": ${error.message}`, error.hint);
  }
}
