/** The image that a finished stage is. Pure. Spec: OCI image-spec config.md. */
import type { Image, ImageConfig } from '../image/image.ts';
import { normalizePlatform, type Platform } from '../image/platform.ts';
import type { Stage } from '../plan/plan.ts';
import type { StageState } from './stage-state.ts';

export function finishImage(stage: Stage, state: StageState): Image {
  const { variant: _, ...base }: Partial<ImageConfig> = state.baseConfig ?? {};
  // In normal form, as BuildKit writes it: an arm64 base that says "v8" says nothing by it.
  const { os, architecture, variant } = normalizePlatform(platformOf(state.baseConfig) ?? stage.platform);
  const config: ImageConfig = {
    ...base,
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(state.created === null ? {} : { created: state.created }),
    ...(stage.author === null ? {} : { author: stage.author }),
    config: stage.config,
    rootfs: { type: 'layers', diff_ids: state.layers.map((layer) => layer.diffId) },
    history: state.history,
  };
  return { config, layers: state.layers, format: state.format };
}

function platformOf(base: ImageConfig | null): Platform | null {
  if (base === null) return null;
  const { os, architecture, variant } = base;
  return { os, architecture, ...(variant === undefined || variant === '' ? {} : { variant }) };
}
