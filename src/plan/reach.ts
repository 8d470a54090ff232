/**
 * Which stages the target needs, and which base configs are still to be fetched. A base's ONBUILD triggers count: they
 * may copy from further stages. Reference: BuildKit dockerfile2llb, resolveStages and initOnBuildTriggers.
 */
import type { Instruction } from '../dockerfile/instruction.ts';
import { parseTrigger } from '../dockerfile/parse.ts';
import { TsbuildError } from '../errors.ts';
import { about, type Faults } from './faults.ts';
import { mountFields, mountFrom } from './mounts.ts';
import { type FromOption, resolveOrigin } from './origins.ts';
import { type BaseConfigs, type BaseRequest, baseKey } from './plan.ts';
import type { Outline, StageOutline } from './stages.ts';

export interface Reach {
  /** Indices, ascending. */
  readonly stages: readonly number[];
  /** By stage: what its base makes it do first. */
  readonly triggers: ReadonlyMap<number, readonly Trigger[]>;
  readonly missing: readonly BaseRequest[];
}

export interface Trigger {
  readonly instruction: Instruction;
  /** What to say before its faults: null for those of this file, which have their own place. */
  readonly label: string | null;
}

/** Faults of references and triggers go to `faults`. `targets`: the build's when absent. */
export function reach(outline: Outline, known: BaseConfigs, faults: Faults, targets = targetOf(outline)): Reach {
  const triggers = new Map<number, readonly Trigger[]>();
  const missing = new Map<string, BaseRequest>();
  const pending = [...targets];
  const seen = new Set<number>();
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const stage = outline.stages[index];
    if (stage === undefined || seen.has(index)) continue;
    seen.add(index);
    const first = triggersOf(stage, { outline, known, faults, missing });
    triggers.set(index, first);
    if (stage.base?.kind === 'stage') pending.push(stage.base.index);
    // Which stage a name or number means is not known then: neither what it leads to, nor what is wrong with it.
    if (outline.structure === 'doubtful') continue;
    for (const { instruction, label } of [...first, ...stage.instructions.map(unlabelled)]) {
      for (const { from, option } of references(instruction)) {
        const origin = faults.collect(instruction.at, () =>
          labelled(label, () => resolveOrigin(from, option, { ...outline, index: stage.index })),
        );
        if (origin?.kind === 'stage') pending.push(origin.index);
      }
    }
  }
  return { stages: [...seen].sort((a, b) => a - b), triggers, missing: [...missing.values()] };
}

function targetOf({ target }: Outline): readonly number[] {
  return target === null ? [] : [target];
}

/** What `work` throws says which trigger it is about. */
export function labelled<T>(label: Trigger['label'], work: () => T): T {
  return label === null ? work() : about(label, work);
}

function unlabelled(instruction: Instruction): Trigger {
  return { instruction, label: null };
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

function triggersOf(stage: StageOutline, { outline, known, faults, missing }: TriggerContext): readonly Trigger[] {
  const { base, at, content } = stage;
  if (base === null || base.kind === 'scratch' || base.kind === 'folder') return [];
  if (base.kind === 'stage') {
    const parent = outline.stages[base.index];
    // To stand on what replaces a stage is to stand on that image.
    if (parent?.content === 'replaced') return triggersOf({ ...parent, content: 'built', at }, { outline, known, faults, missing });
    const instructions = parent?.instructions ?? [];
    return instructions.flatMap(({ keyword, trigger }) => (keyword === 'ONBUILD' && trigger !== null ? [unlabelled(trigger)] : []));
  }
  const key = baseKey(base);
  const image = known.get(key);
  if (image === undefined) {
    missing.set(key, { ref: base.ref, platform: base.platform, at });
    return [];
  }
  if (content === 'replaced') return [];
  const triggers: Trigger[] = [];
  for (const text of image.config?.OnBuild ?? []) {
    const label = `the base image's trigger "ONBUILD ${text.split('\n', 1)[0]}"`;
    const parsed = faults.collect(at, () => about(label, () => parseTrigger(text, base.ref, '\\')));
    // A trigger has no place in this file: the FROM line is where it comes from.
    if (parsed !== null) triggers.push({ instruction: { ...parsed, at }, label });
  }
  return triggers;
}
