/** How steps, transfers and warnings are worded; plain and tty share it. */
import type { Transfer } from '../blob/blob.ts';
import type { BuildEvent } from '../build/events.ts';
import type { SourceRange } from '../errors.ts';
import { withoutControls } from './terminal-text.ts';
import { count, formatBytes, formatSeconds } from './units.ts';

export type StepStart = Extract<BuildEvent, { type: 'step-start' }>;
export type StepEnd = Extract<BuildEvent, { type: 'step-end' }>;

/** Other isolations: `in NAME`. */
const WHERE: Readonly<Record<string, string>> = { 'in-place': 'in place', chroot: 'in a chroot', proot: 'under proot' };

export function planText(event: Extract<BuildEvent, { type: 'plan' }>): string {
  return `Building ${count(event.steps, 'step')} in ${count(event.stages, 'stage')}`;
}

export function isolationText({ name }: Extract<BuildEvent, { type: 'isolation' }>): string {
  return `RUN steps run ${WHERE[name] ?? `in ${name}`}`;
}

/** `[build 2/9]`; a stage without a name is `[stage-0 2/9]`; where there are several platforms, `[linux/arm64 build 2/9]`. */
export function stepLabel(step: Pick<StepStart, 'stage' | 'platform' | 'number' | 'total'>): string {
  const stage = /^\d+$/.test(step.stage) ? `stage-${step.stage}` : withoutControls(step.stage);
  const platform = step.platform === undefined ? '' : `${withoutControls(step.platform)} `;
  return `[${platform}${stage} ${step.number}/${step.total}]`;
}

/** `done in 3.2 s, layer of 12.3 MB`. */
export function endText(event: StepEnd): string {
  if (event.state === 'cached') return 'cached';
  const words = { done: 'done in', failed: 'failed after', cancelled: 'cancelled after' }[event.state];
  const layer = event.layerBytes === null || event.state !== 'done' ? '' : `, layer of ${formatBytes(event.layerBytes)}`;
  return `${words} ${formatSeconds(event.seconds)}${layer}`;
}

/** A step that only changed the config has nothing to tell at its end. */
export function isSilentEnd(event: StepEnd): boolean {
  return event.state === 'done' && event.layerBytes === null && event.seconds < 0.1;
}

export function transferText(transfer: Transfer, seconds: number): string {
  const label = withoutControls(transfer.label);
  const done = { pull: 'pulled', push: 'pushed' }[transfer.direction];
  switch (transfer.state) {
    case 'done':
      return `${done} ${label}: ${formatBytes(transfer.bytes)} in ${formatSeconds(seconds)}`;
    case 'exists':
      return `${label} is ${transfer.direction === 'pull' ? 'in the cache' : 'in the registry'} already`;
    case 'mounted':
      return `${label} was mounted from another repository`;
    case 'running':
      return `${{ pull: 'pulling', push: 'pushing' }[transfer.direction]} ${label}: ${progressText(transfer.bytes, transfer.totalBytes)}`;
  }
}

/** `12.3 of 45.6 MB`, or what is known of it. */
export function progressText(bytes: number, totalBytes: number | null): string {
  return totalBytes === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`;
}

export function imageText({ layers, newLayers }: Extract<BuildEvent, { type: 'image' }>): string {
  return `the image has ${count(layers, 'layer')}, ${newLayers} of them new`;
}

export function contextText({ label, commit }: Extract<BuildEvent, { type: 'context' }>): string {
  return `context: ${label}${commit === undefined ? '' : ` at commit ${commit}`}`;
}

export function placeText(at: SourceRange | undefined): string {
  return at === undefined ? '' : ` (${withoutControls(at.file)}:${at.startLine})`;
}

/** `message {"field":1}`. */
export function debugText(event: Extract<BuildEvent, { type: 'debug' }>): string {
  const fields =
    event.fields === undefined
      ? ''
      : ` ${JSON.stringify(event.fields, (_, value) => (typeof value === 'bigint' ? String(value) : (value as unknown)))}`;
  return withoutControls(event.message + fields);
}
