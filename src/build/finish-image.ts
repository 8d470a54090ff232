/** The image that a finished stage is. Pure. Spec: OCI image-spec config.md. */
import type { Image, ImageConfig } from '../image/image.ts';
import type { Stage } from '../plan/plan.ts';
import type { StageState } from './stage-state.ts';

export function finishImage(stage: Stage, state: StageState): Image {
  const base: Partial<ImageConfig> = state.baseConfig ?? {};
  const { os, architecture, variant } = state.baseConfig ?? stage.platform;
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
