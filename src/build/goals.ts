/** The images that a request asks for, one for each platform, and what is the same about them. Pure. */
import type { SourceRange } from '../errors.ts';
import type { Platform } from '../image/platform.ts';
import type { PlanInputs } from '../plan/plan.ts';
import type { BuildRequest } from './ports.ts';

export interface Goal {
  readonly inputs: PlanInputs;
  /** What the image's config shall name; null: its base's. */
  readonly asked: Platform | null;
}

export type Goals = readonly [Goal, ...Goal[]];

export function goalsOf({ platforms, ...request }: BuildRequest): Goals {
  const [first, ...others] = platforms.map((platform): Goal => ({ inputs: { ...request, platform }, asked: platform }));
  if (first === undefined) return [{ inputs: { ...request, platform: request.buildPlatform }, asked: null }];
  return [first, ...others];
}

/** What is said of one platform's plan is mostly said of all: each text at each place once. */
export function onceEach<T extends { readonly message: string; readonly at?: SourceRange | undefined }>(said: readonly T[]): readonly T[] {
  const byText = new Map<string, T>();
  for (const one of said) {
    const key = `${one.at?.file}:${one.at?.startLine} ${one.message}`;
    if (!byText.has(key)) byText.set(key, one);
  }
  return [...byText.values()];
}
