/** A Dockerfile's bytes to the text of its plan, as a build makes it, with bases that are all alike. */
import type { ParsedDockerfile } from '../../src/dockerfile/instruction.ts';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import type { ImageConfig } from '../../src/image/image.ts';
import { missingBases } from '../../src/plan/outline.ts';
import { type BuildPlan, baseKey, type PlanInputs } from '../../src/plan/plan.ts';
import { planBuild } from '../../src/plan/plan-build.ts';

export const PLAIN_INPUTS: PlanInputs = {
  target: null,
  buildArgs: new Map(),
  labels: new Map(),
  contexts: new Map(),
  platform: { os: 'linux', architecture: 'amd64' },
  buildPlatform: { os: 'linux', architecture: 'arm64' },
};

const BASE: ImageConfig = {
  architecture: 'amd64',
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [] },
  config: { Env: ['PATH=/bin', 'BASE=b a'], Cmd: ['sh'], OnBuild: ['RUN echo $BASE'] },
};

/** Throws what parsing and planning throw. */
export function planBytes(bytes: Uint8Array, inputs: PlanInputs = PLAIN_INPUTS): BuildPlan {
  return planParsed(parseDockerfile(bytes, 'Dockerfile'), inputs);
}

export function planParsed(parsed: ParsedDockerfile, inputs: PlanInputs = PLAIN_INPUTS): BuildPlan {
  const known = new Map<string, ImageConfig>();
  for (;;) {
    const missing = missingBases(parsed, inputs, known);
    if (missing.length === 0) return planBuild(parsed, inputs, known);
    for (const request of missing) known.set(baseKey(request), BASE);
  }
}
