/** The image that a finished stage is. Pure. Spec: OCI image-spec config.md. */
import type { HistoryEntry, Image, ImageConfig } from '../image/image.ts';
import { normalizePlatform, type Platform } from '../image/platform.ts';
import type { Stage } from '../plan/plan.ts';
import type { FinishedStage } from './run-plans.ts';
import type { StageState } from './stage-state.ts';

export interface ImageWish {
  /** The platform that the image is to name, whatever its base says; null: the base's. */
  readonly asked: Platform | null;
  /** See BuildRequest. */
  readonly date: Date | null;
}

export function finishImage(stage: Stage, { state, layers }: FinishedStage, { asked, date }: ImageWish): Image {
  const history = date === null ? datedHistory(state) : historyOf(state, date);
  const created = date?.toISOString() ?? newestDate(history) ?? state.baseConfig?.created;
  const config: ImageConfig = {
    ...baseFields(state, stage, asked),
    ...(created === undefined ? {} : { created }),
    ...(stage.author === null ? {} : { author: stage.author }),
    config: stage.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
    history,
  };
  return { config, layers, format: state.format };
}

/**
 * An entry without a layer is dated like the layer before it: so a rebuild of unchanged layers gives the same image.
 * Those before the first new layer are dated like that one, not like the base. Reference: BuildKit exporter/containerimage,
 * normalizeLayersAndHistory.
 */
function datedHistory({ baseConfig, baseHistory, history }: StageState): readonly HistoryEntry[] {
  let date = history.find(({ created }) => created !== undefined)?.created ?? newestDate(baseHistory) ?? baseConfig?.created;
  const dated = history.map((entry): HistoryEntry => {
    date = entry.created ?? date;
    return date === undefined ? entry : { created: date, ...entry };
  });
  return [...baseHistory, ...dated];
}

function historyOf({ baseHistory, history }: StageState, date: Date): readonly HistoryEntry[] {
  return [...baseHistory, ...history.map((entry) => ({ ...entry, created: date.toISOString() }))];
}

function newestDate(history: readonly HistoryEntry[]): string | undefined {
  return history.findLast(({ created }) => created !== undefined)?.created;
}

/**
 * The base's fields with the platform that the image gets. Reference: BuildKit dockerfile2llb, finalizeResultImage: where
 * system or architecture are others than the base's, the base's variant and version of the system go.
 */
function baseFields({ baseConfig }: StageState, stage: Stage, asked: Platform | null): Pick<ImageConfig, 'os' | 'architecture'> {
  const { os, architecture, variant, 'os.version': osVersion, ...rest }: Partial<ImageConfig> = baseConfig ?? {};
  const given: Platform = asked ?? (os === undefined || architecture === undefined ? stage.platform : { os, architecture });
  const same = given.os === os && given.architecture === architecture;
  const named = given.variant ?? (same ? variant : undefined);
  // In normal form, as BuildKit writes it: an arm64 base that says "v8" says nothing by it.
  const normal = normalizePlatform({ ...given, ...(named === undefined || named === '' ? {} : { variant: named }) });
  return { ...rest, ...normal, ...(same && osVersion !== undefined ? { 'os.version': osVersion } : {}) };
}
