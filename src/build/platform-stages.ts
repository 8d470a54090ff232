/**
 * Which stages of several plans are one: what is built for the machine that builds, whatever the target, is built once.
 * Also which machine's programs the commands of a stage are. Pure.
 */
import type { BaseImage } from '../base-image/image-source.ts';
import { digestOf } from '../image/digest.ts';
import type { Platform } from '../image/platform.ts';
import { type BuildPlan, baseKey, type Stage } from '../plan/plan.ts';

export interface PlannedStage {
  readonly plan: BuildPlan;
  readonly stage: Stage;
  /** Stages of two plans with the same key make the same. */
  readonly key: string;
  /** Unique within the build; equal where `key` is. */
  readonly id: string;
}

/** All stages of all plans, each after those that it needs; of those that are one the first only. */
export function distinctStages(plans: readonly BuildPlan[]): readonly PlannedStage[] {
  const found = new Map<string, PlannedStage>();
  for (const [number, plan] of plans.entries()) {
    const keys = stageKeys(plan);
    for (const stage of plan.stages) {
      const key = keyIn(keys, stage.index);
      if (!found.has(key)) found.set(key, { plan, stage, key, id: number === 0 ? String(stage.index) : `${number}:${stage.index}` });
    }
  }
  return [...found.values()];
}

/** By index. A stage is what its plan says and what it needs. */
export function stageKeys({ stages }: BuildPlan): ReadonlyMap<number, string> {
  const keys = new Map<number, string>();
  for (const stage of stages) keys.set(stage.index, digestOf(JSON.stringify([stage, stage.needs.map((index) => keyIn(keys, index))])));
  return keys;
}

export function keyIn(keys: ReadonlyMap<number, string>, index: number): string {
  const key = keys.get(index);
  if (key === undefined) throw new Error(`stage ${index} is needed but not in the plan before those that need it`);
  return key;
}

/** Keys of the target and of the stages that it is FROM: their layers end up in the image. */
export function keysOfImage(plan: BuildPlan): ReadonlySet<string> {
  const keys = stageKeys(plan);
  return new Set(ancestry(plan, plan.target).map((stage) => keyIn(keys, stage.index)));
}

/** What the programs of a stage are for: its base image's platform, whatever was asked for. Null: there is no base image. */
export function programPlatform(plan: BuildPlan, index: number, bases: ReadonlyMap<string, BaseImage>): Platform | null {
  const base = ancestry(plan, index).at(-1)?.base;
  const config = base?.kind === 'image' ? bases.get(baseKey(base))?.config : undefined;
  return config === undefined ? null : { os: config.os, architecture: config.architecture };
}

/** A stage, what it is FROM, and so on to the one with a base outside the file. */
function ancestry({ stages }: BuildPlan, index: number): readonly Stage[] {
  const found: Stage[] = [];
  for (let next: number | null = index; next !== null; ) {
    const stage: Stage | undefined = stages.find((one) => one.index === next);
    if (stage === undefined) throw new Error(`the plan lacks stage ${next}`);
    found.push(stage);
    next = stage.base.kind === 'stage' ? stage.base.index : null;
  }
  return found;
}
